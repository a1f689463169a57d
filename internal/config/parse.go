package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
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
	main   uci.Section // the hien section; zero when there was none
	sink   uci.Pos
	errs   uci.Errors

	senders []senderAt
}

// A zone is what a zone section becomes.
type zone struct {
	hien.Zone
	Services
}

// A zoneAt is a zone and its lines, for what is held against each other.
type zoneAt struct {
	zone
	section uci.Section
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
	case s.Type.Text == "hien" && p.main.Pos.Line > 0:
		p.errorf(s.Pos, "a second hien section; the first is in line %d: want one", p.main.Pos.Line)
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
		s.Name.Text = "main" // any other is told below
		p.main = s
		read(p, s, hienKind(), &p.config)
		if name != "main" && name != "" {
			p.errorf(s.Pos, "hien section %s: want config hien 'main'", quote(name))
		}
		if p.config.StoreName == "" {
			p.config.StoreName = p.config.StoreID
		}
	case "zone":
		z := zoneAt{zone{Zone: hien.Zone{Name: name}}, s}
		read(p, s, zoneKind(), &z.zone)
		if len(name) > maxZone {
			p.errorf(s.Pos, "zone %s: want a name of at most %d characters", quote(name), maxZone)
		}
		p.alone(&z)
		p.zones = append(p.zones, z)
		p.config.Zones = append(p.config.Zones, z.Zone)
		p.config.Services[name] = z.Services
	case "sender":
		c := senderAt{Sender{Name: name}, s}
		read(p, s, senderKind(), &c.Sender)
		p.senders = append(p.senders, c)
		p.config.Senders = append(p.config.Senders, c.Sender)
	case "sink":
		p.sink, p.config.Sink = s.Pos, &Sink{Name: name}
		read(p, s, sinkKind(), p.config.Sink)
		p.erasing(s, p.config.Sink)
	}
}

// place is the first line at which an option was set; the section's when it
// was not.
func place(s uci.Section, option string) uci.Pos {
	return placeOf(s, option, func(v string) bool { return v != "" })
}

// placeOf is the first line at which an option was set to such a value.
func placeOf(s uci.Section, option string, is func(value string) bool) uci.Pos {
	for _, o := range s.Options {
		if o.Name.Text == option && is(o.Value.Text) {
			return o.Pos
		}
	}
	return s.Pos
}

// read fills to from the section: first every default, then what was set. The
// default of a list stands only where nothing else was set.
func read[T any](p *parser, s uci.Section, k kind[T], to *T) {
	var names []string
	rows := make(map[string]option[T])
	for _, row := range k.options {
		names = append(names, row.name)
		rows[row.name] = row
		if !row.list {
			setDefault(k, row, to)
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
		why := "want " + row.allowed
		if row.hint != nil {
			why = cmp.Or(row.hint(o.Value.Text), why)
		}
		if row.secret {
			p.errorf(o.Pos, "%s is not good: %s", name, why)
		} else {
			p.errorf(o.Pos, "%s %s: %s", name, quote(o.Value.Text), why)
		}
	}
	for _, row := range k.options {
		if row.list && !given[row.name] {
			setDefault(k, row, to)
		}
		if row.must && !given[row.name] {
			p.errorf(s.Pos, "the %s has no %s: want %s", k.typ, row.name, row.allowed)
		}
	}
}

// setDefault puts an option's default in its place.
func setDefault[T any](k kind[T], row option[T], to *T) {
	if row.unset != "" && !row.set(to, row.unset) {
		panic("the default of " + k.typ + "." + row.name + " is not allowed") // a test reads every default
	}
}

// erasing holds the options of a deletion API against each other.
func (p *parser) erasing(at uci.Section, s *Sink) {
	switch api, token := s.EraseAPI != "", s.EraseToken.Reveal() != ""; {
	case api && !token:
		p.errorf(place(at, "erase_api"), "erase_api without erase_token: want the token of the deletion API too")
	case token && !api:
		p.errorf(place(at, "erase_token"), "erase_token without erase_api: want erase_api too, segment or rudderstack")
	case s.EraseURL != "" && !api:
		p.errorf(place(at, "erase_url"), "erase_url without erase_api: want erase_api and erase_token too")
	}
}

// alone holds the options of a zone against each other.
func (p *parser) alone(z *zoneAt) {
	s := z.section
	for _, mac := range z.Trusted {
		if slices.Contains(z.Blocked, mac) {
			is := func(v string) bool { other, err := hien.ParseMAC(v); return err == nil && other == mac }
			p.errorf(placeOf(s, "blocked", is), "blocked %v is trusted as well, in line %d: want one of the two", mac, placeOf(s, "trusted", is).Line)
		}
	}
	var has, lacks []string
	for _, o := range []struct{ name, value string }{{"api_name", z.API.Name}, {"api_cert", z.API.CertFile}, {"api_key", z.API.KeyFile}} {
		if o.value != "" {
			has = append(has, o.name)
		} else {
			lacks = append(lacks, o.name)
		}
	}
	if len(has) > 0 && len(lacks) > 0 {
		p.errorf(place(s, has[0]), "%s without %s: want all three, or none", strings.Join(has, " and "), strings.Join(lacks, " and "))
	}
	if z.API.Name == "" {
		z.API.Port = 0
	}
	ports := []struct {
		option string
		port   uint16
	}{{"portal_port", z.PortalPort}, {"dns_port", z.DNSPort}, {"api_port", z.API.Port}}
	for i, a := range ports {
		for _, b := range ports[:i] {
			if a.port != 0 && a.port == b.port {
				p.errorf(place(s, a.option), "%s %d is the zone's %s too: want another for each", a.option, a.port, b.option)
			}
		}
	}
}

// whole holds the sections against each other.
func (p *parser) whole() {
	c, everywhere := &p.config, uci.Pos{File: p.config.file}
	if p.main.Pos.Line == 0 {
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
				p.errorf(place(z.section, "interface"), "interface %s is that of zone %s in line %d: want another for each zone", z.Interface, before.Name, place(before.section, "interface").Line)
			}
			if z.PortalPort != 0 && z.PortalPort == before.PortalPort {
				p.errorf(place(z.section, "portal_port"), "portal_port %d is that of zone %s in line %d: want another for each zone", z.PortalPort, before.Name, place(before.section, "portal_port").Line)
			}
		}
		if slices.Contains(c.Uplinks, z.Interface) {
			at := placeOf(p.main, "uplink", func(v string) bool { return v == z.Interface })
			p.errorf(at, "uplink %s is the guest network of zone %s: want the interface by which the internet is reached", z.Interface, z.Name)
		}
		if _, set := c.at["main.seal_key"]; !set {
			p.unsealed(z)
		}
		p.remembered(z)
	}
	p.allSenders()
	p.accessLog()
}

// accessLog holds that an access log has a key, and one of its own (R-LOG-1).
func (p *parser) accessLog() {
	c := &p.config
	_, given := c.at["main.access_log_key"]
	switch {
	case c.KeepsAccessLog() && !given:
		p.errorf(c.where("main", "access_log"), "access_log %s has no access_log_key under which it is sealed: run `hien-unseal keygen --access-log` on a computer of yours, and put the line that it prints in config hien 'main'", quote(c.AccessLog))
	case given && !c.AccessLogKey.IsZero() && c.AccessLogKey.String() == c.SealKey.String():
		p.errorf(c.where("main", "access_log_key"), "access_log_key is the seal_key too: want a key of its own, so that whoever opens numbers cannot open the access log; run `hien-unseal keygen --access-log`")
	}
}

// unsealed tells of the purposes that cannot be kept without a seal key.
func (p *parser) unsealed(z zoneAt) {
	for _, purpose := range z.Purposes {
		if purpose.Reaches() {
			at := placeOf(z.section, "purpose", func(v string) bool { return v == string(purpose) })
			p.errorf(at, "purpose %s must reach the person and there is no seal_key: run `hien keygen`, put the public half as option seal_key in config hien 'main' and keep the private half away from the router", purpose)
		}
	}
}

// within reports whether dir is base or lies in it.
func within(dir, base string) bool {
	return dir != "" && base != "" && (path.Clean(dir) == path.Clean(base) || strings.HasPrefix(dir, strings.TrimSuffix(base, "/")+"/"))
}
