package presence

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
)

// KeepOpeners makes the kernel keep, for each connection that a listening
// socket takes, the frame that opened it (TCP_SAVE_SYN with the link layer's
// header, tcp(7), Linux 5.10). It reports whether the kernel can.
func KeepOpeners(fd uintptr) bool {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_SAVE_SYN, 2) == nil
}

// Opener is the hardware address that opened a connection taken from a
// listener with KeepOpeners. The neighbour table can be made to say for a
// moment that an address is somebody else's; the frame that opened the
// connection cannot be changed later. It can be asked for once; false where
// the kernel did not keep it, as under SYN cookies.
func Opener(c net.Conn) (hien.MAC, bool) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return hien.MAC{}, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return hien.MAC{}, false
	}
	const ethernet = 14          // destination, source, type
	frame := make([]byte, 1<<10) // a header of IPv6 with options fits
	n := uint32(len(frame))
	err = raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_SAVED_SYN,
			uintptr(unsafe.Pointer(&frame[0])), uintptr(unsafe.Pointer(&n)), 0)
		if errno != 0 {
			n = 0
		}
	})
	if err != nil || n < ethernet+20 {
		return hien.MAC{}, false
	}
	return hien.MAC(frame[6:12]), true
}
