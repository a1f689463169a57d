package portal_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/portal"
)

var zoneAddrs = []netip.Addr{
	netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("2001:db8:77::1"),
	netip.MustParseAddr("fe80::1"), netip.MustParseAddr("::ffff:10.77.0.2"),
}

// files are the files below a directory, by their names in it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, sub := range []string{"opts", "hosts"} {
		entries, _ := os.ReadDir(filepath.Join(dir, sub))
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, sub, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found[sub+"/"+e.Name()] = string(text)
		}
	}
	return found
}

const apiURL = "https://wifi.example.vn:2443/captive-portal/api"

var announced = map[string]string{
	"opts/hien-guest":  "tag:br-guest,114," + apiURL + "\ntag:br-guest,option6:103," + apiURL + "\n",
	"hosts/hien-guest": "10.77.0.1 wifi.example.vn\n2001:db8:77::1 wifi.example.vn\n10.77.0.2 wifi.example.vn\n",
}

func TestAnnounceAndWithdraw(t *testing.T) {
	dir := t.TempDir()
	is := func(when string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, files(t, dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	announce := func(zone, iface string) {
		t.Helper()
		if err := portal.Announce(dir, zone, iface, apiURL, apiName, zoneAddrs); err != nil {
			t.Fatal(err)
		}
	}
	announce("guest", "br-guest")
	is("announced", announced)
	path := filepath.Join(dir, "opts", "hien-guest")
	before, _ := os.Stat(path)
	announce("guest", "br-guest")
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("announced again without a change, it writes")
	}
	if before.Mode().Perm() != 0o644 {
		t.Errorf("the file's mode is %v: dnsmasq must read it as its own user", before.Mode())
	}

	// What others keep there is theirs, whatever its name.
	others := map[string]string{"opts/mine": "3,10.0.0.1\n", "hosts/hien": "10.0.0.9 x\n", "opts/hien-": "x\n", "hosts/hien-a b": "x\n"}
	for name, text := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	announce("bar", "br-bar")
	announce("gone", "br-gone")
	if err := portal.WithdrawOthers(dir, "guest", "bar"); err != nil {
		t.Fatal(err)
	}
	got := files(t, dir)
	if got["opts/hien-bar"] == "" || got["hosts/hien-bar"] == "" || got["opts/hien-gone"]+got["hosts/hien-gone"] != "" {
		t.Errorf("after the zone gone is gone: %v", got)
	}
	for range 2 { // the second has nothing to do
		if err := portal.Withdraw(dir, "guest"); err != nil {
			t.Fatal(err)
		}
	}
	if err := portal.WithdrawOthers(dir); err != nil {
		t.Fatal(err)
	}
	is("withdrawn", others)
}

func TestWithdrawWhereNothingWasAnnounced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	if err := portal.Withdraw(dir, "guest"); err != nil {
		t.Error(err)
	}
	if err := portal.WithdrawOthers(dir); err != nil {
		t.Error(err)
	}
	if heard, err := portal.Heard(dir); heard || err != nil {
		t.Errorf("Heard: %v %v, want nobody and no error", heard, err)
	}
}

func TestWhatDoesNotFitIsNotAnnounced(t *testing.T) {
	long := strings.Repeat("a.", 120) + "vn"
	for _, test := range []struct {
		name, zone, iface, url, host, want string
		addrs                              []netip.Addr
	}{
		{"a zone out of the directory", "../x", "br-guest", apiURL, apiName, "zone", zoneAddrs},
		{"a zone without a name", "", "br-guest", apiURL, apiName, "zone", zoneAddrs},
		{"an interface with a comma", "guest", "a,3", apiURL, apiName, "interface", zoneAddrs},
		{"an address in plain http", "guest", "br-guest", "http://wifi.example.vn/", apiName, "address", zoneAddrs},
		{"an address with a line break", "guest", "br-guest", apiURL + "\n3,1.2.3.4", apiName, "address", zoneAddrs},
		{"an IP address for a name", "guest", "br-guest", apiURL, "10.77.0.1", "host name", zoneAddrs},
		{"an address of more than 255 bytes", "guest", "br-guest", "https://" + long + ":2443" + portal.APIPath, long, "255", zoneAddrs},
		{"a zone without an address", "guest", "br-guest", apiURL, apiName, "no address", zoneAddrs[2:3]},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			err := portal.Announce(dir, test.zone, test.iface, test.url, test.host, test.addrs)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want it to name the %s", err, test.want)
			}
			if got := files(t, dir); len(got) != 0 {
				t.Errorf("it wrote %v", got)
			}
		})
	}
	if err := portal.Withdraw(t.TempDir(), "../../etc"); err == nil {
		t.Error("a zone out of the directory is withdrawn")
	}
}

func TestAnAnnouncementFollowsItsCertificate(t *testing.T) {
	dir, at, c := t.TempDir(), newPlace(t), newCerts(t)
	good := c.server(t)
	renewed := c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.AddDate(0, 0, 180) })
	other := c.server(t, func(x *x509.Certificate) { x.DNSNames = []string{"other.example.vn"} })
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var skipped atomic.Int64 // what the ticker need not count
		now := func() hien.Moment { return later(time.Since(start) + time.Duration(skipped.Load())) }
		var said log
		a := &portal.Announcement{Dir: dir, Zone: "guest", Interface: "br-guest", Addrs: zoneAddrs, Port: 2443,
			Certificate: portal.OpenCertificate(at.cert, at.key, apiName, noon), Now: now,
			Log: slog.New(slog.NewTextHandler(&said, nil))}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		after := func(d time.Duration, what string, want map[string]string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if diff := cmp.Diff(want, files(t, dir)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		none := map[string]string{}
		after(time.Second, "without files", none)
		at.put(t, good)
		after(10*time.Second, "with a certificate", announced)
		at.put(t, other)
		after(10*time.Second, "a broken new one leaves the old in force", announced)
		skipped.Store(int64(89 * 24 * time.Hour))
		after(10*time.Second, "a day before its end", none)
		at.put(t, renewed)
		after(10*time.Second, "renewed", announced)
		os.RemoveAll(filepath.Join(dir, "opts"))
		after(10*time.Second, "taken away by somebody", announced)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		after(0, "at the end", none)
		text := said.String()
		for _, want := range []string{
			"read the certificate", "No dnsmasq reads " + dir, "the older certificate stays in force", "renew it",
		} {
			if got := strings.Count(text, want); got == 0 || got > 3 {
				t.Errorf("the log says %q %d times:\n%s", want, got, text)
			}
		}
		if got := strings.Count(text, "\n"); got > 6 {
			t.Errorf("%d lines in the log for 5 changes in 90 days:\n%s", got, text)
		}
	})
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := portal.Announce(dir, "guest", "br-guest", apiURL, apiName, zoneAddrs); err == nil || !strings.Contains(err.Error(), "announce the API of zone guest") {
		t.Errorf("got %v, want the deed named", err)
	}
}
