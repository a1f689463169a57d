// Package world is a small internet with a shop in it, for tests and for the
// demo: a router, phones that join its guest network by real DHCP and router
// advertisements, the hosts that phones ask whether they are online, and the
// customer-data platform at the far end.
//
// Everything stands in network namespaces of a child process. [Main] (for
// TestMain) and [Enter] (for a program) start that child: the same program
// again, in new network, mount and process-id namespaces. It has its own
// /proc, its own /run and a temporary directory in it. When the child or its
// parent ends, however it ends, the kernel kills what is left in the
// process-id namespace and forgets the rest. No rule, table, set, sysctl,
// resolver, interface or named namespace of the machine is ever touched, and
// outside of such a child nothing can be built: [New] returns [ErrOutside].
//
// What a world cannot keep to itself: kernel modules that the kernel loads on
// demand stay loaded, and the limits of the neighbour table
// (net.ipv4.neigh.default.gc_thresh*) are shared by all namespaces of the
// machine; see [World.AddCrowd].
package world
