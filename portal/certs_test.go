package portal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An authority makes certificates that are signed by it.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate of a template; a nil authority signs itself.
func (a *authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(7)
	if a == nil {
		a = &authority{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newAuthority(t testing.TB, by *authority, name string, from, to time.Time) *authority {
	key := newKey(t)
	return &authority{by.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, key), key}
}

// A pair is what lies in the two files.
type pair struct {
	key   *ecdsa.PrivateKey
	chain []*x509.Certificate
}

// A world of certificates around noon: a root that phones know, an issuer
// under it, and servers.
type certs struct {
	root, issuer *authority
}

func newCerts(t testing.TB) certs {
	root := newAuthority(t, nil, "Root", noon.Wall.AddDate(-1, 0, 0), noon.Wall.AddDate(9, 0, 0))
	return certs{root, newAuthority(t, root, "Issuer", noon.Wall.AddDate(-1, 0, 0), noon.Wall.AddDate(1, 0, 0))}
}

// roots are what phones trust.
func (c certs) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.root.cert)
	return pool
}

const apiName = "wifi.example.vn"

// server makes a good pair for ninety days, edited.
func (c certs) server(t testing.TB, edit ...func(*x509.Certificate)) pair {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: apiName}, DNSNames: []string{apiName},
		NotBefore: noon.Wall.Add(-time.Hour), NotAfter: noon.Wall.AddDate(0, 0, 90),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, e := range edit {
		e(template)
	}
	key := newKey(t)
	return pair{key, []*x509.Certificate{c.issuer.sign(t, template, key), c.issuer.cert}}
}

// A place is where a certificate and its key lie.
type place struct{ cert, key string }

func newPlace(t testing.TB) place {
	dir := t.TempDir()
	return place{filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "key.pem")}
}

// put writes a pair as ACME clients do: to another name, and renamed.
func (p place) put(t testing.TB, is pair) {
	t.Helper()
	var chain []byte
	for _, c := range is.chain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(is.key)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, p.cert, chain)
	p.write(t, p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (p place) write(t testing.TB, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}
