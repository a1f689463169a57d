package accesslog

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hien-wifi/hien"
)

// A Mode is how much the log keeps.
type Mode string

// The modes, R-LOG-1.
const (
	None    Mode = "none"
	Minimal Mode = "minimal" // device, addresses, beginning and end
	VN333   Mode = "vn_333"  // and the router's addresses, and whether a number was proved
)

const (
	flushAfter  = time.Minute      // an entry waits at most so long for others
	flushAt     = 64               // or until so many wait
	clockAfter  = 15 * time.Minute // or so long for the clock to be set
	wanEvery    = 30 * time.Second // how often the router's own addresses are looked at
	sweepEvery  = 6 * time.Hour
	maxSessions = 8192     // that are followed at once
	maxWaiting  = 4096     // entries that wait while the disk fails
	maxMonth    = 32 << 20 // bytes of a month's file: the flash is for the record too
)

// Options say where the log is and whom it asks.
type Options struct {
	Dir string
	Log *slog.Logger

	// WAN are the router's own addresses towards the internet.
	WAN func() []netip.Addr

	// Keep is for how many months a file is kept, and whether the date may be
	// believed: with a wrong one everything would seem too old.
	Keep func(now hien.Moment) (months int, believed bool)
}

// A Log is the access log of one router. It is safe for concurrent use.
type Log struct {
	o Options

	mu       sync.Mutex
	mode     Mode
	key      hien.SealKey
	sessions map[hien.GuestID]*session
	followed bool // sessions were told of before: a new one is new
	waiting  []waiting
	since    time.Duration // Moment.Up at which the first of them came
	wan      []netip.Addr
	looked   time.Duration // Moment.Up at which wan was looked up
	swept    time.Duration // Moment.Up
	file     *os.File
	month    string
	end      int64
	trouble  string
	lost     int
}

type session struct {
	id       string
	addrs    []netip.Addr
	verified bool
	here     bool // in the round that goes on
}

// A waiting is an entry and the moment that it tells of.
type waiting struct {
	entry Entry
	at    hien.Moment
}

var _ hien.Sessions = (*Log)(nil)

// New makes a log that is off. It touches nothing.
func New(o Options) *Log {
	return &Log{o: o, mode: None, sessions: make(map[hien.GuestID]*session)}
}

// Set puts a mode and a key in force. What waits is written first, under the
// key for which it was told.
func (l *Log) Set(mode Mode, key hien.SealKey, now hien.Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mode == l.mode && key.String() == l.key.String() {
		return
	}
	if l.mode != None {
		if mode == None {
			l.here(nil, now) // everybody's session ends here, as far as is told
		}
		l.flush(now)
	}
	l.mode, l.key = mode, key
	if mode == None {
		l.close()
		l.followed = false
	}
}

// On reports whether there is a log to be kept.
func (l *Log) On() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode != None
}

// Close writes what waits. Sessions go on: the door stays as it is when the
// daemon ends.
func (l *Log) Close(now hien.Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mode != None {
		l.flush(now)
		l.close()
	}
}

// A State is how the log is.
type State struct {
	Mode     Mode
	Sessions int    // that are open
	Trouble  string // why it cannot be written; empty when it can
	Lost     int    // entries that were never written
}

// State tells how the log is.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{l.mode, len(l.sessions), l.trouble, l.lost}
}

// Here takes in who is online, and deletes what is too old, which a log that
// was switched off does too.
func (l *Log) Here(all []hien.Session, now hien.Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.swept == 0 || now.Up-l.swept >= sweepEvery {
		l.swept = now.Up
		l.sweep(now)
	}
	if l.mode == None {
		return
	}
	l.here(all, now)
	l.followed = true
	first := len(l.waiting) > 0 && now.Up-l.since >= flushAfter
	late := !now.InStep && len(l.waiting) > 0 && now.Up-l.since < clockAfter // the clock may be set soon
	if len(l.waiting) >= flushAt || first && !late {
		l.flush(now)
	}
}

// here tells the beginnings, changes and ends by comparing with who was
// online before.
func (l *Log) here(all []hien.Session, now hien.Moment) {
	moved := l.lookOut(now)
	for _, s := range l.sessions {
		s.here = false
	}
	for _, is := range all {
		s := l.sessions[is.Guest]
		if s == nil {
			if len(l.sessions) >= maxSessions {
				l.lost++
				continue
			}
			s = &session{id: rand.Text()[:16], addrs: slices.Clone(is.Addrs), verified: is.Verified, here: true}
			l.sessions[is.Guest] = s
			l.tell(Start, is.Guest, s, now, !l.followed)
			continue
		}
		s.here = true
		changed := moved || is.Verified != s.verified
		s.verified = is.Verified
		for _, a := range is.Addrs {
			if !slices.Contains(s.addrs, a) {
				changed = true
			}
		}
		if s.addrs = slices.Clone(is.Addrs); changed {
			l.tell(Change, is.Guest, s, now, false)
		}
	}
	for id, s := range l.sessions {
		if !s.here {
			l.tell(Stop, id, s, now, false)
			delete(l.sessions, id)
		}
	}
}

// lookOut looks at the router's own addresses, and reports whether they have
// changed.
func (l *Log) lookOut(now hien.Moment) bool {
	if l.mode != VN333 || l.o.WAN == nil || l.looked != 0 && now.Up-l.looked < wanEvery {
		return false
	}
	l.looked = now.Up
	before := l.wan
	l.wan = l.o.WAN()
	return !slices.Equal(before, l.wan)
}

func (l *Log) tell(kind string, id hien.GuestID, s *session, now hien.Moment, resumed bool) {
	if len(l.waiting) == 0 {
		l.since = now.Up
	}
	if len(l.waiting) >= maxWaiting {
		l.waiting = l.waiting[1:]
		l.lost++
	}
	e := Entry{Kind: kind, Session: s.id, Zone: id.Zone, MAC: id.MAC.Reveal().String(), Addrs: s.addrs, Resumed: resumed}
	if l.mode == VN333 {
		e.WAN, e.Verified = l.wan, s.verified
	}
	l.waiting = append(l.waiting, waiting{e, now})
}

// flush writes what waits. What cannot be written waits on.
func (l *Log) flush(now hien.Moment) {
	for len(l.waiting) > 0 {
		n, err := l.write(now)
		if err != nil {
			if l.trouble == "" {
				l.o.Log.Error("the access log cannot be written; guests come in all the same", "err", err)
			}
			l.trouble = err.Error()
			l.close()
			l.since = now.Up // tried again in a minute
			return
		}
		l.waiting = l.waiting[n:]
		l.trouble = ""
	}
	l.waiting = nil
}

// write writes the first entries of one month as one record, and answers how
// many they were.
func (l *Log) write(now hien.Moment) (n int, err error) {
	newest, err := l.newest()
	if err != nil {
		return 0, err
	}
	var text bytes.Buffer
	month := ""
	for _, w := range l.waiting {
		at := w.at.Restamp(now)
		e := w.entry
		e.At, e.Unsure = at.Wall.UTC().Truncate(time.Second), !at.InStep
		line, err := json.Marshal(e)
		if err != nil {
			return 0, err
		}
		of := at.Wall.In(vietnam).Format("2006-01")
		if e.Unsure {
			of = max(of, newest) // a guess is never too late: the clock began with an old date
		}
		if n > 0 && (of != month || text.Len()+len(line)+1 > maxRecord) {
			break
		}
		month = of
		text.Write(line)
		text.WriteByte('\n')
		n++
	}
	if err := l.open(month); err != nil {
		return 0, err
	}
	record, err := seal(l.key, l.month, l.end, text.Bytes())
	if err != nil {
		return 0, err
	}
	if l.end+int64(len(record)) > maxMonth {
		return 0, fmt.Errorf("%s has %d MB, and no more are taken", l.month+ending, maxMonth>>20)
	}
	if _, err := l.file.WriteAt(record, l.end); err != nil {
		return 0, err
	}
	if err := l.file.Sync(); err != nil {
		return 0, err
	}
	l.end += int64(len(record))
	return n, nil
}

// vietnam is the time by which months are told. It has no summer time.
var vietnam = time.FixedZone("+07", 7*60*60)

// newest is the month of the newest file; empty when there is none.
func (l *Log) newest() (string, error) {
	names, err := l.files()
	if err != nil || len(names) == 0 {
		return "", err
	}
	return strings.TrimSuffix(names[len(names)-1], ending), nil
}

// open has a month's file open.
func (l *Log) open(month string) error {
	if err := os.MkdirAll(l.o.Dir, 0o700); err != nil {
		return err
	}
	if l.file != nil && l.month == month {
		return nil
	}
	l.close()
	f, end, err := openMonth(filepath.Join(l.o.Dir, month+ending))
	if err != nil {
		return err
	}
	dir, err := os.Open(l.o.Dir)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close()) // so that a new file is there after a power cut
	}
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.month, l.end = f, month, end
	return nil
}

func (l *Log) close() {
	if l.file != nil {
		l.file.Close() // each write was synced
		l.file = nil
	}
}

// files are the months' files, the oldest first.
func (l *Log) files() (names []string, err error) {
	all, err := os.ReadDir(l.o.Dir) // sorted by name
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range all {
		if monthName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// sweep deletes the files of months that are too old.
func (l *Log) sweep(now hien.Moment) {
	if l.o.Keep == nil {
		return
	}
	months, believed := l.o.Keep(now)
	if !believed || months < 1 {
		return
	}
	names, err := l.files()
	if err != nil {
		return // it is told when the log is written
	}
	first := now.Wall.In(vietnam)
	// Its last day must be as old as all that: one month more than months.
	limit := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, vietnam).AddDate(0, -months-1, 0).Format("2006-01") + ending
	for _, name := range names {
		if name > limit {
			break
		}
		if name == l.month+ending {
			l.close()
		}
		if err := os.Remove(filepath.Join(l.o.Dir, name)); err != nil {
			l.o.Log.Error("a month of the access log that is too old could not be deleted", "file", name, "err", err)
			continue
		}
		l.o.Log.Info("a month of the access log was deleted for its age", "file", name, "months", months)
	}
}
