// Package cdp speaks the dialect that Segment, RudderStack, Jitsu and Hiên's
// own hub understand: POST {base}/v1/batch with a list of identify, track and
// alias calls in JSON.
//
// The rules that it keeps, and why:
//
//  1. An event's id is made when the thing happens and is sent with each
//     attempt, so that a second delivery has no second effect.
//  2. A 200 may hold a refusal: Jitsu answers ok:false with the ids of what
//     it did not take. Those are parked, the rest is accepted.
//  3. A 400 is for the whole batch, whatever was wrong with it (RudderStack).
//     A single event is parked with the answer. Of several none has a fate
//     yet: they are to be sent again, fewer at once, until the bad one is
//     alone and the others go on.
//  4. A 413 is taken in the same way. 401, 403 and 404 stop everything and
//     lose nothing: the owner has to mend the key or the address. A 402 is a
//     quota, and waits as a 429 does.
//  5. 408, 410, 429, 460, 5xx and network errors are tried again, not before
//     Retry-After, which is believed up to five minutes. How long in all is
//     the queue's affair.
//  6. Segment answers 200 to a wrong key, see [Sink.Confirms].
//  7. A router has no battery clock. An event whose time is still a guess is
//     sent without "timestamp", with "originalTimestamp" and its own
//     "sentAt": the receiver corrects it by the difference.
//  8. A call without a consent object flows to every destination, so each one
//     says true or false for every purpose that was asked.
//  9. https only, loopback apart, and no IP address of anybody: not in the
//     call, and X-IP-Policy asks Jitsu not to add ours.
//  10. One Send is at most one request. What does not fit into it, and what is
//     to be sent again, is asked of the queue anew, which knows what was
//     withdrawn meanwhile.
//  11. Who came back under another brand key is told of by an alias, which few
//     platforms act on (Segment's Unify does not; RudderStack hands it to some
//     destinations and writes it to the warehouse), and by previous_user_id in
//     every call, by which any can be joined. A withdrawal is therefore told
//     of both names, in two calls.
//  12. An erasure is a track "Person Erased" and an identify in which every
//     category is false, for the same userId. Where a deletion API is set, it
//     is asked too, and the erasure is accepted when it has taken it.
//
// The sources are the code of rudder-server's gateway and of Jitsu's ingest,
// and Segment's documentation of its HTTP API.
package cdp
