package config

import (
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien"
)

// The bounds of sizes in bytes and speeds in bits per second. Below 64 kbit/s
// no page opens before a phone gives up.
const (
	minVolume, maxVolume = 1e6, 1000e9
	minSpeed, maxSpeed   = 64e3, 10e9
)

const (
	speedAllowed = "a speed from 64k to 10G, in bits per second, as in 512k, 4M or 1G"
	macAllowed   = "the hardware address of one device, as in 02:00:5e:10:00:01, each once"
)

// setAmount reads a whole number with or without a decimal unit: k or K, M, G.
func setAmount(to *int64, v string, least, most int64) bool {
	unit := int64(1)
	switch v[len(v)-1] {
	case 'k', 'K':
		unit = 1e3
	case 'M':
		unit = 1e6
	case 'G':
		unit = 1e9
	}
	if unit > 1 {
		v = v[:len(v)-1]
	}
	n, ok := decimal(v, most/unit) // so that the product does not overflow
	if !ok || n*unit < least {
		return false
	}
	*to = n * unit
	return true
}

// amount writes a number as setAmount reads it, as short as it can.
func amount(n int64) string {
	for _, unit := range []struct {
		is   int64
		sign string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n%unit.is == 0 {
			return strconv.FormatInt(n/unit.is, 10) + unit.sign
		}
	}
	return strconv.FormatInt(n, 10)
}

// addMAC takes the address of one device: neither a group's nor zero.
func addMAC(to *[]hien.MAC, v string) bool {
	mac, err := hien.ParseMAC(v)
	if err != nil || mac.IsZero() || mac[0]&1 != 0 || slices.Contains(*to, mac) {
		return false
	}
	*to = append(*to, mac)
	return true
}

// The bits of a packet's mark that other software on a router uses.
const (
	mwan3Bits = 0x3f00   // mwan3's option mmx_mask
	pbrBits   = 0xff0000 // pbr's option fw_mask
)

func readMark(v string) (uint32, bool) {
	if digits, hex := strings.CutPrefix(strings.ToLower(v), "0x"); hex {
		n, err := strconv.ParseUint(digits, 16, 32)
		return uint32(n), err == nil && !strings.Contains(digits, "_")
	}
	n, ok := decimal(v, 1<<32-1)
	return uint32(n), ok
}

func setMark(to *uint32, v string) bool {
	n, ok := readMark(v)
	if !ok || bits.OnesCount32(n) != 1 || n&(mwan3Bits|pbrBits) != 0 {
		return false
	}
	*to = n
	return true
}

func markHint(v string) string {
	switch n, ok := readMark(v); {
	case !ok:
		return ""
	case bits.OnesCount32(n) != 1:
		return "it has " + strconv.Itoa(bits.OnesCount32(n)) + " bits: want exactly one, as in 0x01000000"
	case n&mwan3Bits != 0:
		return "mwan3 uses this bit (0x3f00): want another, as in 0x01000000"
	case n&pbrBits != 0:
		return "pbr uses this bit (0xff0000): want another, as in 0x01000000"
	}
	return ""
}

// addUpstream takes a resolver's address and port.
func addUpstream(to *[]netip.AddrPort, v string) bool {
	at, err := netip.ParseAddrPort(v)
	a := at.Addr()
	if err != nil || at.Port() == 0 || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || slices.Contains(*to, at) {
		return false
	}
	*to = append(*to, at)
	return true
}
