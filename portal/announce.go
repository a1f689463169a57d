package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
)

// The API is announced by the router's own dnsmasq, which reads two
// directories by inotify, without a restart, where its configuration says so:
//
//	dhcp-optsdir=DIR/opts
//	hostsdir=DIR/hosts
//
// In the first stand DHCPv4 option 114 and DHCPv6 option 103 (RFC 8910,
// sections 2.1 and 2.2), for the interface of one zone; in the second the
// addresses of the API's name. What is new is read at once. What is gone
// dnsmasq forgets on SIGHUP only (dnsmasq(8), --dhcp-optsdir), so those that
// watch the directory get one.
//
// Where two zones share a name, dnsmasq wants localise-queries, which answers
// with the addresses of the zone that asks.

// ours is how the names of our files begin.
const ours = "hien-"

// Announce tells the guests of a zone of the API, by way of the dnsmasq that
// reads dir. url is from APIURL and name is the host in it, which addrs, the
// zone's own addresses, become the addresses of; link-local ones are left
// out. Announced again without a change, it writes nothing.
func Announce(dir, zone, iface, url, name string, addrs []netip.Addr) error {
	opts, hosts, err := snippets(zone, iface, url, name, addrs)
	if err != nil {
		return fmt.Errorf("announce the API of zone %s: %w", zone, err)
	}
	replaced := false
	for _, s := range []struct{ sub, text string }{{"hosts", hosts}, {"opts", opts}} { // the name first
		was, err := write(filepath.Join(dir, s.sub), ours+zone, s.text)
		if err != nil {
			return fmt.Errorf("announce the API of zone %s: %w", zone, err)
		}
		replaced = replaced || was
	}
	if !replaced {
		return nil
	}
	return tell(dir)
}

// Withdraw takes back what Announce has told, if it has.
func Withdraw(dir, zone string) error {
	if err := fits("zone", zone, zonePattern); err != nil {
		return fmt.Errorf("withdraw the API: %w", err)
	}
	gone := false
	for _, sub := range []string{"opts", "hosts"} {
		err := os.Remove(filepath.Join(dir, sub, ours+zone))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("withdraw the API of zone %s: %w", zone, err)
		}
		gone = gone || err == nil
	}
	if !gone {
		return nil
	}
	return tell(dir)
}

// WithdrawOthers takes back what was announced for zones that are not kept: a
// daemon that was killed could not, and a zone may be gone from the
// configuration.
func WithdrawOthers(dir string, keep ...string) error {
	var errs []error
	for _, sub := range []string{"opts", "hosts"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("withdraw the API: %w", err))
		}
		for _, e := range entries {
			zone, mine := strings.CutPrefix(e.Name(), ours)
			if mine && zonePattern.MatchString(zone) && !slices.Contains(keep, zone) {
				errs = append(errs, Withdraw(dir, zone))
			}
		}
	}
	return errors.Join(errs...)
}

// Only what can stand in dnsmasq's lines and in a file's name.
var (
	zonePattern      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	interfacePattern = regexp.MustCompile(`^[A-Za-z0-9._@-]{1,15}$`)
	urlPattern       = regexp.MustCompile(`^https://[a-z0-9.-]+(:[0-9]+)?/[a-z0-9/-]*$`)
)

func fits(what, text string, p *regexp.Regexp) error {
	if !p.MatchString(text) {
		return fmt.Errorf("the %s %q does not fit into dnsmasq's files", what, text)
	}
	return nil
}

// snippets are the two files of a zone.
func snippets(zone, iface, url, name string, addrs []netip.Addr) (opts, hosts string, err error) {
	err = errors.Join(fits("zone", zone, zonePattern), fits("interface", iface, interfacePattern), fits("address", url, urlPattern), hostName(name))
	if err == nil && len(url) > 255 {
		err = fmt.Errorf("the address is %d bytes long: a DHCP option holds 255", len(url)) // RFC 8910, section 2
	}
	var lines strings.Builder
	for _, a := range addrs {
		if a = plain(a); a.IsValid() && !a.IsLinkLocalUnicast() {
			fmt.Fprintf(&lines, "%s %s\n", a, name)
		}
	}
	if err == nil && lines.Len() == 0 {
		err = errors.New("the zone has no address")
	}
	// dnsmasq tags each request with the interface on which it came.
	return fmt.Sprintf("tag:%[1]s,114,%[2]s\ntag:%[1]s,option6:103,%[2]s\n", iface, url), lines.String(), err
}

// write makes a file what it should be, in one step: a name that begins with
// a dot is passed over by dnsmasq until it is renamed. replaced says that the
// file was there and said something else.
func write(dir, name, text string) (replaced bool, err error) {
	path := filepath.Join(dir, name)
	had, err := os.ReadFile(path)
	switch {
	case err == nil && string(had) == text:
		return false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	replaced = err == nil
	if err := os.MkdirAll(dir, 0o755); err != nil { // dnsmasq reads as a user of its own
		return false, err
	}
	draft := filepath.Join(dir, "."+name+".new")
	if err := os.WriteFile(draft, []byte(text), 0o644); err != nil {
		return false, errors.Join(err, os.Remove(draft))
	}
	return replaced, os.Rename(draft, path)
}

// tell makes every dnsmasq that watches a directory of ours forget what is no
// longer there. Where none runs there is nothing to forget.
func tell(dir string) error {
	var told []int
	for _, sub := range []string{"opts", "hosts"} {
		pids, err := watchers(filepath.Join(dir, sub), told)
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := hangUp(pid); err != nil {
				return fmt.Errorf("tell dnsmasq (process %d) to read %s again: %w", pid, dir, err)
			}
		}
		told = append(told, pids...)
	}
	return nil
}

// Heard reports whether some dnsmasq reads what Announce writes into dir: both
// its directories are watched.
func Heard(dir string) (bool, error) {
	for _, sub := range []string{"opts", "hosts"} {
		pids, err := watchers(filepath.Join(dir, sub), nil)
		if err != nil || len(pids) == 0 {
			return false, err
		}
	}
	return true, nil
}

// An Announcement keeps the guests of a zone told of the API while its
// certificate is one that phones take.
type Announcement struct {
	Dir         string // that a dnsmasq reads, see Announce
	Zone        string
	Interface   string
	Addrs       []netip.Addr // the zone's own
	Port        uint16       // on which ServeAPI answers
	Certificate *Certificate
	Now         func() hien.Moment
	Log         *slog.Logger
}

// announceEvery is how often the certificate and the files are looked at.
const announceEvery = 10 * time.Second

// Run announces and withdraws until ctx ends, and then withdraws: nobody
// answers any more. It always returns nil; what it cannot do is logged once,
// and tried again.
func (a *Announcement) Run(ctx context.Context) error {
	ticker := time.NewTicker(announceEvery)
	defer ticker.Stop()
	last := ""
	for {
		if said := a.keep(); said.text != last {
			last = said.text
			a.Log.Log(ctx, said.level, said.text, "zone", a.Zone)
		}
		select {
		case <-ctx.Done():
			if err := Withdraw(a.Dir, a.Zone); err != nil {
				a.Log.Warn("phones may still be told of the API, which no longer answers", "zone", a.Zone, "err", err)
			}
			return nil
		case <-ticker.C:
		}
	}
}

type remark struct {
	level slog.Level
	text  string
}

// keep announces or withdraws once, and says how it stands.
func (a *Announcement) keep() remark {
	now := a.Now()
	a.Certificate.Refresh(now)
	status := a.Certificate.Status(now)
	if a.Certificate.Valid(now) != nil {
		if err := Withdraw(a.Dir, a.Zone); err != nil {
			status += " " + sentence(err)
		}
		return remark{slog.LevelWarn, status}
	}
	name := a.Certificate.Name()
	err := Announce(a.Dir, a.Zone, a.Interface, APIURL(name, a.Port), name, a.Addrs)
	heard := true
	if err == nil {
		heard, err = Heard(a.Dir)
	}
	switch {
	case err != nil:
		return remark{slog.LevelWarn, "Phones are not told of the API: " + err.Error() + "."}
	case !heard:
		return remark{slog.LevelWarn, fmt.Sprintf("%s No dnsmasq reads %s: give it the lines dhcp-optsdir=%[2]s/opts and hostsdir=%[2]s/hosts, and restart it.", status, a.Dir)}
	case a.Certificate.Stale() != nil:
		return remark{slog.LevelWarn, status}
	}
	return remark{slog.LevelInfo, status + " Phones are told of the API by DHCP."}
}

// sentence is an error as one.
func sentence(err error) string {
	text := []byte(err.Error())
	return string(append(bytes.ToUpper(text[:1]), append(text[1:], '.')...))
}
