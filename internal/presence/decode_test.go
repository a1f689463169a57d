package presence_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/bpf"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/presence"
)

var (
	phone     = net.HardwareAddr{2, 0, 0x5e, 0x10, 0, 1}
	other     = net.HardwareAddr{2, 0, 0x5e, 0x10, 0, 2}
	router    = net.HardwareAddr{2, 0x48, 0x69, 0xea, 0, 1}
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

	phoneV4  = netip.MustParseAddr("10.20.0.7")
	routerV4 = netip.MustParseAddr("10.20.0.1")
	phoneV6  = netip.MustParseAddr("2001:db8:77::7")
	phoneLL  = netip.MustParseAddr("fe80::7")
	none4    = netip.IPv4Unspecified()
	none6    = netip.IPv6Unspecified()
)

func frame(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func eth(from, to net.HardwareAddr, kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: from, DstMAC: to, EthernetType: kind}
}

func arp(t testing.TB, source, sender net.HardwareAddr, addr netip.Addr) []byte {
	return frame(t, eth(source, broadcast, layers.EthernetTypeARP), arpLayer(sender, addr))
}

func arpLayer(sender net.HardwareAddr, addr netip.Addr) *layers.ARP {
	return &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: layers.ARPRequest, SourceHwAddress: sender, SourceProtAddress: addr.AsSlice(),
		DstHwAddress: make([]byte, 6), DstProtAddress: routerV4.AsSlice(),
	}
}

func dhcp(t testing.TB, from, to net.HardwareAddr, m *dhcpv4.DHCPv4) []byte {
	src, dst, toIP := layers.UDPPort(68), layers.UDPPort(67), net.IPv4bcast
	if m.OpCode == dhcpv4.OpcodeBootReply {
		src, dst = 67, 68
	}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: m.ClientIPAddr, DstIP: toIP}
	udp := &layers.UDP{SrcPort: src, DstPort: dst}
	udp.SetNetworkLayerForChecksum(ip)
	return frame(t, eth(from, to, layers.EthernetTypeIPv4), ip, udp, gopacket.Payload(m.ToBytes()))
}

func message(t testing.TB, kind dhcpv4.MessageType, with ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(phone), dhcpv4.WithMessageType(kind)}, with...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func asks(addr netip.Addr) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
}

func has(addr netip.Addr) dhcpv4.Modifier { return dhcpv4.WithClientIP(addr.AsSlice()) }

func ack(t testing.TB, kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := message(t, kind, dhcpv4.WithYourIP(phoneV4.AsSlice()))
	m.OpCode = dhcpv4.OpcodeBootReply
	return m
}

func nd(t testing.TB, source net.HardwareAddr, from netip.Addr, hops uint8, kind uint8, body gopacket.SerializableLayer) []byte {
	ip := &layers.IPv6{Version: 6, HopLimit: hops, NextHeader: layers.IPProtocolICMPv6, SrcIP: from.AsSlice(), DstIP: net.ParseIP("ff02::1")}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, 0)}
	icmp.SetNetworkLayerForChecksum(ip)
	return frame(t, eth(source, net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, layers.EthernetTypeIPv6), ip, icmp, body)
}

func lladdr(kind layers.ICMPv6Opt, mac net.HardwareAddr) layers.ICMPv6Options {
	return layers.ICMPv6Options{{Type: kind, Data: mac}}
}

func solicit(target netip.Addr, o layers.ICMPv6Options) *layers.ICMPv6NeighborSolicitation {
	return &layers.ICMPv6NeighborSolicitation{TargetAddress: target.AsSlice(), Options: o}
}

func advertise(target netip.Addr, o layers.ICMPv6Options) *layers.ICMPv6NeighborAdvertisement {
	return &layers.ICMPv6NeighborAdvertisement{Flags: 0x60, TargetAddress: target.AsSlice(), Options: o}
}

// A sample is a frame and what it tells.
type sample struct {
	name   string
	frame  []byte
	source string // "": nothing
	addr   netip.Addr
	passes bool // the kernel's filter
}

func samples(t testing.TB) []sample {
	sourceOpt, targetOpt := lladdr(layers.ICMPv6OptSourceAddress, phone), lladdr(layers.ICMPv6OptTargetAddress, phone)
	tagged := func(id uint16) []byte {
		return frame(t, eth(phone, broadcast, layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: id, Type: layers.EthernetTypeARP}, arpLayer(phone, phoneV4))
	}
	decline := message(t, dhcpv4.MessageTypeDecline, asks(phoneV4))
	udp := func(src, dst layers.UDPPort) []byte {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: phoneV4.AsSlice(), DstIP: routerV4.AsSlice()}
		u := &layers.UDP{SrcPort: src, DstPort: dst}
		u.SetNetworkLayerForChecksum(ip)
		return frame(t, eth(phone, router, layers.EthernetTypeIPv4), ip, u, gopacket.Payload("hello"))
	}
	fragment := dhcp(t, phone, broadcast, message(t, dhcpv4.MessageTypeRequest, asks(phoneV4)))
	fragment[14+7] = 1 // offset 8
	return []sample{
		{"DHCPDISCOVER: here, and without an address", dhcp(t, phone, broadcast, message(t, dhcpv4.MessageTypeDiscover, asks(phoneV4))), "dhcp", netip.Addr{}, true},
		{"DHCPREQUEST for an address", dhcp(t, phone, broadcast, message(t, dhcpv4.MessageTypeRequest, asks(phoneV4))), "dhcp", phoneV4, true},
		{"DHCPREQUEST to renew", dhcp(t, phone, router, message(t, dhcpv4.MessageTypeRequest, has(phoneV4))), "dhcp", phoneV4, true},
		{"DHCPINFORM", dhcp(t, phone, router, message(t, dhcpv4.MessageTypeInform, has(phoneV4))), "dhcp", phoneV4, true},
		{"DHCPDECLINE: here, and the address is another's", dhcp(t, phone, broadcast, decline), "dhcp", netip.Addr{}, true},
		{"DHCPRELEASE is a farewell", dhcp(t, phone, router, message(t, dhcpv4.MessageTypeRelease, has(phoneV4))), "", netip.Addr{}, true},
		{"DHCPREQUEST in another's name", dhcp(t, other, broadcast, message(t, dhcpv4.MessageTypeRequest, asks(phoneV4))), "", netip.Addr{}, true},
		{"DHCPREQUEST for a group's address", dhcp(t, phone, broadcast, message(t, dhcpv4.MessageTypeRequest, asks(netip.MustParseAddr("224.0.0.1")))), "", netip.Addr{}, true},
		{"BOOTP without a type", dhcp(t, phone, broadcast, func() *dhcpv4.DHCPv4 { m := message(t, 1); m.Options = nil; return m }()), "", netip.Addr{}, true},
		{"DHCPACK of the router tells of the phone", dhcp(t, router, phone, ack(t, dhcpv4.MessageTypeAck)), "dhcp", phoneV4, true},
		{"DHCPACK of a stranger tells nothing", dhcp(t, other, phone, ack(t, dhcpv4.MessageTypeAck)), "", netip.Addr{}, true},
		{"DHCPOFFER is no address yet", dhcp(t, router, phone, ack(t, dhcpv4.MessageTypeOffer)), "", netip.Addr{}, true},
		{"DHCPNAK", dhcp(t, router, phone, ack(t, dhcpv4.MessageTypeNak)), "", netip.Addr{}, true},
		{"a later fragment", fragment, "", netip.Addr{}, false},
		{"DNS over UDP", udp(40000, 53), "", netip.Addr{}, false},
		{"something else to the port of DHCP", udp(40000, 67), "", netip.Addr{}, true},

		{"ARP", arp(t, phone, phone, phoneV4), "arp", phoneV4, true},
		{"ARP probe: here, and the address is not its own yet", arp(t, phone, phone, none4), "arp", netip.Addr{}, true},
		{"ARP in another's name", arp(t, other, phone, phoneV4), "", netip.Addr{}, true},
		{"ARP with 255.255.255.255", arp(t, phone, phone, netip.AddrFrom4([4]byte{255, 255, 255, 255})), "", netip.Addr{}, true},
		{"ARP with 127.0.0.1", arp(t, phone, phone, netip.MustParseAddr("127.0.0.1")), "", netip.Addr{}, true},
		{"ARP of the router itself", arp(t, router, router, routerV4), "", netip.Addr{}, true},
		{"ARP from nobody", arp(t, make([]byte, 6), make([]byte, 6), phoneV4), "", netip.Addr{}, true},
		{"ARP from a group", arp(t, net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, phoneV4), "", netip.Addr{}, true},
		{"ARP with a priority tag", tagged(0), "arp", phoneV4, false},
		{"ARP of another VLAN", tagged(7), "", netip.Addr{}, false},

		{"neighbour solicitation", nd(t, phone, phoneV6, 255, 135, solicit(netip.MustParseAddr("2001:db8:77::1"), sourceOpt)), "nd", phoneV6, true},
		{"neighbour solicitation without its option", nd(t, phone, phoneLL, 255, 135, solicit(netip.MustParseAddr("fe80::1"), nil)), "nd", phoneLL, true},
		{"duplicate address detection: not an address yet", nd(t, phone, none6, 255, 135, solicit(phoneV6, nil)), "nd", netip.Addr{}, true},
		{"neighbour solicitation in another's name", nd(t, other, phoneV6, 255, 135, solicit(phoneLL, sourceOpt)), "", netip.Addr{}, true},
		{"neighbour advertisement tells its target", nd(t, phone, phoneLL, 255, 136, advertise(phoneV6, targetOpt)), "nd", phoneV6, true},
		{"neighbour advertisement without its option", nd(t, phone, phoneV6, 255, 136, advertise(phoneV6, nil)), "nd", phoneV6, true},
		{"neighbour advertisement for another", nd(t, other, phoneV6, 255, 136, advertise(phoneV6, targetOpt)), "", netip.Addr{}, true},
		{"neighbour advertisement for a group", nd(t, phone, phoneV6, 255, 136, advertise(netip.MustParseAddr("ff02::1"), nil)), "", netip.Addr{}, true},
		{"neighbour advertisement from afar", nd(t, phone, phoneV6, 64, 136, advertise(phoneV6, targetOpt)), "", netip.Addr{}, true},
		{"router solicitation", nd(t, phone, phoneLL, 255, 133, &layers.ICMPv6RouterSolicitation{Options: sourceOpt}), "nd", phoneLL, true},
		{"router solicitation without an address", nd(t, phone, none6, 255, 133, &layers.ICMPv6RouterSolicitation{}), "nd", netip.Addr{}, true},
		{"router solicitation in another's name", nd(t, other, phoneLL, 255, 133, &layers.ICMPv6RouterSolicitation{Options: sourceOpt}), "", netip.Addr{}, true},
		{"router advertisement of a phone", nd(t, phone, phoneLL, 255, 134, &layers.ICMPv6RouterAdvertisement{}), "", netip.Addr{}, false},
		{"ping", nd(t, phone, phoneV6, 255, 128, &layers.ICMPv6Echo{}), "", netip.Addr{}, false},
		{"a frame that ends too early", arp(t, phone, phone, phoneV4)[:30], "", netip.Addr{}, true},
		{"an empty frame", nil, "", netip.Addr{}, false},
	}
}

func decoder() *presence.Decoder { return presence.NewDecoder("guest", hien.MAC(router)) }

func TestWhatAFrameTells(t *testing.T) {
	d := decoder()
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			got, ok := d.Decode(s.frame)
			want := hien.Sighting{}
			if s.source != "" {
				want = hien.Sighting{Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC(phone)}, Addr: s.addr, Source: s.source}
			}
			if ok != (s.source != "") || got != want {
				t.Errorf("got %v %+v, want %+v", ok, got, want)
			}
			// Padding to Ethernet's least length changes nothing.
			if padded, _ := d.Decode(append(bytes.Clone(s.frame), make([]byte, 18)...)); s.source == "arp" && padded != want {
				t.Errorf("padded: got %+v, want %+v", padded, want)
			}
		})
	}
	if d.Panics() != 0 {
		t.Errorf("%d panics", d.Panics())
	}
}

func TestTheFilterLetsThroughWhatIsLookedFor(t *testing.T) {
	vm, err := bpf.NewVM(presence.Filter)
	if err != nil {
		t.Fatal(err)
	}
	d := decoder()
	for _, s := range samples(t) {
		n, err := vm.Run(s.frame)
		if err != nil {
			t.Fatal(err)
		}
		if (n > 0) != s.passes {
			t.Errorf("%s: the filter keeps %d bytes, want that it passes: %v", s.name, n, s.passes)
		}
		if n > 0 { // what the filter cuts off is not needed
			whole, ok := d.Decode(s.frame)
			cut, cutOK := d.Decode(s.frame[:min(n, len(s.frame))])
			if whole != cut || ok != cutOK {
				t.Errorf("%s: cut to %d bytes it tells %v %+v, whole %v %+v", s.name, n, cutOK, cut, ok, whole)
			}
		}
	}
}

func TestDecodingTakesNoMemory(t *testing.T) {
	d := decoder()
	for _, s := range samples(t) {
		if s.source == "" {
			continue // errors may allocate
		}
		d.Decode(s.frame)
		if n := testing.AllocsPerRun(100, func() { d.Decode(s.frame) }); n > 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}

// TestDHCPAsAnotherDecoderReadsIt compares with an independent decoder on
// messages changed at random: what we take as a sighting it can read, and it
// reads the same client and address.
func TestDHCPAsAnotherDecoderReadsIt(t *testing.T) {
	d := decoder()
	base := dhcp(t, phone, broadcast, message(t, dhcpv4.MessageTypeRequest, asks(phoneV4),
		dhcpv4.WithOption(dhcpv4.OptHostName("dien-thoai")), dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer)))
	const payload = 14 + 20 + 8
	seen := 0
	for range 20_000 {
		f := bytes.Clone(base)
		for range rand.IntN(3) {
			f[payload+rand.IntN(len(f)-payload)] = byte(rand.Uint32())
		}
		got, ok := d.Decode(f)
		if !ok {
			continue
		}
		seen++
		m, err := dhcpv4.FromBytes(f[payload:])
		if err != nil {
			continue // it is stricter about what comes after the end
		}
		if m.OpCode != dhcpv4.OpcodeBootRequest || !bytes.Equal(m.ClientHWAddr, phone) {
			t.Fatalf("sighting %+v of %v", got, m.Summary())
		}
		want, _ := netip.AddrFromSlice(m.ClientIPAddr.To4())
		if want.IsUnspecified() {
			want, _ = netip.AddrFromSlice(m.RequestedIPAddress().To4())
		}
		if kind := m.MessageType(); kind == dhcpv4.MessageTypeDiscover || kind == dhcpv4.MessageTypeDecline || want.IsUnspecified() {
			want = netip.Addr{}
		}
		if got.Addr != want {
			t.Fatalf("got %v, want %v of %v", got.Addr, want, m.Summary())
		}
	}
	if seen < 1000 {
		t.Errorf("only %d of 20,000 messages were sightings", seen)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.frame)
	}
	vm, err := bpf.NewVM(presence.Filter)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		d := decoder()
		s, ok := d.Decode(frame)
		if n := d.Panics(); n > 0 {
			t.Errorf("%d panics", n)
		}
		if again, ok2 := d.Decode(frame); again != s || ok != ok2 {
			t.Errorf("first %v %+v, then %v %+v", ok, s, ok2, again)
		}
		if _, err := vm.Run(frame); err != nil {
			t.Error(err)
		}
		if !ok {
			return
		}
		switch {
		case s.Guest.MAC.IsZero() || s.Guest.MAC[0]&1 != 0 || s.Guest.MAC == hien.MAC(router):
			t.Errorf("sighting of %x", s.Guest.MAC.Reveal())
		case s.Guest.MAC != hien.MAC(frame[6:12]) && s.Source != "dhcp":
			t.Errorf("sighting of another than the frame's source")
		case s.Addr.IsValid() && (s.Addr.IsMulticast() || s.Addr.IsLoopback() || s.Addr.IsUnspecified()):
			t.Errorf("sighting at %v", s.Addr)
		}
	})
}

func TestAPanicIsCountedAndGoesNoFurther(t *testing.T) {
	d := decoder()
	d.Break()
	for want := range uint64(3) {
		if got := d.Panics(); got != want {
			t.Errorf("%d panics, want %d", got, want)
		}
		if s, ok := d.Decode(arp(t, phone, phone, phoneV4)); ok {
			t.Errorf("got %+v of a frame that made the decoder panic", s)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	d := decoder()
	frames := map[string][]byte{
		"dhcp": dhcp(b, phone, broadcast, message(b, dhcpv4.MessageTypeRequest, asks(phoneV4))),
		"arp":  arp(b, phone, phone, phoneV4),
		"nd":   nd(b, phone, phoneLL, 255, 136, advertise(phoneV6, lladdr(layers.ICMPv6OptTargetAddress, phone))),
	}
	for name, f := range frames {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(f)
			}
		})
	}
}
