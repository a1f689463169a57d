package portal

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hien-wifi/hien"
)

// A Certificate is the TLS certificate of the API, as it lies in two files of
// the owner's, and the name under which phones ask for it. The files are read
// again when they change, so that a renewal needs no restart; a pair that
// cannot be used leaves the one before it in force. It is safe for concurrent
// use.
type Certificate struct {
	certFile, keyFile, name string

	mu     sync.Mutex
	pair   *tls.Certificate // in force; nil when none ever could be used
	seen   [2]os.FileInfo   // the files when they were read last
	looked time.Duration    // Moment.Up when the files were looked at last
	newer  error            // why the files as they are now are not in force; nil when they are
}

// NearEnd is how long before its end a certificate is no longer announced:
// a phone keeps what DHCP told it for as long as its lease.
const NearEnd = 24 * time.Hour

// lookEvery is how often the files are looked at, at most.
const lookEvery = 2 * time.Second

// OpenCertificate reads a certificate with its chain and its key, both PEM.
// What is wrong with them is told by Valid and Status and may be mended at any
// time.
func OpenCertificate(certFile, keyFile, name string, now hien.Moment) *Certificate {
	c := &Certificate{certFile: certFile, keyFile: keyFile, name: strings.TrimSuffix(strings.ToLower(name), ".")}
	c.Reload(now)
	return c
}

// Name is the host name under which phones ask, in lower case.
func (c *Certificate) Name() string { return c.name }

// Reload reads the files now. The error says why they are not in force.
func (c *Certificate) Reload(now hien.Moment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(now)
}

// Refresh reads the files again when they have changed, or could not be used
// before. It looks at them once in two seconds at most.
func (c *Certificate) Refresh(now hien.Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Up-c.looked < lookEvery {
		return
	}
	c.looked = now.Up
	if c.newer == nil && same(c.seen, c.look()) {
		return
	}
	c.read(now)
}

// read puts the files in force, unless they cannot be used and what is in
// force can.
func (c *Certificate) read(now hien.Moment) error {
	c.looked, c.seen = now.Up, c.look() // before they are read: what changes meanwhile is seen next time
	pair, err := c.load()
	if err == nil {
		err = usable(pair, c.name, now)
	}
	if pair != nil && (err == nil || c.pair == nil || usable(c.pair, c.name, now) != nil) {
		c.pair, err = pair, nil // better than what was: Valid says what it lacks
	}
	c.newer = err
	return err
}

// load reads a pair whose key is its certificate's.
func (c *Certificate) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s and its key %s: %w", c.certFile, c.keyFile, err)
	}
	return &pair, nil
}

func (c *Certificate) look() (seen [2]os.FileInfo) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			seen[i] = info
		}
	}
	return seen
}

// same reports whether files are the ones they were: inode, size and time of
// the last change.
func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil && b[i] == nil:
		case a[i] == nil || b[i] == nil, !os.SameFile(a[i], b[i]),
			a[i].Size() != b[i].Size(), !a[i].ModTime().Equal(b[i].ModTime()):
			return false
		}
	}
	return true
}

// Valid says why the API must not be announced with the certificate that is in
// force, in words for the owner; nil when it may. A client that cannot
// validate a certificate ignores the API (RFC 8908, section 4.1).
func (c *Certificate) Valid(now hien.Moment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair == nil {
		return c.newer
	}
	if err := usable(c.pair, c.name, now); err != nil {
		return err
	}
	if end := c.pair.Leaf.NotAfter; !now.Wall.Before(end.Add(-NearEnd)) {
		return fmt.Errorf("the certificate ends at %s: renew it", clockTime(end))
	}
	return nil
}

// Stale says why the files as they are now are not in force, and an older
// certificate is; nil when they are.
func (c *Certificate) Stale() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair == nil {
		return nil
	}
	return c.newer
}

// Status says in a sentence or two how it stands, for the owner.
func (c *Certificate) Status(now hien.Moment) string {
	err := c.Valid(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil && c.newer != nil && c.pair != nil:
		return fmt.Sprintf("Phones are not told of the API: %v. The files as they are now cannot be used: %v.", err, c.newer)
	case err != nil:
		return fmt.Sprintf("Phones are not told of the API: %v.", err)
	}
	fine := fmt.Sprintf("The certificate is valid for %s until %s.", c.name, clockTime(c.pair.Leaf.NotAfter))
	if c.newer != nil {
		return fmt.Sprintf("%s The files as they are now cannot be used, and the older certificate stays in force: %v.", fine, c.newer)
	}
	return fine
}

// config is the TLS configuration of a listener.
func (c *Certificate) config(now func() hien.Moment) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // RFC 9325, section 3.1.1
		NextProtos: []string{"http/1.1"},
		// Whatever name is asked for, or none: a phone that wants another one
		// sees that this is not it.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.Refresh(now())
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.pair == nil {
				return nil, errors.New("there is no certificate")
			}
			return c.pair, nil
		},
	}
}

// usable says why phones would not take a pair at a time; nil when nothing is
// seen to be wrong with it. Whether they trust its root only they know.
func usable(pair *tls.Certificate, name string, now hien.Moment) error {
	leaf := pair.Leaf // set by tls.LoadX509KeyPair since Go 1.23
	if err := hostName(name); err != nil {
		return err
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return fmt.Errorf("the certificate is not for %s: get one for it, or set option api_name to a name that it has (%w)", name, err)
	}
	if err := chained(pair, now); err != nil {
		return err
	}
	step := ""
	if !now.InStep {
		step = " (the router's clock may not be set)"
	}
	switch {
	case now.Wall.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate begins at %s%s", clockTime(leaf.NotBefore), step)
	case now.Wall.After(leaf.NotAfter):
		return fmt.Errorf("the certificate ended at %s%s: renew it", clockTime(leaf.NotAfter), step)
	}
	return nil
}

// hostName says why a name cannot stand in the API's address; nil when it can.
// RFC 8910, section 2: the address holds no IP address, which few certificates
// have.
func hostName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil || len(name) > 253 || !hostPattern.MatchString(name) {
		return fmt.Errorf("%q is no host name: set option api_name to the one that the certificate has", name)
	}
	return nil
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// clockTime is a time for the owner.
func clockTime(t time.Time) string { return t.UTC().Format("15:04 UTC on 2 January 2006") }
