package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hien-wifi/hien/internal/accesslog"
)

// requestsFile is where it is written down who asked for the access log,
// beside the log's own files.
const requestsFile = "access-requests.jsonl"

// vietnam is the time in which a request without a zone is meant.
var vietnam = time.FixedZone("+07", 7*60*60)

// A request is who asked for the access log, for what, and what was found.
type request struct {
	At       time.Time    `json:"at"`
	By       string       `json:"by"`
	Reason   string       `json:"reason"`
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	Addr     []netip.Addr `json:"addr,omitempty"`
	Files    []string     `json:"files"`
	Sessions int          `json:"sessions"` // that were handed over
}

// openAccessLog is `hien-unseal accesslog`: the sessions that were online at a
// time, for a lawful request (R-LOG-4).
func openAccessLog(c *call) error {
	keyFile := c.flags.String("key", "", "the `FILE` of the access log's unseal key (default: it is asked for)")
	from := c.flags.String("from", "", "the `TIME` asked about, as 2026-11-22 14:30 in Vietnam's time, or RFC 3339")
	to := c.flags.String("to", "", "the `TIME` until which is asked (default: the same minute)")
	addr := c.flags.String("addr", "", "only sessions with this `ADDRESS`, lent to the device or the router's own")
	reason := c.flags.String("reason", "", "why it is opened: the request's number and date, in one `TEXT`")
	by := c.flags.String("by", "", "who asks, and who opens it, in one `TEXT`")
	out := c.outFlag()
	if err := c.parse(-1); err != nil {
		return err
	}
	r := request{At: c.now().UTC().Truncate(time.Second), By: strings.TrimSpace(*by), Reason: strings.TrimSpace(*reason)}
	if err := c.checkRequest(&r, *from, *to, *addr); err != nil {
		return err
	}
	files, err := monthFiles(c.words)
	if err != nil {
		return err
	}
	for _, f := range files {
		r.Files = append(r.Files, filepath.Base(f))
	}
	key, err := c.unsealKey(*keyFile)
	if err != nil {
		return err
	}
	sessions := gather{all: map[string]*online{}}
	trouble := false
	for _, file := range files {
		found, err := accesslog.Read(file, key, sessions.take)
		if err != nil {
			return fmt.Errorf("read the access log: %w", err)
		}
		if found.Foreign+found.Closed > 0 || found.Damaged > 0 {
			trouble = true
			fmt.Fprintf(c.err, "%s: %d entries were read; %d records are of another key, %d do not open, %d bytes are damaged\n",
				file, found.Entries, found.Foreign, found.Closed, found.Damaged)
		}
	}
	asked := sessions.asked(r)
	r.Sessions = len(asked)
	note := filepath.Join(filepath.Dir(files[0]), requestsFile)
	if err := appendRequest(note, r); err != nil {
		return fmt.Errorf("nothing is shown, as it cannot be written down who asked: %w", err)
	}
	if err := c.writeTo(*out, func(w io.Writer) error { return writeSessions(w, asked) }); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%s from %s to %s.\nBy %s, because of %s; that is written down in %s.\nThe log knows devices and not people, and not which connection was whose: docs/access-log.md.\n",
		count(len(asked), "session was open", "sessions were open"), r.From.In(vietnam).Format("2006-01-02 15:04:05"), r.To.In(vietnam).Format("2006-01-02 15:04:05"), r.By, r.Reason, note)
	if trouble {
		return errSome
	}
	return nil
}

// checkRequest reads what is asked for, and holds that it is said who asks.
func (c *call) checkRequest(r *request, from, to, addr string) (err error) {
	if r.By == "" || r.Reason == "" || len(r.By)+len(r.Reason) > 1000 || strings.ContainsFunc(r.By+r.Reason, unicode.IsControl) {
		return c.misused("--by and --reason: want who asks and why, each in one line; both are written down")
	}
	if r.From, err = instant(from); err != nil {
		return c.misused("--from %q: want a time, as \"2026-11-22 14:30\"", from)
	}
	r.To = r.From.Add(time.Minute)
	if to != "" {
		if r.To, err = instant(to); err != nil || r.To.Before(r.From) {
			return c.misused("--to %q: want a time not before --from", to)
		}
	}
	if addr != "" {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return c.misused("--addr %q: want an IP address", addr)
		}
		r.Addr = []netip.Addr{a.Unmap()}
	}
	return nil
}

func instant(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, vietnam); err == nil {
			return t, nil
		}
	}
	return time.Parse(time.RFC3339, text)
}

// monthFiles are the files that were named, and those of the folders that
// were, in the order of their months.
func monthFiles(words []string) (files []string, err error) {
	for _, w := range words {
		info, err := os.Stat(w)
		if err != nil {
			return nil, fmt.Errorf("read the access log: %w", err)
		}
		if !info.IsDir() {
			files = append(files, w)
			continue
		}
		found, err := filepath.Glob(filepath.Join(w, "[0-9][0-9][0-9][0-9]-[0-9][0-9].log"))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, errors.New("which files of the access log? name them, or the folder that was copied from the router (access/ in data_dir)")
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) })
	return files, nil
}

// An online is one session, gathered from its entries.
type online struct {
	id, zone, mac        string
	start, stop          time.Time // stop is zero when it was not told
	last                 time.Time // of the latest entry
	addrs, wan           []netip.Addr
	verified             bool
	unsure, resumed, cut bool // cut: its beginning was not told
}

type gather struct {
	all   map[string]*online
	order []*online
}

// take takes an entry in. What a session had at any time is shown: a request
// is about an hour or a minute, and better too much is seen of a session than
// too little.
func (g *gather) take(e accesslog.Entry) {
	s := g.all[e.Session]
	if s == nil {
		s = &online{id: e.Session, zone: e.Zone, mac: e.MAC, start: e.At, cut: e.Kind != accesslog.Start, resumed: e.Resumed}
		g.all[e.Session] = s
		g.order = append(g.order, s)
	}
	s.last, s.verified, s.unsure = e.At, s.verified || e.Verified, s.unsure || e.Unsure
	if e.Kind == accesslog.Stop {
		s.stop = e.At
	}
	for _, a := range e.Addrs {
		if !slices.Contains(s.addrs, a) {
			s.addrs = append(s.addrs, a)
		}
	}
	for _, a := range e.WAN {
		if !slices.Contains(s.wan, a) {
			s.wan = append(s.wan, a)
		}
	}
}

// asked are the sessions that were open in the time asked about, with the
// address, if one is. A session whose end was not told may have gone on; one
// with a date that is a guess may have been then: both are shown, and say so.
func (g *gather) asked(r request) (found []*online) {
	for _, s := range g.order {
		ended := !s.stop.IsZero() && s.stop.Before(r.From)
		if !s.unsure && (s.start.After(r.To) || ended) {
			continue
		}
		if len(r.Addr) > 0 && !slices.Contains(s.addrs, r.Addr[0]) && !slices.Contains(s.wan, r.Addr[0]) {
			continue
		}
		found = append(found, s)
	}
	return found
}

func (s *online) notes() string {
	var notes []string
	for _, n := range []struct {
		is   bool
		says string
	}{
		{s.unsure, "the router's clock was not set"},
		{s.resumed || s.cut, "it had begun before"},
		{s.stop.IsZero(), "its end was not told; last seen in the log " + s.last.In(vietnam).Format(time.RFC3339)},
	} {
		if n.is {
			notes = append(notes, n.says)
		}
	}
	return strings.Join(notes, "; ")
}

func writeSessions(w io.Writer, all []*online) error {
	out := csv.NewWriter(w)
	out.Write([]string{"session", "zone", "mac", "addresses", "router_addresses", "start", "stop", "number_proved", "notes"})
	for _, s := range all {
		stop, proved := "", "no"
		if !s.stop.IsZero() {
			stop = s.stop.In(vietnam).Format(time.RFC3339)
		}
		if s.verified {
			proved = "yes"
		}
		out.Write([]string{s.id, s.zone, s.mac, addresses(s.addrs), addresses(s.wan), s.start.In(vietnam).Format(time.RFC3339), stop, proved, s.notes()})
	}
	out.Flush()
	return out.Error()
}

func addresses(all []netip.Addr) string {
	var text []string
	for _, a := range all {
		text = append(text, a.String())
	}
	return strings.Join(text, " ")
}

// appendRequest writes a request down; it is on the disk when it returns.
func appendRequest(file string, r request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}
