// Package openwrttest tests what Hiên is on a router and Go is not: the init
// script, first boot, the maintainer's scripts, the image, the units. They run
// in a small root file system with busybox, against stand-ins that write down
// what they are asked.
package openwrttest
