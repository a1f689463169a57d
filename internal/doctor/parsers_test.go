package doctor

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

var testMAC = net.HardwareAddr{0x02, 0, 0x5e, 0x10, 0, 1}

// dhcpAnswer is what a server sends.
func dhcpAnswer(kind byte, xid uint32, options ...byte) []byte {
	m := dhcpMessage(kind, xid, testMAC, netip.Addr{}, options...)
	m[0] = 2
	copy(m[16:20], []byte{10, 77, 0, 60})
	return m
}

func TestDHCPAnswersAreRead(t *testing.T) {
	m := dhcpAnswer(dhcpOffer, 7, optMask, 4, 255, 255, 255, 0, optRouter, 4, 10, 77, 0, 1, optDNS, 8, 10, 77, 0, 1, 10, 77, 0, 2,
		optServer, 4, 10, 77, 0, 1, optPortal, 4, 'h', 't', 't', 'p', optPortal, 1, 's')
	kind, l, err := readDHCP(m, 7, testMAC)
	if err != nil || kind != dhcpOffer {
		t.Fatalf("kind %d, %v; want an offer", kind, err)
	}
	router := netip.MustParseAddr("10.77.0.1")
	if l.Addr != netip.MustParsePrefix("10.77.0.60/24") || l.Router != router || l.Server != router || l.API != "https" ||
		!slices.Equal(l.DNS, []netip.Addr{router, netip.MustParseAddr("10.77.0.2")}) {
		t.Errorf("lease %+v", l)
	}
	other := slices.Clone(m)
	other[28]++
	request := slices.Clone(m)
	request[0] = 1
	for name, m := range map[string][]byte{"another's": other, "a request": request, "short": m[:200], "cut within an option": m[:dhcpHeader+4+8], "empty": nil} {
		if _, _, err := readDHCP(m, 7, testMAC); !errors.Is(err, errNotDHCP) {
			t.Errorf("%s: %v, want %v", name, err, errNotDHCP)
		}
	}
	if _, _, err := readDHCP(m, 8, testMAC); !errors.Is(err, errNotDHCP) {
		t.Errorf("another transaction: %v, want %v", err, errNotDHCP)
	}
}

func TestDHCPMessagesAreLongEnoughForRelays(t *testing.T) {
	if m := dhcpMessage(dhcpDiscover, 1, testMAC, netip.Addr{}); len(m) < dhcpLeast || m[10] != 0x80 {
		t.Errorf("%d bytes, flags %#x; want at least %d, and an answer by broadcast", len(m), m[10], dhcpLeast)
	}
	if m := dhcpMessage(dhcpRelease, 1, testMAC, netip.MustParseAddr("10.77.0.60")); !bytes.Equal(m[12:16], []byte{10, 77, 0, 60}) || m[10] != 0 {
		t.Errorf("a release from %v, want its own address, and no broadcast", m[12:16])
	}
}

func FuzzDHCP(f *testing.F) {
	f.Add(dhcpAnswer(dhcpACK, 7, optMask, 4, 255, 255, 255, 0, optDNS, 3, 1, 2, 3))
	f.Add(dhcpAnswer(dhcpNAK, 7, 0, 0, optPortal, 255))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, m []byte) {
		if kind, _, err := readDHCP(m, 7, testMAC); err == nil && kind == 0 {
			t.Error("an answer without a type")
		}
		arpOwner(m)
	})
}

func TestARP(t *testing.T) {
	a := netip.MustParseAddr("10.77.0.60")
	probe := arpProbe(testMAC, a)
	if len(probe) != 28 || arpOwner(probe) != netip.IPv4Unspecified() {
		t.Errorf("a probe of %d bytes claims %s; want 28, and nothing", len(probe), arpOwner(probe))
	}
	copy(probe[14:18], a.AsSlice())
	if got := arpOwner(probe); got != a {
		t.Errorf("owner %s, want %s", got, a)
	}
	if got := arpOwner(probe[:27]); got.IsValid() {
		t.Errorf("owner %s of a message that is cut, want none", got)
	}
}

// dnsAnswer answers a question of ours.
func dnsAnswer(tb testing.TB, id uint16, name string, code dnsmessage.RCode, addrs ...netip.Addr) []byte {
	tb.Helper()
	n := dnsmessage.MustNewName(name)
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, RCode: code},
		Questions: []dnsmessage.Question{{Name: n, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
		Answers: []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET},
			Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("else.where.example.")}}},
	}
	for _, a := range addrs {
		h := dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET}
		if a.Is4() {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		} else {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	wire, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return wire
}

func TestDNSAnswersAreRead(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")}
	wire := dnsAnswer(t, 5, "Captive.apple.com.", dnsmessage.RCodeSuccess, addrs...)
	if got, err := readDNS(wire, 5, "captive.apple.com", dnsmessage.TypeA); err != nil || !slices.Equal(got, addrs) {
		t.Errorf("%v, %v; want %v", got, err, addrs)
	}
	if got, err := readDNS(dnsAnswer(t, 5, "captive.apple.com.", dnsmessage.RCodeNameError), 5, "captive.apple.com", dnsmessage.TypeA); err != nil || len(got) > 0 {
		t.Errorf("a name that does not exist: %v, %v; want nothing", got, err)
	}
	if _, err := readDNS(dnsAnswer(t, 5, "captive.apple.com.", dnsmessage.RCodeRefused), 5, "captive.apple.com", dnsmessage.TypeA); err == nil || errors.Is(err, errNotDNS) {
		t.Errorf("a refusal: %v, want an error that ends the waiting", err)
	}
	for name, err := range map[string]error{
		"another id":   second(readDNS(wire, 6, "captive.apple.com", dnsmessage.TypeA)),
		"another name": second(readDNS(wire, 5, "www.apple.com", dnsmessage.TypeA)),
		"another type": second(readDNS(wire, 5, "captive.apple.com", dnsmessage.TypeAAAA)),
		"cut":          second(readDNS(wire[:10], 5, "captive.apple.com", dnsmessage.TypeA)),
	} {
		if !errors.Is(err, errNotDNS) {
			t.Errorf("%s: %v, want %v", name, err, errNotDNS)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzDNS(f *testing.F) {
	f.Add(dnsAnswer(f, 5, "captive.apple.com.", dnsmessage.RCodeSuccess, netip.MustParseAddr("203.0.113.9")))
	f.Add(dnsAnswer(f, 5, "captive.apple.com.", dnsmessage.RCodeRefused))
	f.Fuzz(func(t *testing.T, wire []byte) {
		addrs, err := readDNS(wire, 5, "captive.apple.com", dnsmessage.TypeA)
		if err != nil && len(addrs) > 0 {
			t.Errorf("addresses %v beside %v", addrs, err)
		}
	})
}

func TestTheAPIMustTellTheTruth(t *testing.T) {
	const kind = "application/captive+json"
	for _, c := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   error
	}{
		{"captive", 200, kind + "; charset=utf-8", `{"captive":true,"user-portal-url":"https://wifi.example.vn/"}`, nil},
		{"free", 200, kind, `{"captive":false}`, errLies},
		{"says nothing", 200, kind, `{}`, errLies},
		{"no portal", 200, kind, `{"captive":true}`, errNoURL},
		{"a portal in the clear", 200, kind, `{"captive":true,"user-portal-url":"http://10.77.0.1:2050/"}`, errNoURL},
		{"another type", 200, "application/json", `{"captive":true}`, errNotJSON},
		{"an error", 500, kind, `{"captive":true}`, errNotJSON},
		{"no JSON", 200, kind, `captive`, errNotJSON},
	} {
		if got := readAPI(c.status, c.kind, []byte(c.body)); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzKernelMessages(f *testing.F) {
	rule := make([]byte, unix.SizeofRtMsg)
	rule[0], rule[7] = unix.AF_INET6, 7
	f.Add(append(rule, 8, 0, 6, 0, 1, 0, 0, 0, 5, 0, 3, 0, 'x', 0, 0, 0))
	f.Add([]byte{8, 0, 1, 0, 1, 2, 3, 4, 4, 0, 2, 0x80})
	f.Fuzz(func(_ *testing.T, m []byte) {
		readRule(m)
		for _, nested := range attributes(m) {
			attributes(nested)
		}
	})
}
