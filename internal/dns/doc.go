// Package dns answers the questions of guests who have no pass yet.
//
// The firewall sends port 53 of such guests to a [Forwarder], which stands
// before the router's own resolver (a plain dnsmasq). It does three things
// that the resolver does not.
//
// It keeps names from being a way out. Whoever owns a domain can carry
// anything in questions and answers; a forwarder cannot forbid that without
// forbidding names. It makes it too slow to be of use: host names only, in
// lower case, of bounded length; a bounded number of different names beneath
// one domain in a minute; answers that hold nothing but a few public
// addresses, whatever came before them in the chain. Tunnels that carry data
// in TXT, NULL, MX, SRV or CNAME records do not come up; what is left is less
// than a telephone modem. See [Limits].
//
// It fills the walled garden by name. Before an answer with the addresses of
// a name in the garden goes to the guest, Plant has put them into the kernel's
// sets: the first connection is not refused.
//
// It answers for the host of the RFC 8908 API itself, so that the portal is
// found when the shop's internet is down.
//
// # What a guest is answered
//
// Nothing is forged: an address comes from the router's resolver, or belongs
// to the portal's own host. A question for an address (A, AAAA) is asked of
// the resolver, and its answer handed on with the addresses alone under the
// name that was asked for; NXDOMAIN stays NXDOMAIN. Any other type gets an
// empty answer (NOERROR, no records) at once: phones ask for HTTPS records
// (RFC 9460) beside each address and wait for that answer, and an empty one
// tells them to go on. REFUSED would do as well for the question and would
// harm the next ones, as Apple's and Android's resolvers hold it against the
// server. Empty answers carry no SOA record and are therefore not cached (RFC
// 2308 §5): after login the phone asks again.
//
// REFUSED is for a guest that is over its own limits or whose name is no host
// name; it fails at once, without the phone's waiting. SERVFAIL says that the
// answer cannot be had now: the resolver is silent, the zone is over its
// limit, or the garden could not be filled. What is no question at all
// is FORMERR or NOTIMP (RFC 1035 §4.1.1), and an answer is never answered.
//
// Private, loopback, link-local, multicast and unspecified addresses are left
// out of every answer and never planted: a name of a stranger must not name
// the shop's own machines (DNS rebinding). When nothing is left the answer is
// empty. Only an address within a network that the owner put into the garden
// as such is handed on, as it is reached without a pass anyway.
//
// The time to live that a guest is told is at most [MaxTTL], so that it asks
// again while it uses a name, and the garden is extended; an address stays
// planted for [Lasting] longer than it was good for.
//
// # Who is believed
//
// A guest is counted by its MAC, by the kernel's neighbour table; those whom
// it does not know are counted together. What is kept of guests is bounded:
// strangers with random addresses push each other out of a fixed number of
// places, and the limits on the zone as a whole hold whoever they say they
// are. The names that a phone needs to find the portal, and those of the
// garden, have limits of their own, so that a flood of others does not keep
// anybody outside.
//
// Names that guests ask for are never logged.
package dns
