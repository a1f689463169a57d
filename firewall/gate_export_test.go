package firewall

import (
	"context"
	"time"
)

// A TestGate is a gate of which each step can be watched, and that can be made
// to believe that its kernel is old.
type TestGate struct{ g *gate }

// OpenTestGate opens the gate of the calling thread's network namespace.
func OpenTestGate() (TestGate, error) {
	g, err := openGate(true)
	return TestGate{g}, err
}

func (t TestGate) Close() error { return t.g.close() }

// Hold makes the gate shut for these interfaces, and calls between after each
// step; when that returns false no further step is done, as if the process had
// been killed.
func (t TestGate) Hold(interfaces []string, between func() bool) (whole bool, err error) {
	type killed struct{}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			whole, err = false, nil
		}
	}()
	t.g.between = func(rules) {
		if !between() {
			panic(killed{})
		}
	}
	return true, t.g.hold(interfaces, DefaultMark)
}

// Differences are what is not as it shall be for these interfaces.
func (t TestGate) Differences(interfaces ...string) ([]string, error) {
	var r Ruleset
	for _, name := range interfaces {
		r.Zones = append(r.Zones, Zone{Interface: name})
	}
	return t.g.differences(r)
}

// KeepCounting is Keep that calls checked before each comparison.
func (f *Firewall) KeepCounting(ctx context.Context, every time.Duration, checked, repaired func()) error {
	return f.keep(ctx, every, func(ctx context.Context) ([]string, error) {
		checked()
		return f.Check(ctx)
	}, repaired)
}
