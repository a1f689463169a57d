package sqlite

import (
	"time"

	"github.com/hien-wifi/hien"
)

// A stamp is a moment as the record keeps it: four columns.
type stamp struct {
	wall   int64 // nanoseconds since 1970, UTC; 0 for the zero time
	boot   string
	up     int64 // nanoseconds
	inStep bool
}

func stampOf(m hien.Moment) stamp {
	s := stamp{boot: m.Boot, up: int64(m.Up), inStep: m.InStep}
	if !m.Wall.IsZero() {
		s.wall = m.Wall.UnixNano()
	}
	return s
}

func (s stamp) moment() hien.Moment {
	m := hien.Moment{Boot: s.boot, Up: time.Duration(s.up), InStep: s.inStep}
	if s.wall != 0 {
		m.Wall = time.Unix(0, s.wall).UTC()
	}
	return m
}

// between is the time from one moment to a later one: by the boot clock where
// both are of one boot, by the wall clock where both can be trusted, else 0
// for unknown.
func between(from, to hien.Moment) time.Duration {
	switch {
	case from.Boot != "" && from.Boot == to.Boot:
		return max(0, to.Up-from.Up)
	case from.InStep && to.InStep:
		return max(0, to.Wall.Sub(from.Wall))
	}
	return 0
}
