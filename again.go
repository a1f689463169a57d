package hien

import (
	"slices"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// due are those of the purposes that a person is asked for: what was never
// answered, and what is to be answered again (R-CON-9), which again names. What
// the person has said no to lately, or has taken back, is settled: it is not
// asked for, and may be agreed to by whoever wants to. To a stranger all is new.
func (s *Settings) due(asked []consent.Purpose, m Member, now Moment) (due, settled, again []consent.Purpose) {
	if !m.Known() {
		return asked, nil, nil
	}
	for _, p := range asked {
		a, answered := m.Answered[p]
		switch {
		case !answered:
			due = append(due, p)
		case a.Agreed && s.current(a, now):
		case a.Agreed:
			due, again = append(due, p), append(again, p)
		case a.Withdrawn && !s.tooOld(a.At, now), !a.Withdrawn && !s.longAgo(a.At, now):
			settled = append(settled, p)
		default:
			due = append(due, p)
		}
	}
	return due, settled, again
}

// current reports whether an answer was given to what would be asked today,
// and not too long ago.
func (s *Settings) current(a Answered, now Moment) bool {
	today := s.today()
	return today.Policy != nil && a.Substance == today.Substance() && !s.tooOld(a.At, now)
}

// today is who asks, or would if anybody were asked.
func (s *Settings) today() consent.Asker {
	if s.Asker.Policy != nil {
		return s.Asker
	}
	return s.Today
}

// tooOld reports whether a consent of that moment has to be given anew. What no
// clock can tell is not.
func (s *Settings) tooOld(at, now Moment) bool {
	p := s.today().Policy
	return p != nil && at.InStep && now.InStep && at.Wall.Before(p.Terms(now.Wall).Age)
}

// longAgo reports whether a no of that moment may be asked about again.
func (s *Settings) longAgo(at, now Moment) bool {
	p := s.today().Policy
	return p != nil && at.InStep && now.InStep && now.Wall.Sub(at.Wall) > time.Duration(p.AskAgainDays)*24*time.Hour
}

// nothingNew reports whether a form says nothing that does not stand already,
// as current as it would be now.
func (s *Settings) nothingNew(f *Form, m Member, now Moment) bool {
	for _, a := range f.Notice.Asks {
		before, answered := m.Answered[a.Purpose]
		if !answered || before.Agreed != slices.Contains(f.Agreed, a.Purpose) || before.Substance != f.Notice.Substance || s.tooOld(before.At, now) {
			return false
		}
	}
	return true
}
