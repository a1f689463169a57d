package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/uci"
)

// Check looks at the files that the configuration names: the brand key, where
// a number is asked, and each sink's certificates, can be read; data_dir and
// run_dir are no files. What would keep Hiên from running comes back as
// uci.Errors. Warnings are what the owner should mend and Hiên can run with:
// secrets that others on the router may read, trials left in place.
func (c *Config) Check() (warnings []string, err error) {
	var errs uci.Errors
	fail := func(at uci.Pos, err error) {
		if err != nil {
			errs = append(errs, &uci.Error{Pos: at, Text: err.Error()})
		}
	}
	warn := func(at uci.Pos, format string, args ...any) {
		warnings = append(warnings, at.String()+": "+fmt.Sprintf(format, args...))
	}
	fail(c.where("main", "data_dir"), notDir(c.DataDir))
	fail(c.where("main", "run_dir"), notDir(c.RunDir))
	if c.Asks() {
		at := c.where("main", "brand_key_file")
		_, err := c.BrandKey()
		fail(at, err)
		if mode, open := openToOthers(c.BrandKeyFile); open {
			warn(at, "others may read %s (mode %04o): run `chmod 600 %s`", c.BrandKeyFile, mode, c.BrandKeyFile)
		}
	}
	if s := c.Sink; s != nil {
		_, err := s.CAs()
		fail(c.where(s.Name, "ca_file"), err)
	}
	if mode, open := openToOthers(c.file); open && c.Sink != nil {
		warn(c.where(c.Sink.Name, "write_key"), "others may read the write key (mode %04o): run `chmod 600 %s`", mode, c.file)
	}
	if c.Sender != nil && c.Sender.Type == "log" {
		for _, z := range c.Zones {
			if len(z.Purposes) > 0 {
				warn(c.where(z.Name, "purpose"), "zone %s asks for numbers and the sender only writes codes into the log: for trials only", z.Name)
			}
		}
	}
	for _, z := range c.Zones {
		if z.Pass < time.Minute {
			warn(c.where(z.Name, "pass"), "a pass of %s: for trials only", z.Pass)
		}
	}
	if len(errs) > 0 {
		p := parser{errs: errs}
		p.sort()
		return warnings, p.errs
	}
	return warnings, nil
}

// notDir says that there is something that is no directory.
func notDir(name string) error {
	info, err := os.Stat(name)
	if err != nil || info.IsDir() {
		return nil // one that is not there can be made
	}
	return fmt.Errorf("%s is no directory: want one, or a path at which one can be made", name)
}

// openToOthers reports whether others than the owner may read a file.
func openToOthers(name string) (fs.FileMode, bool) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, false
	}
	mode := info.Mode().Perm()
	return mode, mode&0o077 != 0
}

// BrandKey reads the brand key from its file.
func (c *Config) BrandKey() (hien.BrandKey, error) {
	text, err := readSmall(c.BrandKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return hien.BrandKey{}, fmt.Errorf("there is no brand key at %s, and a number is asked: run `hien keygen`, or copy the brand's key there", c.BrandKeyFile)
	}
	if err != nil {
		return hien.BrandKey{}, fmt.Errorf("read brand key: %w", err)
	}
	key, err := hien.ParseBrandKey(string(text))
	if err != nil {
		return hien.BrandKey{}, fmt.Errorf("brand key %s: %w", c.BrandKeyFile, err)
	}
	return key, nil
}

// CAs reads the certificates against which the sink is checked; nil, for the
// system's, when no file is named.
func (s Sink) CAs() (*x509.CertPool, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	text, err := readSmall(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read certificates of sink %s: %w", s.Name, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s: no certificate in it: want PEM, beginning with -----BEGIN CERTIFICATE-----", s.CAFile)
	}
	return pool, nil
}

// readSmall reads a file of at most 1 MiB: more is not what it should be.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, uci.MaxSize+1))
	if err == nil && len(text) > uci.MaxSize {
		err = fmt.Errorf("%s is larger than %d bytes", name, uci.MaxSize)
	}
	return text, err
}
