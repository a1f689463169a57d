package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/uci"
)

// maxZone is the longest name of a zone: the kernel's sets and chains are
// named by it.
const maxZone = 16

// A parser turns sections into a Config and gathers what is wrong.
type parser struct {
	config Config
	names  map[string]uci.Pos // of sections that were met
	zones  []zoneAt
	main   uci.Pos // the hien section; zero when there was none
	sender uci.Pos
	sink   uci.Pos
	errs   uci.Errors
}

// A zoneAt is a zone and the lines that other zones and sections are held
// against.
type zoneAt struct {
	hien.Zone
	at, iface, port uci.Pos
	purposes        map[consent.Purpose]uci.Pos
}

func (p *parser) errorf(at uci.Pos, format string, args ...any) {
	p.errs = append(p.errs, &uci.Error{Pos: at, Text: fmt.Sprintf(format, args...)})
}

// sort puts the errors in the order of the lines; the whole file comes last.
func (p *parser) sort() {
	slices.SortStableFunc(p.errs, func(a, b *uci.Error) int {
		return cmp.Compare(uint(a.Pos.Line-1), uint(b.Pos.Line-1))
	})
}

func (p *parser) section(s uci.Section) {
	name := s.Name.Text
	switch before, twice := p.names[name]; {
	case s.Type.Text == "hien" && p.main.Line > 0:
		p.errorf(s.Pos, "a second hien section; the first is in line %d: want one", p.main.Line)
		return
	case s.Type.Text == "sender" && p.sender.Line > 0:
		p.errorf(s.Pos, "a second sender; the first is in line %d: want at most one", p.sender.Line)
		return
	case s.Type.Text == "sink" && p.sink.Line > 0:
		p.errorf(s.Pos, "a second sink; the first is in line %d: want at most one, as there is one queue", p.sink.Line)
		return
	case !slices.Contains([]string{"hien", "zone", "sender", "sink"}, s.Type.Text):
		p.errorf(s.Pos, "unknown section type %s: want hien, zone, sender or sink", quote(s.Type.Text))
		return
	case name == "":
		p.errorf(s.Pos, "a %s without a name: want config %s '<name>'", s.Type.Text, s.Type.Text)
	case twice:
		p.errorf(s.Pos, "a second section %s; the first is in line %d: want another name", quote(name), before.Line)
	}
	p.names[name] = s.Pos
	switch s.Type.Text {
	case "hien":
		p.main = s.Pos
		s.Name.Text = "main" // any other is told below
		read(p, s, hienKind(), &p.config)
		if name != "main" && name != "" {
			p.errorf(s.Pos, "hien section %s: want config hien 'main'", quote(name))
		}
		if p.config.StoreName == "" {
			p.config.StoreName = p.config.StoreID
		}
	case "zone":
		z := zoneAt{Zone: hien.Zone{Name: name}, at: s.Pos}
		read(p, s, zoneKind(), &z.Zone)
		if len(name) > maxZone {
			p.errorf(s.Pos, "zone %s: want a name of at most %d characters", quote(name), maxZone)
		}
		z.iface, z.port = p.place(s, "interface"), p.place(s, "portal_port")
		z.purposes = make(map[consent.Purpose]uci.Pos)
		for _, o := range s.Options {
			if o.Name.Text == "purpose" {
				z.purposes[consent.Purpose(o.Value.Text)] = o.Pos
			}
		}
		p.zones = append(p.zones, z)
		p.config.Zones = append(p.config.Zones, z.Zone)
	case "sender":
		p.sender, p.config.Sender = s.Pos, new(Sender)
		read(p, s, senderKind(), p.config.Sender)
	case "sink":
		p.sink, p.config.Sink = s.Pos, &Sink{Name: name}
		read(p, s, sinkKind(), p.config.Sink)
	}
}

// place is the line of an option; the section's when it was not set.
func (p *parser) place(s uci.Section, option string) uci.Pos {
	if at, ok := p.config.at[s.Name.Text+"."+option]; ok {
		return at
	}
	return s.Pos
}

// read fills to from the section: first every default, then what was set.
func read[T any](p *parser, s uci.Section, k kind[T], to *T) {
	var names []string
	rows := make(map[string]option[T])
	for _, row := range k.options {
		names = append(names, row.name)
		rows[row.name] = row
		if row.unset != "" && !row.set(to, row.unset) {
			panic("the default of " + k.typ + "." + row.name + " is not allowed") // a test reads every default
		}
	}
	lines, given := make(map[string]int), make(map[string]bool)
	for _, o := range s.Options {
		name := o.Name.Text
		row, known := rows[name]
		switch {
		case !known:
			p.errorf(o.Pos, "unknown option %s in config %s: want %s", quote(name), k.typ, words(names))
			continue
		case o.List && !row.list:
			p.errorf(o.Pos, "%s is no list: want option %s", name, name)
			continue
		case !o.List && row.list:
			p.errorf(o.Pos, "%s is a list: want list %s", name, name)
			continue
		case lines[name] > 0 && !row.list:
			p.errorf(o.Pos, "a second %s; the first is in line %d: want one", name, lines[name])
			continue
		}
		lines[name] = o.Pos.Line
		if o.Value.Text == "" {
			continue // as UCI has it, an empty option is not set
		}
		if key := s.Name.Text + "." + name; !given[name] {
			given[name], p.config.at[key] = true, o.Pos
		}
		if row.set(to, o.Value.Text) {
			continue
		}
		if row.secret {
			p.errorf(o.Pos, "%s is not good: want %s", name, row.allowed)
		} else {
			p.errorf(o.Pos, "%s %s: want %s", name, quote(o.Value.Text), row.allowed)
		}
	}
	for _, row := range k.options {
		if row.must && !given[row.name] {
			p.errorf(s.Pos, "the %s has no %s: want %s", k.typ, row.name, row.allowed)
		}
	}
}

// whole holds the sections against each other.
func (p *parser) whole() {
	c, everywhere := &p.config, uci.Pos{File: p.config.file}
	if p.main.Line == 0 {
		p.errorf(everywhere, "there is no section about the shop: want config hien 'main' with its store_id")
	}
	if len(p.zones) == 0 {
		p.errorf(everywhere, "there is no zone: want config zone '<name>' with the interface of the guest network")
	}
	if within(c.DataDir, c.RunDir) {
		p.errorf(c.where("main", "data_dir"), "data_dir %s is in run_dir %s, which may be lost in a power cut: want another directory", c.DataDir, c.RunDir)
	}
	for i, z := range p.zones {
		for _, before := range p.zones[:i] {
			if z.Interface != "" && z.Interface == before.Interface {
				p.errorf(z.iface, "interface %s is that of zone %s in line %d: want another for each zone", z.Interface, before.Name, before.iface.Line)
			}
			if z.PortalPort != 0 && z.PortalPort == before.PortalPort {
				p.errorf(z.port, "portal_port %d is that of zone %s in line %d: want another for each zone", z.PortalPort, before.Name, before.port.Line)
			}
		}
		if _, set := c.at["main.seal_key"]; !set {
			p.unsealed(z)
		}
	}
}

// unsealed tells of the purposes that cannot be kept without a seal key.
func (p *parser) unsealed(z zoneAt) {
	for _, purpose := range z.Purposes {
		if purpose.Reaches() {
			p.errorf(z.purposes[purpose], "purpose %s must reach the person and there is no seal_key: run `hien keygen`, put the public half as option seal_key in config hien 'main' and keep the private half away from the router", purpose)
		}
	}
}

// within reports whether dir is base or lies in it.
func within(dir, base string) bool {
	return dir != "" && base != "" && (path.Clean(dir) == path.Clean(base) || strings.HasPrefix(dir, strings.TrimSuffix(base, "/")+"/"))
}
