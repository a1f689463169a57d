package hien

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

var morning = Moment{Wall: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), Boot: "boot-a", Up: time.Hour, InStep: true} // 8:00 in Vietnam

func after(m Moment, d time.Duration) Moment {
	m.Wall, m.Up = m.Wall.Add(d), m.Up+d
	return m
}

func TestTheCountingKeyIsGoneAfterTheDay(t *testing.T) {
	var c counting
	mac := MAC{2, 0, 0x5e, 0, 0, 1}
	c.note(mac, countAgreed, morning)
	key, mark, seen := c.key, c.mark(mac), c.seen
	if got := c.today(after(morning, 15*time.Hour)); got.Devices != 1 || got.Agreed != 1 || c.key != key {
		t.Errorf("at 23:00 of the day: %+v; want the one device", got)
	}
	if got := c.today(after(morning, 17*time.Hour)); got.Devices != 0 {
		t.Errorf("at 1:00 of the next day: %+v; want nobody", got)
	}
	if c.key == key || c.mark(mac) == mark {
		t.Error("the key of the day before is still there")
	}
	if _, known := c.seen[mark]; known || len(seen) != 1 {
		t.Error("a mark of the day before is still there")
	}
}

func TestADayWithoutAClock(t *testing.T) {
	var c counting
	dark := morning
	dark.InStep = false
	c.note(MAC{1}, 0, dark)
	if got := c.today(after(dark, 23*time.Hour)); got.Devices != 1 {
		t.Errorf("23 hours later: %+v; want the one device", got)
	}
	set := after(morning, 2*time.Hour)
	if got := c.today(set); got.Devices != 1 || c.day != "2026-11-23" {
		t.Errorf("the clock was set: %+v of %q; want that the day goes on", got, c.day)
	}
	lost := after(set, time.Minute)
	lost.InStep = false
	if got := c.today(lost); got.Devices != 1 {
		t.Errorf("the clock was lost: %+v; want that the day goes on", got)
	}
	if got := c.today(after(dark, 25*time.Hour)); got.Devices != 0 {
		t.Errorf("a day later: %+v; want nobody", got)
	}
}

func TestCountingIsBounded(t *testing.T) {
	var c counting
	for i := range maxCounted + 5 {
		c.note(MAC{2, 0, byte(i >> 16), byte(i >> 8), byte(i)}, 0, morning)
	}
	c.note(MAC{2}, countReturning, morning) // one of the first
	if got := c.today(morning); got.Devices != maxCounted || !got.Full || got.Returning != 1 {
		t.Errorf("%+v; want %d devices, that there were more, and one that returned", got, maxCounted)
	}
}

// TestNoTwoKindsOfMarksJoin holds that each kind of mark of one device is made
// in a way of its own: none is another one, or the beginning of it.
func TestNoTwoKindsOfMarksJoin(t *testing.T) {
	k := NewRouterKey()
	mac := MAC{2, 0, 0x5e, 0, 0, 1}
	c := counting{key: [32]byte(k.mark)} // even under the router's own key
	day := c.mark(mac)
	marks := map[string]string{
		"member": string(k.MemberMark(mac)), "refusal": string(k.RefusalMark(mac)), "evidence": k.evidenceMark(mac), "counting": hex.EncodeToString(day[:]),
	}
	for a, one := range marks {
		for b, other := range marks {
			if a != b && (strings.HasPrefix(one, other[:16]) || strings.Contains(one, mac.Reveal().String())) {
				t.Errorf("the marks of kinds %s and %s join: %s, %s", a, b, one, other)
			}
		}
	}
}
