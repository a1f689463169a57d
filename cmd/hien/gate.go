package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/uci"
)

const gateHelp = `
The second gate stands outside of the packet filter, in the kernel's routing:
guest networks are unreachable but for packets that the packet filter has let
through. shut puts it in for every zone of the configuration, before the daemon
has ever run, and it stays when the daemon stops; where Hiên is switched off
(option enabled) it leaves the gate as it is. open takes it out; then
nothing but the packet filter keeps guests out, and a daemon that runs shuts it
again within seconds (hien cleanup takes everything out, and tells the daemon).
status says how it stands; its exit status is 1 when the gate is not shut as
the configuration asks. None of them needs the daemon or a packet filter.

Examples:
    hien gate shut
    hien gate status --json
`

// errGateOpen is the exit status of a gate that is not as it should be.
var errGateOpen = errors.New("the gate is not shut as it should be")

// gateView is the gate as it is told to machines.
type gateView struct {
	Shut        bool     `json:"shut"` // for every zone, and in every part
	Interfaces  []string `json:"interfaces"`
	Mark        string   `json:"mark,omitempty"`
	ForwardOnly bool     `json:"forward_only"`
	Faults      []string `json:"faults"`
}

// gate is `hien gate shut|open|status`.
func gate(ctx context.Context, c *call) error {
	if err := c.parse(1); err != nil {
		return err
	}
	switch strings.Join(c.words, "") {
	case "shut":
		return shutGate(ctx, c)
	case "open":
		return openGate(ctx, c)
	case "status":
		return showGate(ctx, c)
	case "":
		return c.misused("want shut, open or status")
	}
	return c.misused("%q: want shut, open or status", c.words[0])
}

func shutGate(ctx context.Context, c *call) error {
	want, err := c.wantedGate()
	if err != nil {
		return err
	}
	if !want.off {
		if err := firewall.ShutGate(ctx, want.interfaces, want.mark); err != nil {
			return err
		}
	}
	v, err := seeGate(ctx, want.interfaces, want.mark)
	if err != nil {
		return err
	}
	if c.json {
		return answer(c, v, nil)
	}
	if want.off {
		c.tellSwitchedOff(v)
		return nil
	}
	if !v.Shut {
		return fmt.Errorf("%w: %s", errGateOpen, strings.Join(v.Faults, "; "))
	}
	fmt.Fprintf(c.out, "The gate is shut for %s: nothing of a guest gets out that the packet filter does not let through.\n", strings.Join(want.interfaces, ", "))
	c.tellForwardOnly(v)
	return nil
}

func openGate(ctx context.Context, c *call) error {
	if err := firewall.OpenGate(ctx); err != nil {
		return err
	}
	if c.json {
		v, err := seeGate(ctx, nil, 0)
		if err != nil {
			return err
		}
		return answer(c, v, nil)
	}
	fmt.Fprintln(c.out, "The gate is open: nothing but the packet filter keeps guests out now.")
	fmt.Fprintln(c.out, "If Hiên runs, it shuts the gate again within seconds.")
	return nil
}

func showGate(ctx context.Context, c *call) error {
	want, err := c.wantedGate()
	if err != nil {
		return err
	}
	v, err := seeGate(ctx, want.interfaces, want.mark)
	if err != nil {
		return err
	}
	switch {
	case c.json:
		if err := answer(c, v, nil); err != nil {
			return err
		}
	case want.off:
		c.tellSwitchedOff(v)
	case v.Shut:
		fmt.Fprintf(c.out, "The gate is shut for %s.\n", strings.Join(v.Interfaces, ", "))
		c.tellForwardOnly(v)
	default:
		fmt.Fprintln(c.out, "The gate is not shut as the configuration asks:")
		for _, f := range v.Faults {
			fmt.Fprintf(c.out, "  %s\n", f)
		}
		fmt.Fprintln(c.out, "`hien gate shut` shuts it.")
	}
	if !v.Shut && !want.off {
		return errGateOpen
	}
	return nil
}

// tellSwitchedOff is for a configuration that wants no gate.
func (c *call) tellSwitchedOff(v gateView) {
	if len(v.Interfaces) == 0 {
		fmt.Fprintf(c.out, "Hiên is switched off by option enabled in %s: the gate is open, as it should be.\n", c.config)
		return
	}
	fmt.Fprintf(c.out, "Hiên is switched off by option enabled in %s, and an earlier run's gate is still shut for %s: `hien cleanup` opens it.\n", c.config, strings.Join(v.Interfaces, ", "))
}

func (c *call) tellForwardOnly(v gateView) {
	if v.ForwardOnly {
		fmt.Fprintln(c.out, "This kernel is older than 4.17: the gate keeps guests from the internet, but\nthe router's own ports are kept by the packet filter alone.")
	}
}

// seeGate looks at the gate, and whether it is shut for these interfaces.
func seeGate(ctx context.Context, names []string, mark uint32) (gateView, error) {
	g, err := firewall.GateState(ctx)
	if err != nil {
		return gateView{}, err
	}
	v := gateView{Interfaces: append([]string{}, g.Interfaces...), ForwardOnly: g.ForwardOnly, Faults: append([]string{}, g.Faults...)}
	if g.Mark != 0 {
		v.Mark = fmt.Sprintf("%#x", g.Mark)
	}
	for _, name := range names {
		if !slices.Contains(g.Interfaces, name) {
			v.Faults = append(v.Faults, "gate: it is open for "+name)
		}
	}
	if len(names) > 0 && g.Mark != 0 && g.Mark != mark {
		v.Faults = append(v.Faults, fmt.Sprintf("gate: it lets the mark %#x through and not %#x", g.Mark, mark))
	}
	v.Shut = g.Complete && len(v.Faults) == 0
	return v, nil
}

// A wantedGate is what the configuration wants of the gate.
type wantedGate struct {
	interfaces []string // of the zones
	mark       uint32   // of the packets that may pass
	off        bool     // Hiên is switched off: none is wanted, and no interfaces are named
}

// wantedGate reads it. A mistake elsewhere in the configuration keeps the
// daemon from starting, and must not leave the gate open for that: it is read
// all the same, with a warning.
func (c *call) wantedGate() (want wantedGate, err error) {
	cfg, wrong := config.Load(c.config)
	if wrong == nil {
		if !cfg.Enabled {
			return wantedGate{off: true}, nil
		}
		for _, z := range cfg.Zones {
			want.interfaces = append(want.interfaces, z.Interface)
		}
		want.mark = cfg.Mark
		return want, nil
	}
	f, err := os.Open(c.config)
	if err != nil {
		return wantedGate{}, wrong
	}
	defer f.Close()
	parsed, err := uci.Parse(c.config, f)
	if err != nil {
		return wantedGate{}, wrong
	}
	want.mark = firewall.DefaultMark
	for _, s := range parsed.Sections {
		for _, o := range s.Options {
			switch {
			case s.Type.Text == "zone" && o.Name.Text == "interface":
				want.interfaces = append(want.interfaces, o.Value.Text)
			case s.Type.Text == "hien" && o.Name.Text == "mark":
				if n, err := strconv.ParseUint(o.Value.Text, 0, 32); err == nil {
					want.mark = uint32(n)
				}
			case s.Type.Text == "hien" && o.Name.Text == "enabled":
				want.off = o.Value.Text == "0"
			}
		}
	}
	if want.off {
		return wantedGate{off: true}, nil
	}
	if len(want.interfaces) == 0 {
		return wantedGate{}, wrong
	}
	fmt.Fprintf(c.err, "warning: only the zones' interfaces and the mark were read, as the configuration has mistakes:\n%v\n", wrong)
	return want, nil
}
