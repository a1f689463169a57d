package world

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// soon is a context that ends before the test's own patience does.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newWorld(t *testing.T, o Options) *World {
	t.Helper()
	Need(t)
	w, err := New(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func joinedPhone(t *testing.T, w *World, name string) *Phone {
	t.Helper()
	p, err := w.AddPhone(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Join(soon(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPhoneJoinsByRealDHCP(t *testing.T) {
	w := newWorld(t, Options{LAN: true})
	p := joinedPhone(t, w, "mai")
	if got, want := p.Lease().Addr.Masked(), netip.MustParsePrefix("10.77.0.0/24"); got != want {
		t.Errorf("leased prefix = %v, want %v", got, want)
	}
	if got, want := p.Lease().Router, w.Router.GuestV4(); got != want {
		t.Errorf("leased router = %v, want %v", got, want)
	}
	if got, want := p.Lease().Time, time.Hour; got != want {
		t.Errorf("lease time = %v, want %v", got, want)
	}
	if !netip.MustParsePrefix("2001:db8:77::/64").Contains(p.IPv6()) {
		t.Errorf("IPv6 address = %v, want one in 2001:db8:77::/64", p.IPv6())
	}
	for _, network := range []string{"tcp4", "tcp6"} {
		resp, err := p.HTTPClient(Only(network)).Get("http://example.vn/")
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status = %d, want 200", network, resp.StatusCode)
		}
	}
	if a, err := p.Get(soon(t), "https://shop.example.vn/"); err != nil || a.Status != http.StatusOK {
		t.Errorf("over TLS: %+v, %v", a, err)
	}
	if a, err := p.Get(soon(t), "http://192.168.1.10/"); err != nil || !strings.Contains(string(a.Body), "the shop's own computer") {
		t.Errorf("the shop's computer: %+v, %v; want its page, as there is no Hien yet", a, err)
	}
	if _, err := p.Lookup(soon(t), "ip", "no-such-host.example"); err == nil {
		t.Error("a name that does not exist was found")
	}
	first := p.IPv4()
	if err := w.Router.RestartDnsmasq(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := p.Renew(soon(t)); err != nil {
		t.Error(err)
	}
	if got := p.IPv4(); got != first {
		t.Errorf("renewed address = %v, want the old one, %v", got, first)
	}
	if err := p.Leave(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Router.Dnsmasq().Line(soon(t), "DHCPRELEASE", first.String()); err != nil {
		t.Error(err)
	}
	if err := p.Join(soon(t)); err != nil {
		t.Fatalf("join again: %v", err)
	}
	if !p.Online(soon(t), ProbeByName("android")) {
		t.Error("not online after joining again")
	}
}

func TestEveryProbeIsAnsweredAsItsSystemExpects(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p := joinedPhone(t, w, "lan")
	for _, probe := range Probes {
		for _, network := range []string{"tcp4", "tcp6"} {
			if network == "tcp4" && probe.IPv6Only() {
				continue
			}
			t.Run(probe.Name+"/"+network, func(t *testing.T) {
				a, err := p.Probe(soon(t), probe, Only(network))
				if err != nil {
					t.Fatal(err)
				}
				if !probe.Free(a.Status, a.Body) {
					t.Errorf("%s: status %d, body %q: not the free answer %d %q", probe.URL, a.Status, a.Body, probe.Status, probe.Body)
				}
			})
		}
	}
	if got := w.Internet.SeenAt(w.Internet.Host("captive.apple.com")).TCP; got == 0 {
		t.Error("no packets of the probe were counted")
	}
	a, err := p.Probe(soon(t), Probe{URL: "http://www.msftconnecttest.com/redirect"})
	if err != nil || a.Status != http.StatusFound {
		t.Errorf("the page that Windows opens: %+v, %v; want 302", a, err)
	}
}

func TestCounterSeesWhatThePhoneSent(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p, other := joinedPhone(t, w, "ha"), joinedPhone(t, w, "binh")
	attempts := p.Attempts(soon(t), p.Target)
	for _, a := range attempts {
		if !a.Answered() {
			t.Error(a)
		}
	}
	if got, want := len(attempts), 20; got != want {
		t.Errorf("%d attempts, want %d", got, want)
	}
	if err := w.Flush(soon(t)); err != nil {
		t.Fatal(err)
	}
	for _, addr := range p.Target.Addrs() {
		got := w.Internet.Seen(addr)
		if got.UDP != 3 || got.ICMP != 1 || got.TCP < 4*3 || got.DNS < 1+3 || got.Other != 0 {
			t.Errorf("seen at %s: %+v, want 3 UDP, 1 ICMP, at least 12 TCP and 4 DNS", addr, got)
		}
	}
	if got := w.Internet.SeenAt(other.Target); got != (Counts{}) {
		t.Errorf("seen at the other phone's target: %+v, want nothing", got)
	}
	// What is sent and not answered is counted as well, as soon as it is sent.
	c, err := p.Dial(soon(t), "udp", netip.AddrPortFrom(other.Target.V4, 5).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 500
	for range n {
		c.Write([]byte("x")) // ECONNREFUSED from the one before is fine
	}
	if err := w.Flush(soon(t)); err != nil {
		t.Fatal(err)
	}
	if got := w.Internet.Seen(other.Target.V4).UDP; got < n/2 || got > n {
		t.Errorf("%d packets seen, want at least half of %d: a write that reports the last refusal sends nothing", got, n)
	}
}

func TestNothingAnswersWithoutUplink(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p := joinedPhone(t, w, "yen")
	if err := w.Router.SetUplink(soon(t), false); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Attempts(soon(t), p.Target) {
		if a.Answered() {
			t.Error(a)
		}
	}
	if err := w.Router.SetUplink(soon(t), true); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Attempts(soon(t), p.Target) {
		if !a.Answered() {
			t.Error(a)
		}
	}
}

func TestARefusalIsFeltAtOnce(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p := joinedPhone(t, w, "kim")
	for _, tool := range []string{"iptables", "ip6tables"} {
		for _, rule := range [][]string{{"-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"}, {"-j", "REJECT"}} {
			argv := append([]string{"-A", "FORWARD", "-i", GuestBridge}, rule...)
			if _, err := w.Router.Run(soon(t), tool, argv...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 { // the kernel's limit on ICMP errors would be felt in the second round
		for _, a := range p.Attempts(soon(t), p.Target) {
			if a.Answered() || a.TimedOut() || a.Took >= AttemptPatience {
				t.Errorf("%v; want a refusal at once", a)
			}
		}
	}
	if err := w.Flush(soon(t)); err != nil {
		t.Fatal(err)
	}
	if got := w.Internet.SeenAt(p.Target); got != (Counts{}) {
		t.Errorf("seen behind a closed door: %+v", got)
	}
}

func TestNamesCanMove(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p := joinedPhone(t, w, "lam")
	w.Internet.SetTTL(0)
	for i := range 2 {
		want := w.Internet.Target(500 + i)
		w.Internet.SetHost("moving.example.vn", want)
		got, err := p.Lookup(soon(t), "ip", "moving.example.vn")
		if err != nil || len(got) != 2 || got[0] != want.V6 || got[1] != want.V4 {
			t.Errorf("moving.example.vn = %v, %v; want %v", got, err, want)
		}
	}
	if got := w.Internet.Queries(); !slices.Contains(got, "TypeAAAA moving.example.vn") {
		t.Errorf("queries = %q, want the one for moving.example.vn", got)
	}
}

func TestGuestBridgeComesAndGoes(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true, NoGuestBridge: true, Dnsmasq: []string{"dhcp-option=114,https://portal.example.vn/api"}})
	p, err := w.AddPhone("tam")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Router.AddGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if err := w.Router.AwaitGuestBridge(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := p.Join(soon(t)); err != nil {
		t.Fatal(err)
	}
	if !p.Online(soon(t), ProbeByName("apple")) {
		t.Error("not online on the new bridge")
	}
	if got := p.Lease().Options["opt114"]; got == "" {
		t.Errorf("option 114 did not come; the lease holds %v", p.Lease().Options)
	}
	if err := w.Router.RemoveGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if err := w.Router.AddGuestBridge(); err != nil {
		t.Fatal(err)
	}
	if err := w.Router.AwaitGuestBridge(soon(t)); err != nil {
		t.Fatal(err)
	}
	if !p.Online(soon(t), ProbeByName("apple")) {
		t.Error("not online on the bridge that came back")
	}
}

func TestGuestNetworkWithoutIPv6(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true, NoIPv6: true})
	p := joinedPhone(t, w, "sau")
	if p.IPv6().IsValid() {
		t.Errorf("IPv6 address = %v, want none", p.IPv6())
	}
	if !p.Online(soon(t), ProbeByName("windows")) {
		t.Error("not online by IPv4")
	}
}

func TestProgramsOfANodeSeeItsNetworkAndItsFiles(t *testing.T) {
	w := newWorld(t, Options{NoCDP: true})
	p := joinedPhone(t, w, "bay")
	if err := p.SetHosts("192.0.2.7 here\n"); err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(soon(t), "cat", "/etc/resolv.conf", "/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	if want := "nameserver 10.77.0.1\n192.0.2.7 here\n"; out != want {
		t.Errorf("resolv.conf and hosts = %q, want %q", out, want)
	}
	for _, argv := range [][]string{{"ip", "-o", "addr", "show", "wlan0"}, {"ls", "/sys/class/net"}, {"ip", "netns", "exec", p.Name, "ip", "-o", "link"}} {
		if out, err := p.Run(soon(t), argv[0], argv[1:]...); err != nil || !strings.Contains(out, wlan) || strings.Contains(out, "isp0") {
			t.Errorf("%v: %v, said %q; want wlan0 and not isp0", argv, err, out)
		}
	}
	if out, err := p.Run(soon(t), "env"); err != nil || strings.Contains(strings.ReplaceAll(out, "HIEN_WORLD_MUST=1", ""), "HIEN_WORLD_") {
		t.Errorf("environment: %v, %q; want none of ours", err, out)
	}
	if err := p.Do(func() error { panic("oh") }); err == nil || !strings.Contains(err.Error(), "oh") {
		t.Errorf("a panic on the node's thread = %v, want an error with it", err)
	}
}

func TestCDPInTheWorldGoesDownAndComesBack(t *testing.T) {
	w := newWorld(t, Options{CDP: RudderStack})
	post := func() (int, error) {
		req, err := http.NewRequest("POST", CDPURL+"/v1/batch", strings.NewReader(`{"batch":[{"type":"identify","userId":"u","messageId":"m1"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(DefaultWriteKey, "")
		resp, err := w.Router.HTTPClient().Do(req.WithContext(soon(t)))
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, nil
	}
	if status, err := post(); status != 200 {
		t.Fatalf("status = %d, %v; want 200", status, err)
	}
	w.CDP.Down()
	if status, err := post(); err == nil {
		t.Errorf("status = %d while it is down, want a refused connection", status)
	}
	if err := w.CDP.Up(); err != nil {
		t.Fatal(err)
	}
	if status, err := post(); status != 200 {
		t.Fatalf("status = %d, %v; want 200", status, err)
	}
	if got := w.CDP.Deliveries("m1"); got != 2 {
		t.Errorf("deliveries = %d, want 2", got)
	}
	events, err := w.CDP.WaitEvents(soon(t), 1)
	if err != nil || len(events) != 1 || !json.Valid(events[0]) {
		t.Errorf("events = %s, %v; want the one", events, err)
	}
}

func TestTemporaryFilesLieInTheWorld(t *testing.T) {
	Need(t)
	if dir := t.TempDir(); !strings.HasPrefix(dir, runDir) {
		t.Errorf("t.TempDir() = %s, want it under %s", dir, runDir)
	}
	if os.Getpid() != 1 {
		t.Errorf("process id = %d, want 1 of a namespace of its own", os.Getpid())
	}
}
