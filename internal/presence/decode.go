package presence

import (
	"bytes"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/hien-wifi/hien"
)

// The sources of sightings.
const (
	SourceDHCP      = "dhcp"
	SourceARP       = "arp"
	SourceND        = "nd"
	SourceTCP       = "tcp"
	SourceNeighbour = "neighbour"
)

// A Decoder makes sightings of Ethernet frames. It decodes only the layers
// that it needs, into memory of its own, and is used by one goroutine at a
// time.
type Decoder struct {
	zone string
	own  hien.MAC

	parser  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
	eth     layers.Ethernet
	tag     layers.Dot1Q
	arp     layers.ARP
	ip4     layers.IPv4
	udp     layers.UDP
	dhcp    layers.DHCPv4
	ip6     layers.IPv6
	icmp6   layers.ICMPv6
	rs      layers.ICMPv6RouterSolicitation
	ns      layers.ICMPv6NeighborSolicitation
	na      layers.ICMPv6NeighborAdvertisement

	panics atomic.Uint64
}

// NewDecoder makes a decoder for a zone's frames. own is the hardware address
// of the router's interface there: the router is nobody's guest, and only its
// own DHCP server is believed.
func NewDecoder(zone string, own hien.MAC) *Decoder {
	d := &Decoder{zone: zone, own: own, decoded: make([]gopacket.LayerType, 0, 8)}
	d.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet)
	d.parser.SetDecodingLayerContainer(gopacket.DecodingLayerArray(nil))
	for _, l := range []gopacket.DecodingLayer{&d.eth, &d.tag, &d.arp, &d.ip4, &d.udp, &d.dhcp, &d.ip6, &d.icmp6, &d.rs, &d.ns, &d.na} {
		d.parser.AddDecodingLayer(l)
	}
	d.parser.IgnorePanic = true // it would hide them; see Decode
	d.parser.IgnoreUnsupported = true
	return d
}

// Panics is how many frames made a decoder panic. Each was dropped.
func (d *Decoder) Panics() uint64 { return d.panics.Load() }

// Decode makes a sighting of a frame. It reports false for a frame that is
// damaged, is of another kind, is the router's own, or tells of nobody. A
// frame with the tag of a VLAN other than 0 (which is a mere priority, IEEE
// 802.1Q) belongs to another network.
func (d *Decoder) Decode(frame []byte) (s hien.Sighting, ok bool) {
	defer func() {
		if recover() != nil {
			d.panics.Add(1)
			s, ok = hien.Sighting{}, false
		}
	}()
	if err := d.parser.DecodeLayers(frame, &d.decoded); err != nil || len(d.decoded) < 2 {
		return hien.Sighting{}, false
	}
	source := hien.MAC(d.eth.SrcMAC)
	if !isDevice(source) {
		return hien.Sighting{}, false
	}
	s.Guest = hien.GuestID{Zone: d.zone, MAC: source}
	for _, layer := range d.decoded[1 : len(d.decoded)-1] {
		if layer == layers.LayerTypeDot1Q && d.tag.VLANIdentifier != 0 {
			return hien.Sighting{}, false
		}
	}
	switch d.decoded[len(d.decoded)-1] {
	case layers.LayerTypeARP:
		s.Source = SourceARP
		s.Addr, ok = d.fromARP()
	case layers.LayerTypeDHCPv4:
		s.Source = SourceDHCP
		s.Guest.MAC, s.Addr, ok = d.fromDHCP(source)
	case layers.LayerTypeICMPv6RouterSolicitation, layers.LayerTypeICMPv6NeighborSolicitation, layers.LayerTypeICMPv6NeighborAdvertisement:
		s.Source = SourceND
		s.Addr, ok = d.fromND()
	case layers.LayerTypeIPv6:
		s.Source = SourceTCP
		if d.ip6.NextHeader == layers.IPProtocolTCP {
			s.Addr, ok = address(d.ip6.SrcIP)
			ok = ok && s.Addr.IsValid()
		}
	}
	if !ok || s.Guest.MAC == d.own {
		return hien.Sighting{}, false
	}
	return s, true
}

// fromARP is the sender's address; none in a probe (RFC 5227 §2.1.1).
func (d *Decoder) fromARP() (netip.Addr, bool) {
	a := &d.arp
	if a.AddrType != layers.LinkTypeEthernet || a.Protocol != layers.EthernetTypeIPv4 || a.ProtAddressSize != 4 ||
		!bytes.Equal(a.SourceHwAddress, d.eth.SrcMAC) {
		return netip.Addr{}, false
	}
	return address(a.SourceProtAddress)
}

// fromDHCP is whom a DHCP message tells of, and the address. A client's own
// messages tell of it when its chaddr is the frame's source; a request's
// address is the one it has (ciaddr) or asks for (option 50). A DHCPACK of
// the router's own server tells of the client that it is for.
func (d *Decoder) fromDHCP(source hien.MAC) (hien.MAC, netip.Addr, bool) {
	m := &d.dhcp
	if m.HardwareType != layers.LinkTypeEthernet || len(m.ClientHWAddr) != 6 {
		return hien.MAC{}, netip.Addr{}, false
	}
	client := hien.MAC(m.ClientHWAddr)
	kind, asked := d.dhcpOptions()
	switch {
	case m.Operation == layers.DHCPOpReply && d.udp.SrcPort == 67:
		addr, ok := address(m.YourClientIP)
		return client, addr, ok && addr.IsValid() && kind == layers.DHCPMsgTypeAck && source == d.own && isDevice(client)
	case m.Operation != layers.DHCPOpRequest || d.udp.DstPort != 67 || client != source:
		return hien.MAC{}, netip.Addr{}, false
	}
	var addr netip.Addr
	ok := true
	switch kind {
	case layers.DHCPMsgTypeDiscover, layers.DHCPMsgTypeDecline:
		// The address it wishes for, or that turned out to be another's.
	case layers.DHCPMsgTypeRequest, layers.DHCPMsgTypeInform:
		if addr, ok = address(m.ClientIP); ok && !addr.IsValid() && asked != nil {
			addr, ok = address(asked)
		}
	default: // DHCPRELEASE, a farewell, among them
		ok = false
	}
	return client, addr, ok
}

// dhcpOptions are the message type and the address that is asked for (RFC
// 2132 §9.6 and §9.1). An option that comes in parts (RFC 3396) is longer than
// either may be, so neither is taken from a message that repeats it.
func (d *Decoder) dhcpOptions() (kind layers.DHCPMsgType, asked net.IP) {
	kinds, addrs := 0, 0
	for _, o := range d.dhcp.Options {
		switch o.Type {
		case layers.DHCPOptMessageType:
			if kinds++; len(o.Data) == 1 {
				kind = layers.DHCPMsgType(o.Data[0])
			}
		case layers.DHCPOptRequestIP:
			if addrs++; len(o.Data) == 4 {
				asked = o.Data
			}
		}
	}
	if kinds != 1 {
		kind = layers.DHCPMsgTypeUnspecified
	}
	if addrs != 1 {
		asked = nil
	}
	return kind, asked
}

// fromND is the address of a message of neighbour discovery. A solicitation
// without a source address is a test whether an address is free (RFC 4862
// §5.4.2): the device is here and does not have the address yet.
func (d *Decoder) fromND() (netip.Addr, bool) {
	// RFC 4861 §7.1: a greater distance or another code is not valid.
	if d.ip6.HopLimit != 255 || d.icmp6.TypeCode.Code() != 0 {
		return netip.Addr{}, false
	}
	switch d.decoded[len(d.decoded)-1] {
	case layers.LayerTypeICMPv6NeighborAdvertisement:
		for _, o := range d.na.Options {
			if o.Type == layers.ICMPv6OptTargetAddress && !bytes.Equal(o.Data, d.eth.SrcMAC) {
				return netip.Addr{}, false // it speaks for another (RFC 4389)
			}
		}
		addr, ok := address(d.na.TargetAddress)
		return addr, ok && addr.IsValid()
	case layers.LayerTypeICMPv6NeighborSolicitation:
		if !linkAddress(d.ns.Options, d.eth.SrcMAC) {
			return netip.Addr{}, false
		}
	case layers.LayerTypeICMPv6RouterSolicitation:
		if !linkAddress(d.rs.Options, d.eth.SrcMAC) {
			return netip.Addr{}, false
		}
	}
	return address(d.ip6.SrcIP)
}

// linkAddress reports whether the source link-layer address, where there is
// one, is the frame's.
func linkAddress(options layers.ICMPv6Options, source net.HardwareAddr) bool {
	for _, o := range options {
		if o.Type == layers.ICMPv6OptSourceAddress && !bytes.Equal(o.Data, source) {
			return false
		}
	}
	return true
}

// address is an address that a device can have, or the zero Addr for none
// (0.0.0.0 and ::); false for any other.
func address(b []byte) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.Addr{}, false
	}
	addr = addr.Unmap()
	if addr.IsUnspecified() {
		return netip.Addr{}, true
	}
	return addr, usable(addr)
}

func usable(addr netip.Addr) bool {
	if addr.IsMulticast() || addr.IsLoopback() || addr.IsUnspecified() {
		return false
	}
	if addr.Is4() {
		// RFC 1122 §3.2.1.3: this network, and the class that was never given out.
		first := addr.As4()[0]
		return first != 0 && first < 240
	}
	return true
}

// isDevice reports whether m can be one device's address: neither empty nor a
// group (IEEE 802, the first byte's lowest bit).
func isDevice(m hien.MAC) bool { return !m.IsZero() && m[0]&1 == 0 }
