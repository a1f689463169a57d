package presence

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/net/bpf"

	"github.com/hien-wifi/hien"
)

// A Sniffer reads the frames of one interface that tell of guests.
type Sniffer struct {
	handle  *pcapgo.EthernetHandle
	index   int
	decoder *Decoder
	saw     func(hien.Sighting)

	frames, sightings atomic.Uint64
}

// Listen opens a packet socket on the zone's interface, which must exist and
// be up, with the filter in force: what comes from now on is there for Run.
// saw is called by Run for each sighting. With firstPackets the first packet
// of each IPv6 connection is a sighting too: a phone that has asked nobody for
// its neighbours shows its IPv6 addresses in nothing else. It needs
// CAP_NET_RAW.
func Listen(zone, name string, firstPackets bool, saw func(hien.Sighting)) (*Sniffer, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	own, err := hien.MACFrom(link.HardwareAddr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	handle, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	s := &Sniffer{handle: handle, index: link.Index, decoder: NewDecoder(zone, own), saw: saw}
	wanted := filter
	if firstPackets {
		wanted = filterSYN()
	}
	if err := s.setFilter(wanted); err != nil {
		handle.Close()
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	return s, nil
}

// setFilter shuts the socket, empties it and opens it for what is wanted.
// Between its making and its binding a packet socket hears every interface,
// and until its filter is set every kind of frame.
func (s *Sniffer) setFilter(wanted []bpf.Instruction) error {
	if err := s.handle.SetCaptureLength(dhcpSnap); err != nil {
		return err
	}
	if err := attach(s.handle, dropAll); err != nil {
		return err
	}
	heard, err := s.handle.Stats()
	if err != nil {
		return fmt.Errorf("count early frames: %w", err)
	}
	for range heard.Packets - heard.Drops { // Packets counts the dropped ones too
		if _, _, err := s.handle.ZeroCopyReadPacketData(); err != nil {
			return err
		}
	}
	return attach(s.handle, wanted)
}

func attach(handle *pcapgo.EthernetHandle, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("set filter: %w", err)
	}
	if err := handle.SetBPF(raw); err != nil {
		return fmt.Errorf("set filter: %w", err)
	}
	return nil
}

// Run reads until ctx ends, and returns nil then, or until the interface or
// the socket is lost, and returns why. Either way the sniffer is closed; the
// caller waits for the interface and listens again.
func (s *Sniffer) Run(ctx context.Context) error {
	defer s.handle.Close()
	stop := context.AfterFunc(ctx, func() { s.handle.Close() })
	defer stop()
	for {
		frame, info, err := s.handle.ZeroCopyReadPacketData()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("sniff: %w", err)
		case info.InterfaceIndex != s.index || otherVLAN(info.AncillaryData):
			continue
		}
		s.frames.Add(1)
		if sighting, ok := s.decoder.Decode(frame); ok {
			s.sightings.Add(1)
			s.saw(sighting)
		}
	}
}

// Close closes a sniffer that is not run.
func (s *Sniffer) Close() error { return s.handle.Close() }

// otherVLAN reports whether the kernel took a tag off the frame that makes it
// another network's.
func otherVLAN(ancillary []any) bool {
	if len(ancillary) == 0 {
		return false
	}
	vlan, ok := ancillary[0].(int)
	return ok && vlan != 0
}

// Counts are what a sniffer has done since Listen.
type Counts struct {
	Frames    uint64 // that the filter let through
	Sightings uint64
	Panics    uint64 // frames that made a decoder panic, and were dropped
}

// Counts may be called at any time.
func (s *Sniffer) Counts() Counts {
	return Counts{s.frames.Load(), s.sightings.Load(), s.decoder.Panics()}
}
