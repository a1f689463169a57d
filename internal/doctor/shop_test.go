package doctor_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/doctor"
	"github.com/hien-wifi/hien/internal/world"
)

// asked is the environment variable that makes this program the doctor: it
// runs in the router's namespace and writes its report as JSON.
const asked = "HIEN_TEST_DOCTOR"

// An order is what the doctor is told.
type order struct {
	House   doctor.House
	Files   doctor.Files
	CA      string
	NoGuest bool
}

func TestMain(m *testing.M) {
	if text := os.Getenv(asked); text != "" {
		if err := obey(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	world.Main(m)
}

func obey(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	options := doctor.Options{House: o.House, Files: o.Files, NoGuest: o.NoGuest}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return err
		}
		options.Roots = x509.NewCertPool()
		options.Roots.AppendCertsFromPEM(pem)
	}
	r, err := doctor.Examine(ctx, options, time.Now())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// A shop is a world with a stand-in for the gateway in its router: what a
// guest meets is what the real one does to it, and nothing mends what a test
// breaks.
type shop struct {
	*testing.T
	*world.World
	order order
}

const portalPort = 2050

func newShop(t *testing.T, o world.Options) *shop {
	t.Helper()
	world.Need(t)
	o.NoCDP = true
	s := &shop{T: t}
	w, err := world.New(s.soon(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s.World = w
	l, err := w.Router.Listen("tcp", fmt.Sprintf(":%d", portalPort))
	if err != nil {
		t.Fatal(err)
	}
	w.Internet.ServeHTTP(l, http.HandlerFunc(portal), nil, false)
	const in = "-i " + world.GuestBridge
	for _, tool := range []string{"iptables", "ip6tables"} {
		icmp := map[string]string{"iptables": "icmp", "ip6tables": "ipv6-icmp"}[tool]
		for _, rule := range []string{
			"-t nat -A PREROUTING " + in + " -p tcp --dport 80 -j REDIRECT --to-ports 2050",
			"-t mangle -A PREROUTING " + in + " -j MARK --set-xmark 0x1000000/0x1000000",
			"-A INPUT " + in + " -p tcp -m multiport --dports 53,2050 -j ACCEPT",
			"-A INPUT " + in + " -p udp -m multiport --dports 53,67,547 -j ACCEPT",
			"-A INPUT " + in + " -p " + icmp + " -j ACCEPT",
			"-A INPUT " + in + " -p tcp -j REJECT --reject-with tcp-reset",
			"-A INPUT " + in + " -j REJECT",
			"-A FORWARD " + in + " -p tcp -j REJECT --reject-with tcp-reset",
			"-A FORWARD " + in + " -j REJECT",
		} {
			s.run(append([]string{tool, "-w", "5"}, strings.Fields(rule)...)...)
		}
	}
	for _, family := range []string{"-4", "-6"} {
		s.run("ip", family, "rule", "add", "pref", "32000", "iif", world.GuestBridge, "fwmark", "0/0x1000000", "unreachable")
	}
	// Off on a router; a kernel with br_netfilter begins with on.
	for _, name := range []string{"iptables", "ip6tables"} {
		path := "/proc/sys/net/bridge/bridge-nf-call-" + name
		err := w.Router.Do(func() error { return os.WriteFile(path, []byte("0"), 0) })
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	s.order = order{
		House: doctor.House{Running: true, Backend: "stand-in", Mark: 0x01000000, Clock: true, Zones: []doctor.Zone{
			{Name: "guest", Interface: world.GuestBridge, PortalPort: portalPort},
		}},
		Files: doctor.Files{
			Leases:      []string{filepath.Join(w.Router.Dir(), "dnsmasq.leases")},
			DnsmasqConf: []string{filepath.Join(w.Router.Dir(), "dnsmasq.conf")},
		},
	}
	return s
}

// portal sends whoever asks for another host to its page.
func portal(w http.ResponseWriter, r *http.Request) {
	here := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr).AddrPort()
	if here = netip.AddrPortFrom(here.Addr().Unmap(), here.Port()); r.Host != here.String() {
		http.Redirect(w, r, "http://"+here.String()+"/", http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintln(w, "<!doctype html><title>Xin chào</title>")
}

// soon is a context that ends before the test's own patience does.
func (s *shop) soon() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 60*time.Second)
	s.Cleanup(cancel)
	return ctx
}

func (s *shop) run(argv ...string) {
	s.Helper()
	if _, err := s.Router.Run(s.soon(), argv[0], argv[1:]...); err != nil {
		s.Fatalf("%s: %v", strings.Join(argv, " "), err)
	}
}

func (s *shop) command() *world.Cmd {
	s.Helper()
	text, err := json.Marshal(s.order)
	if err != nil {
		s.Fatal(err)
	}
	cmd := s.Router.Command(s.soon(), os.Args[0])
	cmd.Env = append(cmd.Env, asked+"="+string(text))
	return cmd
}

// A report as it is read by machines.
type report struct {
	Summary  string
	Healthy  bool
	Firewall []string
	Zones    []struct{ Played, Why, Address, IPv6 string }
	Phones   []struct {
		OS, Opens          string
		Probes, Redirected int
		Unproven           bool
	}
	Findings []finding
	Unproven []string
	TookMS   int64 `json:"took_ms"`
}

type finding struct {
	ID, Severity, Text, Command string
	Phones                      []string
	Unproven                    bool
}

// examine runs the doctor in the router.
func (s *shop) examine() (r report) {
	s.Helper()
	out, err := s.command().Output()
	if err != nil {
		s.Fatalf("the doctor: %v", err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		s.Fatalf("the doctor's report: %v\n%s", err, out)
	}
	s.Logf("%s (%d ms)", r.Summary, r.TookMS)
	for _, f := range r.Findings {
		s.Logf("%s %s: %s | %s", f.Severity, f.ID, f.Text, f.Command)
	}
	return r
}

// ids are the findings' names, each with its severity.
func (r report) ids() (ids []string) {
	for _, f := range r.Findings {
		ids = append(ids, f.Severity+" "+f.ID)
	}
	slices.Sort(ids)
	return ids
}

// opens says how each system's phones open the portal.
func (r report) opens() string {
	var words []string
	for _, p := range r.Phones {
		words = append(words, p.OS+" "+p.Opens)
	}
	return strings.Join(words, ", ")
}
