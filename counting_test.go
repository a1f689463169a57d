package hien_test

import (
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestTodayInThreeNumbers(t *testing.T) {
	p := newPorch(t)
	gives, skips, till, frame := device(1), device(2), device(3), device(4)
	p.zone(trust(till))
	p.give(gives, "0987654321", consent.VisitFrequency)
	p.greet(skips)
	p.saw(till)
	if err := p.Saw(t.Context(), hien.Sighting{Guest: frame.Guest, Source: "dhcp"}, p.now); err != nil {
		t.Fatal(err)
	}
	want := func(when string, devices, agreed, returning int) {
		t.Helper()
		got := p.Today(p.now)
		if got.Devices != devices || got.Agreed != agreed || got.Returning != returning || got.Full {
			t.Errorf("%s: %+v; want %d devices, %d agreed, %d returning", when, got, devices, agreed, returning)
		}
	}
	want("one gave, one did not, a till, and a frame that anybody can send", 2, 1, 0)
	p.later(24 * time.Hour)
	p.tick()
	want("the next day", 0, 0, 0)
	p.greet(gives)
	p.greet(gives)
	want("the next day, when one came back", 1, 0, 1)
}
