package presence_test

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/presence"
)

// tcp6 is a TCP segment without data from fd00::9 to fd00::1.
func tcp6(flags byte) []byte {
	frame := bytes.Join([][]byte{
		{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 9}, {0x86, 0xdd},
		{0x60, 0, 0, 0, 0, 20, 6, 64},
		netip.MustParseAddr("fd00::9").AsSlice(), netip.MustParseAddr("fd00::1").AsSlice(),
		{0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0},
	}, nil)
	return frame
}

func TestFirstPackets(t *testing.T) {
	program := func(p []bpf.Instruction) *bpf.VM {
		vm, err := bpf.NewVM(p)
		if err != nil {
			t.Fatal(err)
		}
		return vm
	}
	with, without := program(presence.FilterSYN), program(presence.Filter)
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"the first packet":      {tcp6(0x02), true},
		"with congestion bits":  {tcp6(0xc2), true},
		"the answer to it":      {tcp6(0x12), false},
		"a later one":           {tcp6(0x10), false},
		"the end":               {tcp6(0x11), false},
		"UDP":                   {append(append(tcp6(2)[:20:20], 17), tcp6(2)[21:]...), false},
		"an empty frame":        {nil, false},
		"one that is cut short": {tcp6(2)[:30], false},
	} {
		n, err := with.Run(c.frame)
		if got := err == nil && n > 0; got != c.want {
			t.Errorf("%s: passes %v; want %v", name, got, c.want)
		}
		if n, _ := without.Run(c.frame); n > 0 {
			t.Errorf("%s: passes a filter that does not ask for it", name)
		}
	}
	s, ok := presence.NewDecoder("guest", hien.MAC{2, 0, 0, 0, 0, 1}).Decode(tcp6(2))
	if want := (hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0, 0, 0, 9}}); !ok || s.Guest != want || s.Addr != netip.MustParseAddr("fd00::9") {
		t.Errorf("Decode = %+v, %v", s, ok)
	}
}
