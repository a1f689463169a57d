package portal_test

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/portal"
)

// later is a moment after noon.
func later(d time.Duration) hien.Moment {
	m := noon
	m.Wall, m.Up = m.Wall.Add(d), m.Up+d
	return m
}

func TestWhichCertificatesAreAnnounced(t *testing.T) {
	c := newCerts(t)
	good := c.server(t)
	stranger := newAuthority(t, nil, "Stranger", noon.Wall.Add(-time.Hour), noon.Wall.AddDate(1, 0, 0))
	for _, test := range []struct {
		name string
		pair pair
		host string // instead of apiName
		want string // what Valid says; empty: nothing
	}{
		{"a good one", good, "", ""},
		{"a good one, by a name in capitals and with the root's dot", good, "WIFI.Example.VN.", ""},
		{"one for all names of a domain", c.server(t, func(x *x509.Certificate) { x.DNSNames = []string{"*.example.vn"} }), "", ""},
		{"with the root behind its issuer", pair{good.key, append(good.chain[:2:2], c.root.cert)}, "", ""},
		{"another name's", good, "portal.example.vn", "is not for portal.example.vn"},
		{"only a common name, which no client reads any more", c.server(t, func(x *x509.Certificate) { x.DNSNames = nil }), "", "is not for wifi.example.vn"},
		{"an address instead of a name", good, "192.0.2.1", "is no host name"},
		{"no name at all", good, ".", "is no host name"},
		{"a name with a line break", good, "wifi.example.vn\ndhcp-script=x", "is no host name"},
		{"one that has ended", c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.Add(-time.Minute) }), "", "the certificate ended at 07:29 UTC on 22 November 2026: renew it"},
		{"one that begins tomorrow", c.server(t, func(x *x509.Certificate) { x.NotBefore = noon.Wall.Add(24 * time.Hour) }), "", "begins at 07:30 UTC on 23 November 2026"},
		{"one that ends within a day", c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.Add(23 * time.Hour) }), "", "the certificate ends at 06:30 UTC on 23 November 2026: renew it"},
		{"one that ends in a little more than a day", c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.Add(25 * time.Hour) }), "", ""},
		{"without its issuer", pair{good.key, good.chain[:1]}, "", "stands alone in its file"},
		{"with another's issuer", pair{good.key, []*x509.Certificate{good.chain[0], stranger.cert}}, "", "is not signed by the one behind it"},
		{"in the wrong order", pair{c.issuer.key, []*x509.Certificate{c.issuer.cert, good.chain[0]}}, "", "is not for wifi.example.vn"},
		{"signed by itself", selfSigned(t), "", "is signed by itself"},
		{"for mail and not for servers", c.server(t, func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "", "is not for servers"},
		{"for three years", c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.AddDate(3, 0, 0) }), "", "more than 825 days"},
		{"with another's key", pair{newKey(t), good.chain}, "", "private key does not match public key"},
		{"whose issuer has ended", endedIssuer(t, c), "", "an issuer's, ended at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := newPlace(t)
			at.put(t, test.pair)
			host := apiName
			if test.host != "" {
				host = test.host
			}
			is := portal.OpenCertificate(at.cert, at.key, host, noon)
			err := is.Valid(noon)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want it valid", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
			want := "The certificate is valid for "
			if test.want != "" {
				want = "Phones are not told of the API: "
			}
			if got := is.Status(noon); !strings.HasPrefix(got, want) {
				t.Errorf("Status says %q, want it to begin with %q", got, want)
			}
		})
	}
}

func selfSigned(t *testing.T) pair {
	key := newKey(t)
	return pair{key, []*x509.Certificate{(*authority)(nil).sign(t, &x509.Certificate{
		DNSNames: []string{apiName}, NotBefore: noon.Wall.Add(-time.Hour), NotAfter: noon.Wall.AddDate(0, 1, 0)}, key)}}
}

func endedIssuer(t *testing.T, c certs) pair {
	issuer := newAuthority(t, c.root, "Old", noon.Wall.AddDate(-2, 0, 0), noon.Wall.AddDate(0, 0, -1))
	other := certs{c.root, issuer}
	return pairWith(other.server(t), c.root)
}

func pairWith(p pair, a *authority) pair { return pair{p.key, append(p.chain, a.cert)} }

func TestACertificateThatIsNotThereYet(t *testing.T) {
	at := newPlace(t)
	is := portal.OpenCertificate(at.cert, at.key, apiName, noon)
	if err := is.Valid(noon); err == nil || !strings.Contains(err.Error(), "read the certificate "+at.cert) {
		t.Errorf("Valid: got %v, want that it cannot be read", err)
	}
	at.put(t, newCerts(t).server(t))
	is.Refresh(later(time.Second)) // too soon to look again
	if is.Valid(noon) == nil {
		t.Error("the files were looked at twice in two seconds")
	}
	is.Refresh(later(2 * time.Second))
	if err := is.Valid(noon); err != nil {
		t.Errorf("after the files came: %v", err)
	}
}

func TestABrokenNewPairLeavesTheOldOneInForce(t *testing.T) {
	c := newCerts(t)
	garbage := func(t *testing.T, at place) { at.write(t, at.cert, []byte("-----BEGIN CERTIFICATE-----\nnonsense\n")) }
	for name, spoil := range map[string]func(*testing.T, place){
		"what is no certificate": garbage,
		"half of the renewal": func(t *testing.T, at place) {
			key := c.server(t)
			old, _ := os.ReadFile(at.key)
			at.put(t, key)
			at.write(t, at.key, old)
		},
		"the key is gone": func(t *testing.T, at place) { os.Remove(at.key) },
		"a certificate for another name": func(t *testing.T, at place) {
			at.put(t, c.server(t, func(x *x509.Certificate) { x.DNSNames = []string{"x.example.vn"} }))
		},
		"a certificate that has ended": func(t *testing.T, at place) {
			at.put(t, c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.Add(-time.Minute) }))
		},
		"a certificate without its chain": func(t *testing.T, at place) { p := c.server(t); at.put(t, pair{p.key, p.chain[:1]}) },
	} {
		t.Run(name, func(t *testing.T) {
			at := newPlace(t)
			at.put(t, c.server(t))
			is := portal.OpenCertificate(at.cert, at.key, apiName, noon)
			if is.Stale() != nil {
				t.Fatalf("a good pair is stale: %v", is.Stale())
			}
			spoil(t, at)
			is.Refresh(later(3 * time.Second))
			if err := is.Valid(later(3 * time.Second)); err != nil {
				t.Errorf("Valid: got %v, want the old one to be in force", err)
			}
			if is.Stale() == nil || !strings.Contains(is.Status(noon), "the older certificate stays in force") {
				t.Errorf("nobody is told: Stale %v, Status %q", is.Stale(), is.Status(noon))
			}
			if err := is.Reload(later(4 * time.Second)); err == nil {
				t.Error("Reload said nothing")
			}
			// Mended, it is taken by itself.
			renewed := c.server(t, func(x *x509.Certificate) { x.NotAfter = noon.Wall.AddDate(0, 0, 200) })
			at.put(t, renewed)
			is.Refresh(later(7 * time.Second))
			if is.Stale() != nil || !strings.Contains(is.Status(noon), "10 June 2027") {
				t.Errorf("the renewed pair is not in force: %v, %q", is.Stale(), is.Status(noon))
			}
			// And in the end nothing is better than the old one.
			spoil(t, at)
			end := later(201 * 24 * time.Hour)
			is.Refresh(end)
			if is.Valid(end) == nil {
				t.Error("a certificate that has ended is valid")
			}
		})
	}
}

func TestANewPairThatBeginsLaterIsTakenThen(t *testing.T) {
	c, at := newCerts(t), newPlace(t)
	at.put(t, c.server(t))
	is := portal.OpenCertificate(at.cert, at.key, apiName, noon)
	at.put(t, c.server(t, func(x *x509.Certificate) {
		x.NotBefore, x.NotAfter = noon.Wall.Add(time.Hour), noon.Wall.AddDate(0, 0, 100)
	}))
	is.Refresh(later(time.Minute))
	if is.Stale() == nil {
		t.Error("a pair that has not begun is in force")
	}
	is.Refresh(later(61 * time.Minute))
	if is.Stale() != nil {
		t.Errorf("it has begun: %v", is.Stale())
	}
}

func TestAClockThatIsNotSetIsNamed(t *testing.T) {
	at := newPlace(t)
	at.put(t, newCerts(t).server(t))
	asleep := noon
	asleep.Wall, asleep.InStep = time.Unix(0, 0), false
	is := portal.OpenCertificate(at.cert, at.key, apiName, asleep)
	if err := is.Valid(asleep); err == nil || !strings.Contains(err.Error(), "clock may not be set") {
		t.Errorf("got %v, want the clock named", err)
	}
	if err := is.Valid(noon); err != nil {
		t.Errorf("when the clock is set: %v", err)
	}
}
