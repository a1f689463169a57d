// Package firewall is the gateway's door: a guest without a pass reaches the
// portal and nothing else, a guest with a pass reaches the internet.
//
// A [Ruleset] says what shall hold: which guest networks there are and where
// their portals listen. [Firewall.Apply] makes the kernel hold it, again and
// again without change; [Firewall.Check] compares, and [Firewall.Keep] repairs
// what another program has flushed or moved. [Firewall.Admit] and
// [Firewall.Remove] let one guest through and shut it out again.
//
// # What the rules do
//
// They only take away. Where a guest may pass, the packet returns to the
// system's own rules, which grant it or not; nothing is ever accepted here.
// For each zone, by the interface on which a packet comes in, IPv4 and IPv6
// alike:
//
//   - nat PREROUTING: without a pass, tcp port 80 to any host is redirected
//     to the portal.
//   - filter FORWARD: without a pass everything is refused, and with a pass
//     what goes to a guest network. Established connections are no exception:
//     each packet is looked up, so that a pass ends for a running download
//     too.
//   - filter INPUT: DHCP, DNS, the portal's port, ping, what IPv6 needs to
//     work at all, and answers to what the router itself has asked. The
//     router's other services are refused on all of its addresses, with a
//     pass or without.
//
// What is refused is refused aloud (a reset for TCP, ICMP for the rest), as a
// phone that gets no answer waits instead of opening the portal. The kernel
// limits how many ICMP errors it sends (net.ipv4.icmp_ratelimit).
//
// # Passes
//
// A guest with a pass is a member of an ipset set with a time limit, never a
// rule: the cost of a packet does not grow with the guests, and the kernel
// forgets a guest when its time is over even if no program runs any more. On
// IPv4 a member is hardware address and address together, so that a
// neighbour's address alone opens nothing. On IPv6 it is the hardware address
// where the kernel has a set type for that (hash:mac), else each of the
// guest's addresses; then a guest that takes over an address of another one
// passes as long as that address does. Members are added and removed by
// netlink, without starting a program.
//
// # What belongs to this package
//
// Every chain and every set whose name begins with HIEN-, in the tables
// filter and nat, and one jump at the top of each of FORWARD, INPUT and
// PREROUTING. Nothing else is touched. Chains are filled before the jumps are
// set and jumps go before chains, so that there is no moment in which a
// half-made ruleset lets somebody in. [Firewall.Cleanup] takes all of it out;
// a built-in table that iptables had to make stays behind, empty.
//
// What it does not do: it sets no address translation, and traffic from
// elsewhere towards guests is left to the system's rules, as is, for guests
// with a pass, where beyond the guest networks they may go.
package firewall
