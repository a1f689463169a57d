package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/hien-wifi/hien"
)

// soon is how long before its end a certificate is called to mind.
const soon = 7 * day

// untold is what becomes of a certificate that phones would not believe: one
// that is told of an API and cannot trust it may show nothing at all.
const untold = "until then phones are not told of the API"

// Fault is why phones must not be told of the API at this moment: the
// certificate or its key cannot be read, are no pair, are not for the name, or
// the certificate does not hold now. It says what to do. The dates are not
// looked at while the clock is not in step: a router without a battery wakes
// up in another year, and the phone knows better.
func (a API) Fault(now hien.Moment) error {
	leaf, err := a.leaf()
	if err != nil {
		return err
	}
	return a.dateFault(leaf, now)
}

// leaf reads the certificate and holds it against the key and the name.
func (a API) leaf() (*x509.Certificate, error) {
	cert, err := readSmall(a.CertFile)
	if err != nil {
		return nil, fmt.Errorf("read api_cert: %w: put the certificate for %s there; %s", err, a.Name, untold)
	}
	key, err := readSmall(a.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read api_key: %w: put the private key of %s there; %s", err, a.CertFile, untold)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("api_cert %s and api_key %s are no pair (%w): put both files of one certificate for %s there, as PEM; %s", a.CertFile, a.KeyFile, err, a.Name, untold)
	}
	if err := pair.Leaf.VerifyHostname(a.Name); err != nil {
		return nil, fmt.Errorf("api_cert %s: %w: get a certificate for %s, or set api_name to a name that this one has; %s", a.CertFile, err, a.Name, untold)
	}
	return pair.Leaf, nil
}

func (a API) dateFault(leaf *x509.Certificate, now hien.Moment) error {
	switch {
	case !now.InStep:
	case now.Wall.Before(leaf.NotBefore):
		return fmt.Errorf("api_cert %s begins to hold on %s: wait, or look at the router's clock with `date`; %s", a.CertFile, date(leaf.NotBefore), untold)
	case now.Wall.After(leaf.NotAfter):
		return fmt.Errorf("api_cert %s ended on %s: renew it; %s", a.CertFile, date(leaf.NotAfter), untold)
	}
	return nil
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// selfSigned reports whether nobody but the certificate vouches for it.
func selfSigned(leaf *x509.Certificate) bool {
	return bytes.Equal(leaf.RawIssuer, leaf.RawSubject)
}

// CheckDates warns of certificates that do not hold at this moment or end
// within a week. One that cannot be read at all is told by Check.
func (c *Config) CheckDates(now hien.Moment) (warnings []string) {
	for _, z := range c.Zones {
		a := c.Services[z.Name].API
		if a.Name == "" {
			continue
		}
		leaf, err := a.leaf()
		if err != nil {
			continue
		}
		at := c.where(z.Name, "api_cert").String() + ": "
		switch err := a.dateFault(leaf, now); {
		case err != nil:
			warnings = append(warnings, at+err.Error())
		case now.InStep && leaf.NotAfter.Sub(now.Wall) < soon:
			warnings = append(warnings, fmt.Sprintf("%sapi_cert %s ends on %s: renew it", at, a.CertFile, date(leaf.NotAfter)))
		}
	}
	return warnings
}
