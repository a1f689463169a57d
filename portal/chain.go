package portal

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
)

// maxLife is how long iPhones let a server's certificate live at most (Apple,
// "Requirements for trusted certificates in iOS 13 and macOS 10.15").
const maxLife = 825 * 24 * time.Hour

// chained says why phones would refuse the certificates of a file, whatever
// the name and, but for the issuers', the time; nil when they lead from the
// first to its issuer. Phones fetch no issuer that is not sent along (RFC
// 8446, section 4.4.2), and before login could not.
func chained(pair *tls.Certificate, now hien.Moment) error {
	var chain []*x509.Certificate
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("the certificate's chain cannot be read: %w", err)
		}
		chain = append(chain, c)
	}
	leaf := chain[0]
	switch {
	case bytes.Equal(leaf.RawIssuer, leaf.RawSubject):
		return errors.New("the certificate is signed by itself, and phones refuse it: get one from an authority that they know")
	case len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return errors.New("the certificate is not for servers: get one that is")
	case leaf.NotAfter.Sub(leaf.NotBefore) > maxLife:
		return errors.New("the certificate is valid for more than 825 days, and iPhones refuse it: get one for a shorter time")
	case len(chain) == 1:
		return errors.New("the certificate stands alone in its file: put its issuer's behind it (what ACME clients call fullchain)")
	}
	for i := range chain[:len(chain)-1] {
		if err := chain[i].CheckSignatureFrom(chain[i+1]); err != nil {
			return fmt.Errorf("certificate %d of the file is not signed by the one behind it: put them in order, the server's first (%w)", i+1, err)
		}
		if i > 0 && now.Wall.After(chain[i].NotAfter) {
			return fmt.Errorf("certificate %d of the file, an issuer's, ended at %s: get the chain anew", i+1, clockTime(chain[i].NotAfter))
		}
	}
	return nil
}
