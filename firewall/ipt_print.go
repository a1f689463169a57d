package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os/exec"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// legacy asks the kernel's older tables whether they were changed. Unlike
// nf_tables it tells nobody when they are.
type legacy struct {
	sockets map[int]int // protocol to socket, of the network namespace in which it was opened
}

// isLegacy tells the variant of a program that was found: "iptables v1.8.9
// (legacy)". Before 1.8 there was no other one and nothing in brackets.
func isLegacy(path string) (bool, error) {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return false, fmt.Errorf("run %s --version: %w", path, err)
	}
	return !strings.Contains(string(out), "(nf_tables)"), nil
}

// openLegacy opens a socket for each family. It needs CAP_NET_RAW.
func openLegacy(six bool) (*legacy, error) {
	l := &legacy{map[int]int{}}
	domains := map[int]int{unix.IPPROTO_IP: unix.AF_INET}
	if six {
		domains[unix.IPPROTO_IPV6] = unix.AF_INET6
	}
	for level, domain := range domains {
		fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("open a raw socket: %w", err)
		}
		l.sockets[level] = fd
	}
	return l, nil
}

func (l *legacy) close() {
	for _, fd := range l.sockets {
		unix.Close(fd)
	}
	clear(l.sockets) // twice would be another's
}

// getInfo is IPT_SO_GET_INFO and IP6T_SO_GET_INFO, which are the same number
// (XT_BASE_CTL, linux/netfilter/x_tables.h).
const getInfo = 64

// tableInfo is struct ipt_getinfo and struct ip6t_getinfo
// (linux/netfilter_ipv4/ip_tables.h).
type tableInfo struct {
	name       [32]byte
	validHooks uint32
	hookEntry  [5]uint32
	underflow  [5]uint32
	entries    uint32
	size       uint32
}

// table asks for one table. A table that the kernel does not have is no error
// and has no entries; the question may make an empty one.
func (l *legacy) table(level int, name string) (tableInfo, error) {
	var info tableInfo
	copy(info.name[:], name)
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(l.sockets[level]), uintptr(level), getInfo,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case errno == 0:
		return info, nil
	case errors.Is(errno, unix.ENOENT):
		return tableInfo{}, nil
	}
	return tableInfo{}, fmt.Errorf("ask for table %s: %w", name, errno)
}

// fingerprint is a number that changes when another program changes sets or
// rules of ours: for sets what they are and how many rules name them, for
// tables of the legacy variant how many rules they have and where the chains
// begin. It costs no fork. A rule that was replaced by another one of the
// same size is left to differences; for the nf_tables variant the kernel
// sends news of it.
func (b *iptablesBackend) fingerprint() (uint64, error) {
	sets, err := b.sets.ours()
	if err != nil {
		return 0, err
	}
	h := fnv.New64a()
	for _, name := range sortedKeys(sets) {
		set := sets[name]
		fmt.Fprintln(h, name, set.kind, set.family, set.first, set.last, set.maxMembers, set.timeouts, set.counters, set.references)
	}
	if b.legacy == nil {
		return h.Sum64(), nil
	}
	for _, level := range []int{unix.IPPROTO_IP, unix.IPPROTO_IPV6} {
		if _, ok := b.legacy.sockets[level]; !ok {
			continue
		}
		for _, name := range []string{"mangle", "filter", "nat"} {
			info, err := b.legacy.table(level, name)
			if err != nil {
				return 0, err
			}
			if err := binary.Write(h, binary.NativeEndian, info); err != nil {
				return 0, err
			}
		}
	}
	return h.Sum64(), nil
}
