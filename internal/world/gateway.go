package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
)

// Gateway is the real hien in the router of a world: its program, its files,
// and the daemon while it runs.
type Gateway struct {
	Program string
	Dir     string // holds the configuration, the keys, the record and the livebook
	Config  string // the configuration file
	Seal    string // the brand's public key
	Unseal  hien.UnsealKey
	Daemon  *Daemon // nil before Start

	world *World
}

// Terms are what the owner of the world's shop has set.
type Terms struct {
	Pass, VisitGap time.Duration
	Purposes       []string // visit_frequency and contact_zalo when nil
	NoSender       bool     // no number is asked
	NoSink         bool
	Nobody         bool   // who asks is not told: nothing is asked
	SafeMode       bool   // three kills within ten minutes are enough for it
	Main, Zone     string // more lines of the sections about the shop and its guest network
	Extra          string // more sections
}

// Controller is the made-up controller of the world's shop, as the section
// about the shop has it.
const Controller = `	option controller_name 'Công ty TNHH Hiên Mẫu'
	option controller_address '1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh'
	option controller_tax_id '0000000001'
	option controller_contact 'dpo@hien.example'
	list recipient 'Nền tảng CDP Mẫu'
`

// Install puts a hien program into the router: its keys are made by its own
// command, and the configuration is written.
func (w *World) Install(ctx context.Context, program string, t Terms) (*Gateway, error) {
	g := &Gateway{Program: program, Dir: filepath.Join(w.Router.Dir(), "hien"), world: w}
	g.Config = filepath.Join(g.Dir, "config")
	if err := os.MkdirAll(g.Dir, 0o700); err != nil {
		return nil, err
	}
	made, err := w.Router.Run(ctx, program, "keygen", "--json", "--brand-key-file", g.file("brand.key"))
	if err != nil {
		return nil, err
	}
	var keys struct {
		Seal   string `json:"seal_key"`
		Unseal string `json:"unseal_key"`
	}
	if err := json.Unmarshal([]byte(made), &keys); err != nil {
		return nil, fmt.Errorf("read what keygen said: %w", err)
	}
	g.Seal = keys.Seal
	if g.Unseal, err = hien.ParseUnsealKey(keys.Unseal); err != nil {
		return nil, err
	}
	if err := w.CA.WriteFile(g.file("ca.pem")); err != nil {
		return nil, err
	}
	return g, g.Configure(t)
}

func (g *Gateway) file(name string) string { return filepath.Join(g.Dir, name) }

// Configure writes the configuration. A running daemon reads it at SIGHUP.
func (g *Gateway) Configure(t Terms) error {
	var b strings.Builder
	section := func(kind, name string, options ...string) {
		fmt.Fprintf(&b, "config %s '%s'\n", kind, name)
		for i := 0; i+1 < len(options); i += 2 {
			fmt.Fprintf(&b, "\toption %s '%s'\n", options[i], options[i+1])
		}
	}
	section("hien", "main", "enabled", "1", "store_id", "hcm-q1-01", "store_name", "Quán Hiên",
		"data_dir", g.DataDir(), "run_dir", g.RunDir(), "brand_key_file", g.file("brand.key"), "seal_key", g.Seal)
	if !t.Nobody {
		b.WriteString(Controller)
	}
	if !t.SafeMode {
		b.WriteString("\toption safe_mode '0'\n")
	}
	b.WriteString(t.Main)
	section("zone", "guest", "interface", GuestBridge, "portal_port", "2050",
		"pass", t.Pass.String(), "visit_gap", t.VisitGap.String(), "offer", "Tặng một ly trà đá khi gọi bánh")
	if t.Purposes == nil {
		t.Purposes = []string{"visit_frequency", "contact_zalo"}
	}
	for _, p := range t.Purposes {
		fmt.Fprintf(&b, "\tlist purpose '%s'\n", p)
	}
	b.WriteString(t.Zone)
	if !t.NoSender {
		section("sender", "code", "type", "log")
	}
	if !t.NoSink {
		section("sink", "cdp", "type", "segment", "url", CDPURL, "ca_file", g.file("ca.pem"), "write_key", DefaultWriteKey)
	}
	b.WriteString(t.Extra)
	return os.WriteFile(g.Config, []byte(b.String()), 0o600)
}

// DataDir is where the record is.
func (g *Gateway) DataDir() string { return g.file("data") }

// RunDir is where the livebook and the control socket are.
func (g *Gateway) RunDir() string { return g.file("run") }

// Portal is the portal's address as guests see it.
func (g *Gateway) Portal() string {
	return "http://" + net.JoinHostPort(g.world.Router.GuestV4().String(), "2050") + "/"
}

// Launch starts the daemon without waiting for it.
func (g *Gateway) Launch(options ...DaemonOption) (err error) {
	g.Daemon, err = g.world.Router.Start([]string{g.Program, "run", "--config", g.Config}, options...)
	return err
}

// Start starts the daemon and waits until its portal is open.
func (g *Gateway) Start(ctx context.Context, options ...DaemonOption) error {
	if err := g.Launch(options...); err != nil {
		return err
	}
	_, err := g.Daemon.Line(ctx, `msg="the portal is open"`)
	return err
}

// LeadKey is the person with a number, as the CDP knows it.
func (g *Gateway) LeadKey(number string) (string, error) {
	text, err := os.ReadFile(g.file("brand.key"))
	if err != nil {
		return "", err
	}
	keys, err := hien.ParseBrandKeys(string(text))
	if err != nil {
		return "", err
	}
	phone, err := hien.ParsePhone(number)
	return string(keys.Current().LeadKey(phone)), err
}

// Hien runs one of the gateway's commands in the router.
func (g *Gateway) Hien(ctx context.Context, args ...string) (string, error) {
	return g.world.Router.Run(ctx, g.Program, append(args, "--config", g.Config)...)
}

// Code is the code that the sender 'log' wrote for a device, after the first
// mark lines of the daemon's log. As the log masks the rest of a MAC, devices
// are told apart by its first three bytes.
func (g *Gateway) Code(ctx context.Context, hw net.HardwareAddr, mark int) (string, error) {
	mac, err := hien.MACFrom(hw)
	if err != nil {
		return "", err
	}
	line, err := g.Daemon.LineAfter(ctx, mark, "msg=code", "guest="+mac.String())
	if err != nil {
		return "", err
	}
	return CodeIn(line)
}

// CodeIn is the code in a line of the sender 'log'.
func CodeIn(line string) (string, error) {
	for field := range strings.FieldsSeq(line) {
		if code, ok := strings.CutPrefix(field, "code="); ok {
			return strings.Trim(code, `"`), nil
		}
	}
	return "", fmt.Errorf("no code in the log's line %q", line)
}

// Give fills in the form of the portal's first page with a number and the
// purposes, all that are asked for when none is named, and sends it. It shows
// the page that asks for the code.
func (p *Page) Give(ctx context.Context, number string, purposes ...string) (*Page, error) {
	form, err := p.Form("/join")
	if err != nil {
		return nil, err
	}
	field, err := form.Field("tel")
	if err != nil {
		return nil, err
	}
	form.Values.Set(field, number)
	if len(form.Choices("age")) > 0 {
		if err := form.Tick("age", "yes"); err != nil {
			return nil, err
		}
	}
	if len(purposes) == 0 {
		purposes = form.Choices("purpose")
	}
	for _, purpose := range purposes {
		if err := form.Tick("purpose", purpose); err != nil {
			return nil, err
		}
	}
	return form.Send(ctx, "/join")
}

// Prove types the code and sends it. It shows where that leads.
func (p *Page) Prove(ctx context.Context, code string) (*Page, error) {
	form, err := p.Form("/code")
	if err != nil {
		return nil, fmt.Errorf("%w; it says: %s", err, p.Text())
	}
	form.Values.Set("code", code)
	return form.Send(ctx, "/code")
}

// Skip goes on without giving anything, or with nothing asked.
func (p *Page) Skip(ctx context.Context) (*Page, error) {
	form, err := p.Form("/skip")
	if err != nil {
		return nil, err
	}
	return form.Send(ctx, "/skip")
}

// Receipt is the address of the receipt that a page links to; empty when it
// links to none.
func (p *Page) Receipt() string {
	for _, link := range p.Links() {
		if strings.Contains(link, "/receipt/") {
			return link
		}
	}
	return ""
}
