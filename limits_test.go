package hien_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// readings lets the meter be read once with what the kernel shows.
func (p *porch) reading(usage ...hien.Usage) {
	p.Helper()
	p.meter.shows(usage...)
	p.later(10 * time.Second)
	p.tick()
}

func volume(n int64) func(*hien.Zone) { return func(z *hien.Zone) { z.Volume = n } }

func TestNothingIsCountedWithoutALimit(t *testing.T) {
	p := newPorch(t)
	d := device(1)
	p.admit(d)
	for range 5 {
		p.reading(carried(d, 1<<40))
	}
	if p.meter.asked != 0 {
		t.Errorf("the kernel was asked %d times for what nobody needs", p.meter.asked)
	}
	if g := p.greet(d); g.BytesLeft != 0 {
		t.Errorf("%d bytes left; want 0 for no limit", g.BytesLeft)
	}
	p.zone(volume(1000))
	for range 30 {
		p.later(time.Second)
		p.tick()
	}
	if p.meter.asked != 3 {
		t.Errorf("the kernel was asked %d times in 30 s; want 3", p.meter.asked)
	}
}

func TestAVolumeThatIsUsedUp(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d, other := device(1), device(2)
	p.reading()
	p.admit(d)
	p.admit(other)
	p.reading(carried(d, 400), carried(other, 10))
	if g := p.greet(d); g.Step != hien.Inside || g.BytesLeft != 600 {
		t.Errorf("greeting = %+v; want inside with 600 bytes left", g)
	}
	six := d
	six.Addr = netip.MustParseAddr("2001:db8:77::9")
	p.saw(six)
	// Of the new address the kernel knows only that, and the first one's
	// count began anew.
	byAddress := hien.Usage{Zone: "guest", Addr: six.Addr, Bytes: 300}
	p.reading(carried(d, 299), byAddress, carried(other, 20))
	if g := p.greet(d); g.BytesLeft != 1 {
		t.Errorf("%d bytes left of 1000 after 400, 299 and 300; want 1", g.BytesLeft)
	}
	byAddress.Bytes++
	p.reading(carried(d, 299), byAddress, carried(other, 30))
	back := p.pass(d).Until - p.now.Up
	p.wantOutside("used up", d, hien.WhySpent, back)
	p.wantOutside("used up, at its other address", six, hien.WhySpent, back)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrSpent) || p.codes.sent != 0 {
		t.Errorf("Ask = %v; want ErrSpent and no code", err)
	}
	p.offline.Store(true)
	if err := p.Ask(t.Context(), d, p.application("0987654321", consent.VisitFrequency), p.now); !errors.Is(err, hien.ErrSpent) || p.door.left(d) != 0 {
		t.Errorf("Ask without internet = %v, in for %v; want ErrSpent", err, p.door.left(d))
	}
	p.offline.Store(false)
	if p.tick(); p.codes.sent != 0 {
		t.Error("an application waited that was refused")
	}
	if p.door.left(other) == 0 {
		t.Error("another guest paid for it")
	}

	t.Run("neither a restart nor an absence gives it back before its time", func(t *testing.T) {
		p.restart()
		p.later(time.Hour) // the stay is over
		p.tick()
		p.wantOutside("an hour later", d, hien.WhySpent, back-time.Hour)
	})
	t.Run("after its time it comes in with a fresh volume", func(t *testing.T) {
		p.later(back - time.Hour)
		p.tick()
		p.admit(d)
		if g := p.greet(d); g.Step != hien.Inside || g.BytesLeft != 1000 {
			t.Errorf("greeting = %+v; want inside with all of it", g)
		}
	})
}

func TestASecondSpentPassIsShutOutUntilTheDoorWorks(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 1000))
	p.tick()
	if err := p.AdmitGuest(t.Context(), d.Guest, "lan", p.now); err != nil {
		t.Fatal(err)
	}
	p.tick()
	p.door.stuck = errors.New("netlink: no buffer")
	p.meter.shows(carried(d, 2000))
	p.later(10 * time.Second)
	if err := p.Tick(t.Context(), p.now); err == nil {
		t.Error("no error from a door that failed")
	}
	p.door.stuck = nil
	p.tick()
	p.wantIn("at the tick after", d, 0)
}

func TestASpentPassHoldsNobodyBackAfterItsTime(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 1000))
	p.later(4 * time.Hour) // and no tick
	if g := p.greet(d); g.Step != hien.AtDoor {
		t.Errorf("greeting = %+v; want the door", g)
	}
	p.admit(d)
	p.wantIn("a fresh pass", d, 4*time.Hour)
}

func TestASpentPassIsShutOutOnceAndUntilTheDoorWorks(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d := device(1)
	p.reading()
	p.admit(d)
	p.door.stuck = errors.New("netlink: no buffer")
	p.meter.shows(carried(d, 1000))
	p.later(10 * time.Second)
	if err := p.Tick(t.Context(), p.now); err == nil {
		t.Error("no error from a door that failed")
	}
	p.door.stuck = nil
	removed := 0
	p.door.between = func() { removed++ }
	for range 3 {
		p.tick()
	}
	p.wantIn("at the tick after", d, 0)
	if removed != 1 {
		t.Errorf("it was shut out %d times; want once, as that costs a walk through all connections", removed)
	}
}

func TestWhatWasCarriedOutlivesTheDaemon(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 100))
	for range 7 { // written at most once a minute
		before := p.pass(d).Bytes
		p.reading(carried(d, 600))
		if got := p.pass(d).Bytes; got != before && got != 600 {
			t.Fatalf("the book says %d", got)
		}
	}
	if got := p.pass(d); got.Bytes != 600 || got.Moved == 0 {
		t.Errorf("the book says %+v; want 600 bytes and when", got)
	}
	p.restart()
	if g := p.greet(d); g.BytesLeft != 400 {
		t.Errorf("%d bytes left before the first reading; want 400", g.BytesLeft)
	}
	p.reading(carried(d, 700)) // what the kernel has counted before is not counted twice
	p.reading(carried(d, 750))
	if g := p.greet(d); g.BytesLeft != 350 {
		t.Errorf("%d bytes left; want 350", g.BytesLeft)
	}
}

func TestTheBookIsToldOfBytesOnceAMinute(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1 << 40))
	d := device(1)
	p.reading()
	p.admit(d)
	told, last := 0, uint64(0)
	for i := range 60 {
		p.reading(carried(d, uint64(i+1)*100))
		if b := p.pass(d).Bytes; b != last {
			told, last = told+1, b
		}
	}
	if told < 9 || told > 10 {
		t.Errorf("the book was told %d times in ten minutes; want about 10", told)
	}
}

func TestASecondPassHasAVolumeOfItsOwn(t *testing.T) {
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.Volume, z.Pass = 1000, time.Hour })
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 900))
	p.later(time.Hour)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 500))
	if g := p.greet(d); g.Step != hien.Inside || g.BytesLeft != 500 {
		t.Errorf("greeting = %+v; want inside with 500 bytes left", g)
	}
}

func TestAnOwnerWhoGrantsMoreLetsTheSpentIn(t *testing.T) {
	p := newPorch(t)
	p.zone(volume(1000))
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 1500))
	p.zone(volume(2000))
	p.admit(d)
	p.wantIn("with more volume", d, 4*time.Hour)
}

func TestAnIdlePassEnds(t *testing.T) {
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.Idle = 5 * time.Minute })
	d, busy := device(1), device(2)
	p.reading()
	p.admit(d)
	p.admit(busy)
	p.reading(carried(d, 100))
	for i := range 29 {
		p.saw(d) // to be seen is not to carry
		p.reading(carried(d, 100), carried(busy, uint64(i)+1))
	}
	if p.door.left(d) == 0 {
		t.Error("ended before five minutes")
	}
	p.reading(carried(d, 100), carried(busy, 100))
	p.wantIn("after five minutes of nothing", d, 0)
	if p.door.left(busy) == 0 {
		t.Error("a guest who carries something was shut out")
	}
	if g := p.greet(d); g.Step != hien.AtDoor {
		t.Errorf("greeting = %+v; want the door", g)
	}
	p.admit(d)
	p.wantIn("again at once", d, 4*time.Hour)
}

func TestADaemonThatWasDownTakesNobodyForIdle(t *testing.T) {
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.Idle = 5 * time.Minute })
	d := device(1)
	p.reading()
	p.admit(d)
	p.reading(carried(d, 100))
	p.later(time.Hour)
	p.restart()
	p.reading(carried(d, 100))
	if p.door.left(d) == 0 {
		t.Error("shut out for an hour in which nobody looked")
	}
}

func TestAMeterThatFailsLimitsNobody(t *testing.T) {
	p := newPorch(t)
	p.zone(func(z *hien.Zone) { z.Idle, z.Volume = 5*time.Minute, 1000 })
	d := device(1)
	p.reading()
	p.admit(d)
	p.meter.fail = errors.New("netlink: no buffer")
	p.later(time.Hour)
	p.tick()
	p.wantIn("with no counts", d, 4*time.Hour)
}
