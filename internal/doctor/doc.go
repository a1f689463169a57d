// Package doctor looks at a shop's network as a guest's phone does, and at the
// router as somebody who has to mend it.
//
// It becomes a guest of each zone: a network namespace of its own with a port
// in the guest bridge, an address by DHCP and by router advertisement, and no
// pass. From there it plays every operating system's probe and tries the ways
// out that must be shut. Then it looks at what else the machine does to the
// gateway: other firewalls, policy routing, tables that are full.
//
// What was seen are plain values (System, Play), and the findings are pure
// functions over them; each says in words what is wrong, whom it concerns and
// the one command that mends it. Nothing but the examination changes anything,
// and what it puts up is gone when it returns. The kernel takes it down as
// well when the process is killed: the namespace lives as long as the process.
package doctor
