package config

import (
	"cmp"
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
// a notice that is not complete, so that nothing is asked; secrets that others on the router may read, trials left in place, limits that
// do not do what they seem to, an API that phones would not believe.
// Certificates' dates are for CheckDates.
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
		keys, err := c.BrandKeys()
		fail(at, err)
		if before := keys.Previous(); len(before) > 0 {
			warn(at, "in %s brand key k%d still stands behind k%d: people who come back are found by either, and both of their lead keys go to the sink; `hien status` says when nobody is known by the old one alone, and its line can go", c.BrandKeyFile, before[0].Version(), keys.Current().Version())
		}
		if mode, open := openToOthers(c.BrandKeyFile); open {
			warn(at, "others may read %s (mode %04o): run `chmod 600 %s`", c.BrandKeyFile, mode, c.BrandKeyFile)
		}
	}
	if s := c.Sink; s != nil {
		_, err := s.CAs()
		fail(c.where(s.Name, "ca_file"), err)
	}
	if mode, open := openToStrangers(c.file); open && c.Sink != nil {
		warn(c.where(c.Sink.Name, "write_key"), "others may read the write key (mode %04o): run `chmod 640 %s`", mode, c.file)
	}
	c.checkSenders(fail, warn)
	c.checkNotice(warn)
	for _, z := range c.Zones {
		if z.Pass < time.Minute {
			warn(c.where(z.Name, "pass"), "a pass of %s: for trials only", span(z.Pass))
		}
		c.checkLimits(z, warn)
		c.checkAPI(z, warn)
	}
	if len(errs) > 0 {
		p := parser{errs: errs}
		p.sort()
		return warnings, p.errs
	}
	return warnings, nil
}

// fewBits is what one guest needs for a page to open while it waits.
const fewBits = 256e3

// checkLimits warns of limits that do something else than they seem to.
func (c *Config) checkLimits(z hien.Zone, warn func(at uci.Pos, format string, args ...any)) {
	for _, way := range []struct {
		name     string
		one, all int64
	}{{"down", z.Speed.Down, z.AllSpeed.Down}, {"up", z.Speed.Up, z.AllSpeed.Up}} {
		if way.all != 0 && way.one > way.all {
			warn(c.where(z.Name, way.name), "%s of %s for each guest is more than all_%s grants all of them together (%s): it limits nobody", way.name, amount(way.one), way.name, amount(way.all))
		}
	}
	if all := z.AllSpeed.Down; all != 0 && all < fewBits {
		warn(c.where(z.Name, "all_down"), "all_down of %s: all guests of zone %s together get less than one of them needs to open a page; want %s or more", amount(all), z.Name, amount(fewBits))
	}
	if z.Volume != 0 && z.Pass > day {
		warn(c.where(z.Name, "volume"), "a guest who has used up its volume of %s does not come in again before its pass would have ended, here up to %s later: want a pass of at most 24h", amount(z.Volume), span(z.Pass))
	}
	if z.Children && len(z.Purposes) > 0 {
		warn(c.where(z.Name, "purpose"), "no purpose of zone %s is asked for, as children '1' says that its guests are children: want no list purpose there, or children '0'", z.Name)
	}
	if len(z.CodeGarden) > 0 && (len(c.Codes()) == 0 || len(z.Asks()) == 0) {
		warn(c.where(z.Name, "code_garden"), "code_garden is never opened: codes go out only with a config sender, in a zone with a purpose")
	}
	if s := c.Services[z.Name]; s.DNSPort == 0 {
		if names, _, codeNames := Gardens(z); len(names)+len(codeNames) > 0 {
			warn(c.where(z.Name, "dns_port"), "dns_port 0: the garden's names are not opened, only its addresses and networks")
		}
	}
}

// checkAPI warns of what keeps phones from being told of the API.
func (c *Config) checkAPI(z hien.Zone, warn func(at uci.Pos, format string, args ...any)) {
	a := c.Services[z.Name].API
	if a.Name == "" {
		return
	}
	if leaf, err := a.leaf(); err != nil {
		warn(c.where(z.Name, "api_cert"), "%s", err)
	} else if selfSigned(leaf) {
		warn(c.where(z.Name, "api_cert"), "api_cert %s is signed by itself, and no phone trusts it: get one from an authority that phones know", a.CertFile)
	}
	if mode, open := openToOthers(a.KeyFile); open {
		warn(c.where(z.Name, "api_key"), "others may read %s (mode %04o): run `chmod 600 %s`", a.KeyFile, mode, a.KeyFile)
	}
	if c.DnsmasqDir == "" {
		warn(c.where(z.Name, "api_name"), "phones are not told of the API, as there is no dnsmasq_dir: set it in config hien 'main' to the directory from which dnsmasq reads more of its configuration")
	} else if info, err := os.Stat(c.DnsmasqDir); err != nil || !info.IsDir() {
		warn(c.where("main", "dnsmasq_dir"), "there is no directory %s, and phones are not told of the API: want the one that dnsmasq names in its conf-dir", c.DnsmasqDir)
	}
}

// span writes a time as setDuration reads it.
func span(d time.Duration) (text string) {
	for _, unit := range units {
		if n := d / unit.is; n > 0 {
			text += fmt.Sprintf("%d%c", n, unit.sign)
			d %= unit.is
		}
	}
	return cmp.Or(text, "0s")
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

// openToStrangers is openToOthers for the configuration, which root writes and
// the daemon's group may read.
func openToStrangers(name string) (fs.FileMode, bool) {
	mode, _ := openToOthers(name)
	return mode, mode&0o037 != 0
}

// BrandKeys reads the brand's keys from their file.
func (c *Config) BrandKeys() (hien.BrandKeys, error) {
	text, err := readSmall(c.BrandKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return hien.BrandKeys{}, fmt.Errorf("there is no brand key at %s, and a number is asked: run `hien keygen`, or copy the brand's key there", c.BrandKeyFile)
	}
	if err != nil {
		return hien.BrandKeys{}, fmt.Errorf("read brand key: %w", err)
	}
	keys, err := hien.ParseBrandKeys(string(text))
	if err != nil {
		return hien.BrandKeys{}, fmt.Errorf("brand key %s: %w", c.BrandKeyFile, err)
	}
	return keys, nil
}

// CAs reads the certificates against which the sink is checked; nil, for the
// system's, when no file is named.
func (s Sink) CAs() (*x509.CertPool, error) { return readCAs(s.CAFile, "sink "+s.Name) }

// readCAs reads the certificates that a section names; nil when it names none.
func readCAs(file, section string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readSmall(file)
	if err != nil {
		return nil, fmt.Errorf("read certificates of %s: %w", section, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s: no certificate in it: want PEM, beginning with -----BEGIN CERTIFICATE-----", file)
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
