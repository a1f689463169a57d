// Package config reads the one file in which the owner says what Hiên shall
// do, in OpenWrt's UCI syntax: /etc/config/hien.
//
// The file is read once, strictly, into types. Whatever is wrong with it is
// told at once, by file and line, with what is allowed there. options.go is
// the table of all sections and options, with their defaults; the manual,
// docs/configuration.md, is written from it.
//
// Parse looks at the text only. Check looks at the files that the text names
// as well.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/backup"
	"github.com/hien-wifi/hien/internal/uci"
)

// DefaultFile is where the configuration stands on a router.
const DefaultFile = "/etc/config/hien"

// Config is what the owner wants. Parse makes one; options.go says what each
// field means, which values it takes and which it has by default.
type Config struct {
	Enabled      bool
	SafeMode     bool // three crashes within ten minutes lead to it
	StoreID      string
	StoreName    string
	DataDir      string
	RunDir       string
	BrandKeyFile string
	SealKey      hien.SealKey        // zero when no number may be sealed
	BackupKey    backup.Recipient    // zero when no backup may be made
	AccessLog    string              // "none", "minimal" or "vn_333"
	AccessLogKey hien.SealKey        // zero without one
	Zones        []hien.Zone         // at least one, in the order of the file
	Services     map[string]Services // of each zone, by its name
	Senders      []Sender            // in the order in which they are tried; none: no number is asked
	Sink         *Sink               // nil: events wait in the queue

	Policy     string             // of consent.Policies
	PolicyFile string             // in its place; may be empty
	Controller consent.Controller // as the owner wrote it; Asker adds what the rest of the file says
	Mode       string             // "frequency" or "basic"

	SingleShop     bool // the brand's keys may be here
	CodesPerDay    int
	ForeignNumbers bool

	Firewall    string   // "auto", "nftables" or "iptables"
	Mark        uint32   // one bit
	Uplinks     []string // empty: those of the default routes
	Masquerade  bool
	DNSUpstream []netip.AddrPort // at least one, in the order in which they are asked
	DnsmasqDir  string           // empty: phones are not told of the API

	file string             // for Check
	at   map[string]uci.Pos // where "section.option" was set
}

// Services are what Hiên offers to a zone's guests beside the portal.
type Services struct {
	Sniffer bool   // whether frames of guests are looked at
	DNSPort uint16 // 0: no resolver of Hiên's own
	API     API
}

// An API is the captive portal API of a zone (RFC 8908), and the portal over
// TLS.
type API struct {
	Name     string // the host's; empty: there is none, and all else is zero
	CertFile string
	KeyFile  string
	Port     uint16
}

// A Sink is where events go.
type Sink struct {
	Name     string
	Type     string // "segment"
	URL      string
	CAFile   string // empty: the system's certificates
	WriteKey Secret

	EraseAPI   string // "segment" or "rudderstack"; empty: no deletion API is asked, and the next two are empty
	EraseURL   string // empty: the API's own
	EraseToken Secret
}

// Asks reports whether a number is asked in any zone. Then, and only then,
// the brand key is needed.
func (c *Config) Asks() bool {
	for _, z := range c.Zones {
		if len(c.Senders) > 0 && len(z.Asks()) > 0 {
			return true
		}
	}
	return false
}

// KeepsAccessLog reports whether it is written down who was online and when.
func (c *Config) KeepsAccessLog() bool { return c.AccessLog == "minimal" || c.AccessLog == "vn_333" }

// A Secret is a password of a machine. It cannot print itself; Reveal is for
// the request that carries it.
type Secret struct {
	text *string
}

// NewSecret keeps a secret.
func NewSecret(text string) Secret { return Secret{&text} }

const secretMask = "[secret]"

func (Secret) String() string               { return secretMask }
func (Secret) GoString() string             { return secretMask }
func (Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, secretMask) }
func (Secret) LogValue() slog.Value         { return slog.StringValue(secretMask) }
func (Secret) MarshalText() ([]byte, error) { return []byte(secretMask), nil }

// Reveal is the secret; empty for the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// missing is the error of a configuration that is not there.
type missing struct{ path string }

func (m missing) Error() string {
	return fmt.Sprintf("there is no configuration %s: `hien setup` writes one, and --config names another", m.path)
}

func (missing) Is(target error) bool { return target == fs.ErrNotExist }

// Load reads and parses a file.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing{path}
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	return Parse(path, f)
}

// Parse reads a configuration; name is what errors call the file. What is
// wrong with it comes back as uci.Errors, sorted by line; any other error
// came from reading. When the syntax is wrong nothing else is looked at.
func Parse(name string, r io.Reader) (*Config, error) {
	f, err := uci.Parse(name, r)
	if err != nil {
		return nil, err
	}
	p := &parser{config: Config{file: name, at: make(map[string]uci.Pos), Services: make(map[string]Services)}, names: make(map[string]uci.Pos)}
	for _, s := range f.Sections {
		p.section(s)
	}
	p.whole()
	if len(p.errs) > 0 {
		p.sort()
		return nil, p.errs
	}
	return &p.config, nil
}

// where is the place of an option, for errors that are found after parsing.
func (c *Config) where(section, option string) uci.Pos {
	if at, ok := c.at[section+"."+option]; ok {
		return at
	}
	return uci.Pos{File: c.file}
}

// quote shows a value in an error, not too much of it.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// words lists "a, b or c".
func words(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
