// Package dhcptest holds the test that real phones are told of the portal's
// API by a real dnsmasq. It is a package of its own because its tests run in
// private namespaces, while those of package portal run on the machine.
package dhcptest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/world"
	"github.com/hien-wifi/hien/portal"
)

func TestMain(m *testing.M) { world.Main(m) }

const name = "wifi.example.vn"

var url = portal.APIURL(name, 2443)

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A shop is a world whose dnsmasq reads what the portal announces.
type shop struct {
	*world.World
	dir   string
	phone *world.Phone
}

func openShop(t *testing.T) *shop {
	t.Helper()
	world.Need(t)
	s := &shop{dir: t.TempDir()}
	for _, sub := range []string{"opts", "hosts"} { // dnsmasq watches what is there when it starts
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.World, err = world.New(soon(t), world.Options{NoCDP: true, Dnsmasq: []string{
		"dhcp-optsdir=" + s.dir + "/opts", "hostsdir=" + s.dir + "/hosts",
		"dhcp-range=2001:db8:77::1000,2001:db8:77::1fff,64,1h",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.phone, err = s.AddPhone("mai"); err != nil {
		t.Fatal(err)
	}
	if err := s.phone.Join(soon(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

// told is what the phone hears of the API: by DHCPv4 option 114, by DHCPv6
// option 103, and the addresses of its name.
type told struct {
	v4, v6 string
	addrs  []netip.Addr
}

func (s *shop) told(t *testing.T) (is told) {
	t.Helper()
	if err := s.phone.Renew(soon(t)); err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(s.phone.Lease().Options["opt114"]) // udhcpc hands on what it does not know in hex
	if err != nil {
		t.Fatal(err)
	}
	is.v4, is.v6 = string(raw), s.informationRequest(t)
	is.addrs, _ = s.phone.Lookup(soon(t), "ip", name)
	slices.SortFunc(is.addrs, netip.Addr.Compare)
	return is
}

// informationRequest asks the router's DHCPv6 server for option 103 (RFC
// 8415, section 18.2.6).
func (s *shop) informationRequest(t *testing.T) string {
	t.Helper()
	const code = dhcpv6.OptionCode(103)
	ask, err := dhcpv6.NewMessage(dhcpv6.WithClientID(&dhcpv6.DUIDLL{HWType: 1, LinkLayerAddr: s.phone.MAC}), dhcpv6.WithRequestedOptions(code))
	if err != nil {
		t.Fatal(err)
	}
	ask.MessageType = dhcpv6.MessageTypeInformationRequest
	var c *net.UDPConn
	var zone string
	err = s.phone.Do(func() error {
		link, err := net.InterfaceByName("wlan0")
		if err != nil {
			return err
		}
		zone = link.Name
		c, err = net.ListenUDP("udp6", &net.UDPAddr{Port: dhcpv6.DefaultClientPort, Zone: zone})
		if err != nil {
			return err
		}
		_, err = c.WriteToUDP(ask.ToBytes(), &net.UDPAddr{IP: dhcpv6.AllDHCPRelayAgentsAndServers, Port: dhcpv6.DefaultServerPort, Zone: zone})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1500)
	for {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("the DHCPv6 server's answer: %v; dnsmasq said:\n%s", err, strings.Join(s.Router.Dnsmasq().Lines(), "\n"))
		}
		got, err := dhcpv6.MessageFromBytes(buf[:n])
		if err != nil || got.TransactionID != ask.TransactionID {
			continue
		}
		if o := got.GetOneOption(code); o != nil {
			return string(o.ToBytes())
		}
		return ""
	}
}

// after does something and waits until dnsmasq has said a thing since.
func (s *shop) after(t *testing.T, do func(), says string) {
	t.Helper()
	mark := s.Router.Dnsmasq().Mark()
	do()
	if _, err := s.Router.Dnsmasq().LineAfter(soon(t), mark, says); err != nil {
		t.Fatal(err)
	}
}

// What dnsmasq says.
const forgot = "cleared cache" // on SIGHUP

func (s *shop) read(zone string) string { return "read " + s.dir + "/opts/hien-" + zone }

func (s *shop) addrs() []netip.Addr { return []netip.Addr{s.Router.GuestV4(), s.Router.GuestV6()} }

func (s *shop) announce(t *testing.T, zone, iface, url string) {
	t.Helper()
	if err := portal.Announce(s.dir, zone, iface, url, name, s.addrs()); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) hears(t *testing.T, when string, url string) {
	t.Helper()
	got := s.told(t)
	want := told{v4: url, v6: url}
	if url != "" {
		want.addrs = s.addrs()
		slices.SortFunc(want.addrs, netip.Addr.Compare)
	}
	if got.v4 != want.v4 || got.v6 != want.v6 || !slices.Equal(got.addrs, want.addrs) {
		t.Errorf("%s: the phone hears %+v, want %+v\ndnsmasq said:\n%s", when, got, want, strings.Join(s.Router.Dnsmasq().Lines(), "\n"))
	}
}

// TestAPhoneIsTold: the options come and go by inotify and SIGHUP, with the
// same dnsmasq running all the while.
func TestAPhoneIsTold(t *testing.T) {
	s := openShop(t)
	s.hears(t, "before", "")
	if heard, err := portal.Heard(s.dir); !heard || err != nil {
		t.Errorf("Heard: %v %v, want the router's dnsmasq found", heard, err)
	}
	if heard, err := portal.Heard(t.TempDir()); heard || err != nil {
		t.Errorf("Heard of a directory that nobody reads: %v %v", heard, err)
	}
	announce := func(zone, iface, url string) func() {
		return func() { s.announce(t, zone, iface, url) }
	}
	withdraw := func(zone string) func() {
		return func() {
			if err := portal.Withdraw(s.dir, zone); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.after(t, announce("guest", world.GuestBridge, url), s.read("guest"))
	s.hears(t, "announced", url)

	moved := portal.APIURL(name, 8443)
	s.after(t, announce("guest", world.GuestBridge, moved), forgot)
	s.hears(t, "at another port", moved)

	s.after(t, announce("bar", "br-bar", url), s.read("bar"))
	s.hears(t, "beside another zone's", moved)
	s.after(t, withdraw("bar"), forgot)
	s.hears(t, "when the other zone is gone", moved)

	s.after(t, withdraw("guest"), forgot)
	s.hears(t, "withdrawn", "")
	select {
	case <-s.Router.Dnsmasq().Done():
		t.Error("dnsmasq has ended")
	default:
	}
	s.announce(t, "guest", world.GuestBridge, url)
	if err := s.Router.RestartDnsmasq(soon(t)); err != nil {
		t.Fatal(err)
	}
	s.hears(t, "after dnsmasq was started anew", url)
}

// TestAPhoneIsToldWhileTheCertificateIsValid runs an Announcement beside the
// real dnsmasq.
func TestAPhoneIsToldWhileTheCertificateIsValid(t *testing.T) {
	s := openShop(t)
	cert, key := filepath.Join(s.Router.Dir(), "cert.pem"), filepath.Join(s.Router.Dir(), "key.pem")
	now := func() hien.Moment { return hien.Moment{Wall: time.Now(), InStep: true} }
	run := func(says string, then func()) {
		t.Helper()
		a := &portal.Announcement{Dir: s.dir, Zone: "guest", Interface: world.GuestBridge, Addrs: s.addrs(), Port: 2443,
			Certificate: portal.OpenCertificate(cert, key, name, now()), Now: now, Log: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		s.after(t, func() { go func() { done <- a.Run(ctx) }() }, says)
		then()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	writeChain(t, cert, key, 90*24*time.Hour)
	s.after(t, func() {
		run(s.read("guest"), func() { s.hears(t, "with a certificate", url) })
	}, forgot)
	s.hears(t, "when the gateway has stopped", "")

	s.after(t, func() { s.announce(t, "guest", world.GuestBridge, url) }, s.read("guest")) // by a gateway that was killed
	writeChain(t, cert, key, 12*time.Hour)
	run(forgot, func() { s.hears(t, "with a certificate that ends within a day", "") })
}

// writeChain makes a certificate for so long, with its issuer behind it.
func writeChain(t *testing.T, certFile, keyFile string, life time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(life)
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Issuer"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: from, NotAfter: to}
	var chain []byte
	for _, c := range []*x509.Certificate{leaf, issuer} {
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{certFile: chain, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(fmt.Errorf("write %s: %w", file, err))
		}
	}
}
