package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/sqlite"
)

// replaced is the record that stands where the backup goes.
type replaced struct {
	head   consent.Head // where it is later than the backup's; else zero
	graves []sqlite.Grave
	beside sqlite.Unrecorded
	untold []hien.LeadKey // of whose end the CDP was not told yet
}

// told are the events that a replay has queued and of which the CDP was told
// before.
func (h replaced) told(before, after []sqlite.End) (ids []consent.ID) {
	for _, e := range after {
		if !slices.Contains(before, e) && !slices.Contains(h.untold, e.User) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// A replay is what a person has ended since the backup.
type replay struct {
	who      hien.Who
	purposes []consent.Purpose // none: the person was erased
}

// carryOut ends it again, and reports whether the person was there.
func (p replay) carryOut(ctx context.Context, house *hien.Gateway, now hien.Moment) (bool, error) {
	if len(p.purposes) > 0 {
		err := house.Withdraw(ctx, p.who, p.purposes, "restore", now)
		return err == nil, err
	}
	_, err := house.Erase(ctx, p.who, "restore", now)
	return err == nil, err
}

// look finds out what stands here, whether the backup may go over it, and what
// people have ended since.
func (r *restoring) look(ctx context.Context) error {
	if err := r.lookAtBrandKey(); err != nil {
		return err
	}
	if r.since != "" {
		if err := r.readSince(); err != nil {
			return err
		}
	}
	path := filepath.Join(r.cfg.DataDir, sqlite.FileName)
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		r.say("There is no record at %s.", path)
		return nil
	} else if err != nil {
		return fmt.Errorf("look at the record here: %w", err)
	}
	l, err := sqlite.OpenLedger(ctx, path)
	if errors.Is(err, sqlite.ErrInUse) {
		return err
	}
	if err == nil {
		err = errors.Join(r.compare(ctx, l), l.Close())
		var refused *goesOver
		if err == nil || errors.As(err, &refused) {
			return err
		}
	}
	if !r.over {
		return &goesOver{fmt.Sprintf("the record here cannot be read (%v), so nobody knows whether it has something newer: --over goes over it", err)}
	}
	r.say("The record here cannot be read; it is gone over.")
	return nil
}

// goesOver says why a backup may not go over the record that is here.
type goesOver struct{ why string }

func (e *goesOver) Error() string { return e.why }

// compare finds out how the record here and the backup's stand to each other.
func (r *restoring) compare(ctx context.Context, l *sqlite.Ledger) error {
	head, err := l.Head(ctx)
	if err != nil {
		return err
	}
	theirs := r.b.Manifest.Head()
	same, err := r.sameLedger(ctx, l, head)
	if err != nil {
		return err
	}
	if same {
		if r.here.beside, err = l.Unrecorded(ctx); err != nil {
			return err
		}
	}
	after := theirs.Seq
	switch {
	case !same && !r.over:
		return &goesOver{fmt.Sprintf("the record here is of another ledger, of %d entries: --over goes over it, and its consents are lost", head.Seq)}
	case !same:
		after = 0
		r.say("The record here is of another ledger, of %d entries; it is gone over.", head.Seq)
	case head.Seq > theirs.Seq && !r.over:
		return &goesOver{fmt.Sprintf("the record here has %d entries that the backup has not: --over goes over it, and the consents among them are lost", head.Seq-theirs.Seq)}
	case head.Seq > theirs.Seq:
		r.here.head = head
	default:
		r.say("The record here has nothing that the backup has not.")
		return nil // whom it knows to be erased may have consented anew in the backup
	}
	if err := r.collectEnds(l.EntriesAfter(ctx, after)); err != nil {
		return err
	}
	if r.here.graves, err = l.Graves(ctx); err != nil {
		return err
	}
	ends, err := l.Ends(ctx)
	for _, e := range ends {
		r.here.untold = append(r.here.untold, e.User)
	}
	return err
}

// collectEnds reads what people have ended in entries that will be lost: by an
// erasure, by a withdrawal, or by saying no when they were asked again. Who said
// yes again after a withdrawal is taken upstream for somebody who agrees, and
// that yes is lost: so the end of it is told once more.
func (r *restoring) collectEnds(entries iter.Seq2[consent.Entry, error]) error {
	again := make(map[consent.ID]bool) // who answered again
	for e, err := range entries {
		if err != nil {
			return err
		}
		s, err := e.Statement()
		if err != nil {
			return err
		}
		p := replay{who: hien.Who{Subject: s.Subject, Alone: true}} // another name of the same person has entries of its own
		for _, a := range s.Answers {
			if !a.Agreed {
				p.purposes = append(p.purposes, a.Purpose)
			}
		}
		switch s.Kind {
		case consent.KindErasure:
			r.replays = append(r.replays, replay{who: hien.Who{Subject: s.Subject}})
		case consent.KindWithdrawal:
			r.replays = append(r.replays, p)
		case consent.KindConsent:
			again[s.Subject] = true
			if len(p.purposes) > 0 {
				r.refused = append(r.refused, p)
			}
		}
	}
	kept := r.replays[:0]
	for _, p := range r.replays {
		if again[p.who.Subject] && len(p.purposes) > 0 {
			r.listed = append(r.listed, p)
		} else {
			kept = append(kept, p)
		}
	}
	r.replays = kept
	return nil
}

// sameLedger reports whether one of the two ledgers is the beginning of the
// other.
func (r *restoring) sameLedger(ctx context.Context, l *sqlite.Ledger, head consent.Head) (bool, error) {
	theirs := r.b.Manifest.Head()
	if head.Seq >= theirs.Seq {
		if theirs.Seq == 0 {
			return head.Seq == 0, nil
		}
		e, ok, err := l.Entry(ctx, theirs.Seq)
		return ok && e.Hash == theirs.Hash, err
	}
	if head.Seq == 0 {
		return true, nil // it has recorded nothing
	}
	staged, err := sqlite.OpenLedger(ctx, r.record())
	if err != nil {
		return false, err
	}
	e, ok, err := staged.Entry(ctx, head.Seq)
	return ok && e.Hash == head.Hash, errors.Join(err, staged.Close())
}

// lookAtBrandKey holds that the record will not stand beside another brand's
// key: nobody who comes back would be known.
func (r *restoring) lookAtBrandKey() error {
	if r.b.BrandKey == nil {
		return nil
	}
	ours, err := os.ReadFile(r.cfg.BrandKeyFile)
	if unlessMissing(err) != nil {
		return fmt.Errorf("look at the brand key here: %w", err)
	}
	if len(bytes.TrimSpace(ours)) > 0 && !bytes.Equal(bytes.TrimSpace(ours), bytes.TrimSpace(r.b.BrandKey)) && !r.takes {
		return fmt.Errorf("the brand key at %s is another one than the backup's: nobody who comes back would be known by it; --with-config takes the backup's", r.cfg.BrandKeyFile)
	}
	return nil
}

// maxSince is how long a list of people may be, in bytes.
const maxSince = 16 << 20

// readSince reads the list of people who ended something since the backup.
func (r *restoring) readSince() error {
	f, err := os.Open(r.since)
	if err != nil {
		return fmt.Errorf("open the list of people: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxSince {
		return fmt.Errorf("the list %s is longer than %d MiB, or cannot be read", r.since, maxSince>>20)
	}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		p := replay{who: hien.Who{Subject: consent.ID(words[0])}}
		if strings.HasPrefix(words[0], "k") && strings.Contains(words[0], ":") {
			p.who = hien.Who{Key: hien.LeadKey(words[0])}
		}
		for _, w := range words[1:] {
			purpose, err := consent.ParsePurpose(w)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", r.since, n, err)
			}
			p.purposes = append(p.purposes, purpose)
		}
		r.listed = append(r.listed, p)
	}
	return lines.Err()
}
