package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
)

// checked loads a good configuration whose files are in a directory of the
// test, after change edited it, and answers what Check says with the
// directory written as DIR.
func checked(t *testing.T, change func(dir string, text *string)) (warnings, faults []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewTLSServer(nil)
	server.Close()
	write("brand.key", hien.NewBrandKey(1).Reveal()+"\n")
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	certificate(t, dir, "wifi.shop.example", "An authority", noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 60))
	if err := os.Mkdir(filepath.Join(dir, "dnsmasq.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/tmp/dnsmasq.d", dir+"/dnsmasq.d", "/srv/hien", dir+"/data", "/var/run/hien", dir+"/run", "/etc/hien", dir).Replace(shop(t))
	change(dir, &text)
	write("hien", text)
	if mode := modeOf[t.Name()]; mode != 0 {
		for _, name := range []string{"hien", "brand.key", "api.key"} {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := Load(filepath.Join(dir, "hien"))
	if err != nil {
		t.Fatal(err)
	}
	warnings, err = c.Check()
	for i := range warnings {
		warnings[i] = strings.ReplaceAll(warnings[i], dir, "DIR")
	}
	if err != nil {
		faults = strings.Split(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n")
	}
	return warnings, faults
}

var modeOf = map[string]os.FileMode{"TestCheck/secrets_that_others_may_read": 0o644}

func TestCheck(t *testing.T) {
	const trial = "DIR/hien:36: zone guest asks for numbers and the sender only writes codes into the log: for trials only"
	const silent = "DIR/hien:36: nothing is asked in zone guest, and guests come in all the same: there is no config sender, without which no code goes out; with `option type 'staff'` the shop's till shows one"
	for _, c := range []struct {
		name             string
		change           func(dir string, text *string)
		warnings, faults []string
	}{
		{"a good configuration with a sender for trials", func(string, *string) {}, []string{trial}, nil},
		{"no brand key",
			func(dir string, _ *string) { os.Remove(dir + "/brand.key") }, []string{trial},
			[]string{"DIR/hien:9: there is no brand key at DIR/brand.key, and a number is asked: run `hien keygen`, or copy the brand's key there"}},
		{"an old brand key behind the current one",
			func(dir string, _ *string) {
				os.WriteFile(dir+"/brand.key", []byte("k2:"+strings.Repeat("02", 32)+"\nk1:"+strings.Repeat("01", 32)+"\n"), 0o600)
			}, []string{"DIR/hien:9: in DIR/brand.key brand key k1 still stands behind k2: people who come back are found by either, and both of their lead keys go to the sink; `hien status` says when nobody is known by the old one alone, and its line can go", trial}, nil},
		{"no brand key, and no number is asked",
			func(dir string, text *string) {
				os.Remove(dir + "/brand.key")
				*text = strings.Replace(*text, "config sender 'code'\n\toption type 'log'\n", "", 1)
			}, []string{silent, "DIR/hien:53: code_garden is never opened: codes go out only with a config sender, in a zone with a purpose"}, nil},
		{"a brand key that is none",
			func(dir string, _ *string) { os.WriteFile(dir+"/brand.key", []byte("k1:0123"), 0o600) }, []string{trial},
			[]string{"DIR/hien:9: brand key DIR/brand.key: not a brand key: want k<version>:<64 hex digits>, as `hien keygen` makes it"}},
		{"certificates that are none",
			func(dir string, _ *string) { os.WriteFile(dir+"/ca.pem", []byte("hello"), 0o600) }, []string{trial},
			[]string{"DIR/hien:75: ca_file DIR/ca.pem: no certificate in it: want PEM, beginning with -----BEGIN CERTIFICATE-----"}},
		{"no certificates, and a file where a directory should be, in the order of lines",
			func(dir string, _ *string) { os.Remove(dir + "/ca.pem"); os.WriteFile(dir+"/data", nil, 0o600) }, []string{trial},
			[]string{"DIR/hien:7: DIR/data is no directory: want one, or a path at which one can be made",
				"DIR/hien:75: read certificates of sink cdp: open DIR/ca.pem: no such file or directory"}},
		{"secrets that others may read", func(string, *string) {},
			[]string{"DIR/hien:9: others may read DIR/brand.key (mode 0644): run `chmod 600 DIR/brand.key`",
				"DIR/hien:76: others may read the write key (mode 0644): run `chmod 640 DIR/hien`", trial,
				"DIR/hien:59: others may read DIR/api.key (mode 0644): run `chmod 600 DIR/api.key`"}, nil},
		{"a pass for trials",
			func(_ string, text *string) { *text = strings.Replace(*text, "'4h'", "'20s'", 1) },
			[]string{trial, "DIR/hien:33: a pass of 20s: for trials only"}, nil},
		{"a play area where something would be asked",
			func(_ string, text *string) {
				*text = strings.Replace(*text, "option children '1'", "option children '1'\n\tlist purpose 'profile_extra'", 1)
			},
			[]string{trial, "DIR/hien:65: no purpose of zone terrace is asked for, as children '1' says that its guests are children: want no list purpose there, or children '0'"}, nil},
		{"limits that do not do what they seem to",
			func(_ string, text *string) {
				*text = strings.NewReplacer("'4h'", "'1d12h'", "down '8M'", "down '1G'", "up '2M'", "up '2500k'", "all_down '40M'", "all_down '255k'", "all_up '10M'", "all_up '2M'").Replace(*text)
			},
			[]string{trial,
				"DIR/hien:41: down of 1G for each guest is more than all_down grants all of them together (255k): it limits nobody",
				"DIR/hien:42: up of 2500k for each guest is more than all_up grants all of them together (2M): it limits nobody",
				"DIR/hien:43: all_down of 255k: all guests of zone guest together get less than one of them needs to open a page; want 256k or more",
				"DIR/hien:40: a guest who has used up its volume of 2G does not come in again before its pass would have ended, here up to 1d12h later: want a pass of at most 24h"}, nil},
		{"names in a garden and nothing that opens them",
			func(_ string, text *string) {
				*text = strings.Replace(*text, "dns_port '2053'", "dns_port '0'", 1)
			},
			[]string{trial, "DIR/hien:56: dns_port 0: the garden's names are not opened, only its addresses and networks"}, nil},
		{"phones cannot be told of the API",
			func(_ string, text *string) {
				*text = strings.Replace(*text, "option dnsmasq_dir", "#", 1)
			},
			[]string{trial, "DIR/hien:57: phones are not told of the API, as there is no dnsmasq_dir: set it in config hien 'main' to the directory from which dnsmasq reads more of its configuration"}, nil},
		{"a directory of dnsmasq's that is not there",
			func(dir string, _ *string) { os.Remove(dir + "/dnsmasq.d") },
			[]string{trial, "DIR/hien:18: there is no directory DIR/dnsmasq.d, and phones are not told of the API: want the one that dnsmasq names in its conf-dir"}, nil},
		{"no certificate for the API",
			func(dir string, _ *string) { os.Remove(dir + "/api.crt") },
			[]string{trial, "DIR/hien:58: read api_cert: open DIR/api.crt: no such file or directory: put the certificate for wifi.shop.example there; until then phones are not told of the API"}, nil},
		{"a certificate without its key",
			func(dir string, _ *string) { os.Remove(dir + "/api.key") },
			[]string{trial, "DIR/hien:58: read api_key: open DIR/api.key: no such file or directory: put the private key of DIR/api.crt there; until then phones are not told of the API"}, nil},
		{"another certificate's key",
			func(dir string, _ *string) {
				cert, _ := os.ReadFile(dir + "/api.crt")
				certificate(t, dir, "wifi.shop.example", "An authority", noon, noon)
				os.WriteFile(dir+"/api.crt", cert, 0o600)
			},
			[]string{trial, "DIR/hien:58: api_cert DIR/api.crt and api_key DIR/api.key are no pair (tls: private key does not match public key): put both files of one certificate for wifi.shop.example there, as PEM; until then phones are not told of the API"}, nil},
		{"another name's certificate",
			func(dir string, _ *string) { certificate(t, dir, "other.example", "An authority", noon, noon) },
			[]string{trial, "DIR/hien:58: api_cert DIR/api.crt: x509: certificate is valid for other.example, not wifi.shop.example: get a certificate for wifi.shop.example, or set api_name to a name that this one has; until then phones are not told of the API"}, nil},
		{"a certificate that nobody vouches for",
			func(dir string, _ *string) {
				certificate(t, dir, "wifi.shop.example", "wifi.shop.example", noon, noon)
			},
			[]string{trial, "DIR/hien:58: api_cert DIR/api.crt is signed by itself, and no phone trusts it: get one from an authority that phones know"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings, faults := checked(t, c.change)
			if d := cmp.Diff(c.warnings, warnings); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.faults, faults); d != "" {
				t.Errorf("errors (-want +got):\n%s", d)
			}
		})
	}
}

// noon is a moment of the tests.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// certificate writes api.crt and api.key into the directory, for a name, as
// issuer would have signed it.
func certificate(t *testing.T, dir, name, issuer string, from, to time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: to}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, &x509.Certificate{Subject: pkix.Name{CommonName: issuer}}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"api.crt": {Type: "CERTIFICATE", Bytes: cert}, "api.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificatesHoldFromDateToDate(t *testing.T) {
	dir := t.TempDir()
	from, to := noon.AddDate(0, 0, -30), noon.AddDate(0, 0, 60)
	certificate(t, dir, "wifi.shop.example", "An authority", from, to)
	text := strings.ReplaceAll(shop(t), "/etc/hien", dir)
	c := parse(t, text)
	at := func(wall time.Time) hien.Moment { return hien.Moment{Wall: wall, InStep: true} }
	const untold = "; until then phones are not told of the API"
	for _, k := range []struct {
		name  string
		now   hien.Moment
		warn  string // of CheckDates
		fault bool   // of the API
	}{
		{"in the middle", at(noon), "", false},
		{"more than a week before its end", at(to.AddDate(0, 0, -8)), "", false},
		{"in its last week", at(to.AddDate(0, 0, -6)), "hien.uci:58: api_cert DIR/api.crt ends on 2026-05-01: renew it", false},
		{"after its end", at(to.Add(time.Second)), "hien.uci:58: api_cert DIR/api.crt ended on 2026-05-01: renew it" + untold, true},
		{"before its beginning", at(from.Add(-time.Second)), "hien.uci:58: api_cert DIR/api.crt begins to hold on 2026-01-31: wait, or look at the router's clock with `date`" + untold, true},
		{"while the clock is not in step", hien.Moment{Wall: time.Unix(0, 0)}, "", false},
	} {
		t.Run(k.name, func(t *testing.T) {
			got := strings.ReplaceAll(strings.Join(c.CheckDates(k.now), "\n"), dir, "DIR")
			if got != k.warn {
				t.Errorf("CheckDates: got %q, want %q", got, k.warn)
			}
			if err := c.Services["guest"].API.Fault(k.now); (err != nil) != k.fault {
				t.Errorf("Fault: got %v, want a fault: %v", err, k.fault)
			}
		})
	}
	t.Run("one that is not there is a fault at any time, and Check's to tell", func(t *testing.T) {
		if err := os.Remove(filepath.Join(dir, "api.crt")); err != nil {
			t.Fatal(err)
		}
		if got := c.CheckDates(at(noon)); got != nil {
			t.Errorf("CheckDates: got %q, want nothing", got)
		}
		if err := c.Services["guest"].API.Fault(hien.Moment{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Fault: got %v, want that there is no such file", err)
		}
	})
}

func TestLoadWithoutAFile(t *testing.T) {
	_, err := Load("testdata/none.uci")
	if want := "there is no configuration testdata/none.uci: `hien setup` writes one, and --config names another"; err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %s", err, want)
	}
}
