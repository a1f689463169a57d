// Package firewall is the gateway's door: a guest without a pass reaches the
// portal and nothing else, a guest with a pass reaches the internet.
//
// A [Ruleset] says what shall hold: which guest networks there are, where
// their portals listen and by which interfaces the internet is reached.
// [Firewall.Apply] makes the kernel hold it, again and again without change;
// [Firewall.Check] compares, and [Firewall.Keep] repairs what another program
// has flushed or moved. [Firewall.Admit] and [Firewall.Remove] let one guest
// through and shut it out again.
//
// There are two back ends, and one suite of tests that both pass: nftables by
// netlink, in a table of its own, and iptables with ipset. [Choose] picks.
//
// # What the rules do
//
// They only take away. Where a guest may pass, the packet returns to the
// system's own rules, which grant it or not; nothing is ever accepted here.
// For each zone, by the interface on which a packet comes in, IPv4 and IPv6
// alike:
//
//   - Before routing, a packet that may be routed gets the mark bit, and every
//     other one loses it: that of a guest with a pass; to the garden; to what
//     the router itself offers guests. What has no mark is refused.
//   - Without a pass, tcp port 80 to any host outside the garden is redirected
//     to the portal, and DNS to the router to the zone's forwarder.
//   - Forwarded is only what has the mark, and only by an uplink, but for the
//     garden. No pass leads to a guest network, nor to networks that are
//     private (RFC 1918 and the like) on whatever side of the router.
//   - To the router itself go DHCP, DNS, the ports of the portal, ping, what
//     IPv6 needs to work at all, and answers to what the router has asked. Its
//     other services are refused on all of its addresses, with a pass or
//     without.
//
// Every packet is looked up, those of established connections too, so that a
// pass ends for a running download. Where it goes is looked at only until a
// connection was answered.
//
// What is refused is refused aloud (a reset for TCP, ICMP for the rest), as a
// phone that gets no answer waits instead of opening the portal. The kernel
// limits how many ICMP errors it sends (net.ipv4.icmp_ratelimit).
//
// # The second gate
//
// The mark is what the second gate asks for: policy rules (see [ShutGate])
// that let nothing of a guest be routed without it. They are no part of any
// packet filter, so that a door whose rules another program has flushed lets
// nobody in. After such a flush the sets come first, then the guests who have
// a pass, and the rules last: rules that refuse, over empty sets, would reset
// what those guests are doing.
//
// # Passes
//
// A guest with a pass is a member of a set with a time limit, never a rule:
// the cost of a packet does not grow with the guests, and the kernel forgets a
// guest when its time is over even if no program runs any more. On IPv4 a
// member is hardware address and address together, so that a neighbour's
// address alone opens nothing. On IPv6 it is the hardware address where the
// kernel has a set for that (nftables always, ipset with hash:mac), else each
// of the guest's addresses; then a guest that takes over an address of another
// one passes as long as that address does. Members are added and removed by
// netlink, without starting a program.
//
// Members count bytes: those of passes what a guest sends, others, by address,
// what is forwarded to it. With nftables the first packet of a connection to
// port 80 or 53 is counted twice.
//
// # Speeds
//
// Limits are policers: what comes too fast is dropped, and TCP finds the speed
// by that. A bucket holds what one second lets through, and with nftables 128
// KiB more, as the kernel joins packets into ones of 64 KiB. What a packet
// costs does not grow with the guests.
//
//   - What a guest sends is limited by its hardware address with nftables,
//     both families together; by its address with iptables.
//   - What comes to a guest is limited by its address, as its hardware address
//     is not known yet when packets are forwarded. A phone has one IPv4
//     address and a few IPv6 addresses, and each is allowed the whole speed:
//     per guest it is not exact. The zone's own limit is, with nftables for
//     both families together and with iptables for each.
//   - Buckets are bounded in number (8,192 with nftables); those of guests who
//     are idle for a minute are forgotten. Where there are more the zone's
//     limit alone holds.
//   - What the portal itself sends is not limited.
//
// # Flow offloading
//
// A flow table (OpenWrt's "software flow offloading", and hardware's) carries
// the packets of an established connection from interface to interface before
// any chain of this package, of the second gate or of the system's firewall
// sees them. While a connection is offloaded:
//
//   - nothing of it is counted or limited: a guest's volume, idle time and
//     speed are those of what is not offloaded;
//   - a pass that ends does not end it by itself. [Firewall.Remove] deletes the
//     connection, and with it the entry in the flow table; the kernel alone,
//     when no program runs any more, does not;
//   - who may begin a connection is decided as ever.
//
// With limits of speed or volume, offloading must be off for guests.
//
// # What belongs to this package
//
// With nftables the table inet hien, whoever has put something there. With
// iptables every chain and every set whose name begins with HIEN-, and one
// jump at the top of each built-in chain that is used. Nothing else is
// touched. A table changes in one transaction; with iptables each of filter,
// nat and mangle does, in an order in which no half-made ruleset lets somebody
// in. [Firewall.Cleanup] takes all of it out; a built-in table that iptables
// had to make stays behind, empty.
//
// Address translation is the system's, unless [Ruleset].Masquerade asks for
// it. Traffic from elsewhere towards guests is left to the system's rules.
package firewall
