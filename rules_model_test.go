package hien_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/livebook"
)

// A kernel is a door that forgets guests by itself, as sets with timeouts do.
type kernel struct {
	now   *hien.Moment
	until map[hien.Device]time.Duration
	fail  bool
}

var errDoor = errors.New("netlink: no buffer")

func (k *kernel) Admit(_ context.Context, id hien.GuestID, addrs []netip.Addr, left time.Duration) error {
	if k.fail {
		return errDoor
	}
	for _, a := range addrs {
		k.until[hien.Device{Guest: id, Addr: a}] = k.now.Up + left
	}
	return nil
}

func (k *kernel) Remove(_ context.Context, id hien.GuestID, addrs []netip.Addr) error {
	if k.fail {
		return errDoor
	}
	for _, a := range addrs {
		delete(k.until, hien.Device{Guest: id, Addr: a})
	}
	return nil
}

func (k *kernel) in(d hien.Device) bool { return k.until[d] > k.now.Up }

// A paper is a record that holds nobody: everybody who gives is new.
type paper struct{ hien.Record }

func (paper) OptIn(_ context.Context, _ hien.LeadKey, make func(hien.Member) (hien.OptIn, error), _ ...hien.LeadKey) error {
	_, err := make(hien.Member{})
	return err
}

func (paper) Member(context.Context, hien.Mark) (hien.Member, error) { return hien.Member{}, nil }

func (paper) EndStays(context.Context, []hien.EndedStay, hien.Moment, func(hien.Member, hien.Visit, time.Duration) (hien.Event, error)) error {
	return nil
}

// A pinboard keeps refusals, each with its day.
type pinboard map[hien.Mark]map[string][]consent.Purpose

func (p pinboard) KeepRefusals(_ context.Context, day string, all []hien.Refusal, since string) error {
	for _, r := range all {
		if p[r.Mark] == nil {
			p[r.Mark] = make(map[string][]consent.Purpose)
		}
		p[r.Mark][day] = append(p[r.Mark][day], r.Purposes...)
	}
	for _, days := range p {
		maps.DeleteFunc(days, func(day string, _ []consent.Purpose) bool { return day < since })
	}
	return nil
}

func (p pinboard) Refused(_ context.Context, mark hien.Mark, since string) (all []consent.Purpose, _ error) {
	for day, purposes := range p[mark] {
		if day >= since {
			all = append(all, purposes...)
		}
	}
	return all, nil
}

// TestTheDoorHoldsWhateverHappens does to a gateway what guests, owners and
// time do, with a door that fails at times and a daemon that is restarted. At
// any tick with a door that works, who is in the kernel is who has a pass. And
// nobody is asked for 30 days after a no.
func TestTheDoorHoldsWhateverHappens(t *testing.T) {
	asks := asker(t, "vn-2026")
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "hien")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		log := slog.New(slog.DiscardHandler)
		book, err := livebook.Open(filepath.Join(dir, "live"), livebook.Options{Boot: start.Boot, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		now := start
		k := &kernel{now: &now, until: make(map[hien.Device]time.Duration)}
		counts, notes := new(meter), new(audit)
		parts := hien.Parts{Record: paper{}, Refusals: make(pinboard), Shelf: book, Book: book, Door: k, Meter: counts, Audit: notes, Router: hien.NewRouterKey(), Log: log}
		zone := hien.Zone{Name: "guest", Pass: 2 * time.Hour, Grace: 5 * time.Minute, VisitGap: 30 * time.Minute, Volume: 1000, Idle: 40 * time.Minute,
			Purposes: []consent.Purpose{consent.VisitFrequency}}
		notice := consent.Notice{Version: "test-1", Language: "vi", Asks: []consent.Ask{{Purpose: consent.VisitFrequency}}}
		sent := &codes{last: make(map[hien.GuestID]hien.Code)}
		brand := hien.NewBrandKey(1)
		settings := func() hien.Settings {
			return hien.Settings{Zones: []hien.Zone{zone}, Sender: sent, Brand: brand, Asker: asks}
		}
		g := hien.NewGateway(parts, settings())
		ctx := context.Background()
		var raw [4]uint64
		said := make(map[hien.MAC]time.Duration) // when a device said no

		anyDevice := func(t *rapid.T) hien.Device {
			d := device(rapid.IntRange(0, 3).Draw(t, "device"))
			d.Addr = device(rapid.IntRange(0, 5).Draw(t, "address")).Addr
			return d
		}
		// A door that fails makes deeds fail; what they were to do is then
		// done by a later tick, or asked for again.
		try := func(t *rapid.T, what string, err error, allowed ...error) {
			if err != nil && !errors.Is(err, errDoor) && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"see": func(t *rapid.T) {
				d := anyDevice(t)
				err := g.Saw(ctx, hien.Sighting{Guest: d.Guest, Addr: d.Addr}, now)
				try(t, "Saw", err)
				free := slices.Contains(zone.Trusted, d.Guest.MAC) || g.OpenLeft(now) > 0
				if err == nil && free && !slices.Contains(zone.Blocked, d.Guest.MAC) && !k.fail && !k.in(d) {
					t.Fatalf("%v was seen, need not ask, and is not in", d)
				}
			},
			"greet": func(t *rapid.T) {
				d := anyDevice(t)
				gr, err := g.Greet(ctx, d, now)
				try(t, "Greet", err)
				if gr.Step == hien.Inside && err == nil && !k.fail && !k.in(d) {
					t.Fatalf("%v is told that it is inside, and is not", d)
				}
				if no, ok := said[d.Guest.MAC]; ok && len(gr.Ask) > 0 && now.Up-no < 30*24*time.Hour {
					t.Fatalf("%v said no %v ago, and is asked for %v", d, now.Up-no, gr.Ask)
				}
				if gr.Grace && (gr.Step == hien.Inside || gr.PassLeft > zone.Grace) {
					t.Fatalf("with a grace pass of %v %v stands at step %d", gr.PassLeft, d, gr.Step)
				}
			},
			"press": func(t *rapid.T) {
				d := anyDevice(t)
				try(t, "Admit", g.Admit(ctx, d, now), hien.ErrBlocked, hien.ErrSpent)
			},
			"refuse": func(t *rapid.T) {
				d := anyDevice(t)
				before, _, _ := book.Guest(d.Guest)
				err := g.Refuse(ctx, d, zone.Purposes, now)
				try(t, "Refuse", err, hien.ErrBlocked, hien.ErrSpent)
				if err == nil && !before.Asked && !before.Gave {
					said[d.Guest.MAC] = now.Up
				}
			},
			"too young": func(t *rapid.T) {
				try(t, "AdmitYoung", g.AdmitYoung(ctx, anyDevice(t), now), hien.ErrBlocked, hien.ErrSpent)
			},
			"days later": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 40).Draw(t, "days")) * 24 * time.Hour
				now.Wall, now.Up = now.Wall.Add(d), now.Up+d
			},
			"apply": func(t *rapid.T) {
				d := anyDevice(t)
				number, err := hien.ParsePhone(rapid.SampledFrom([]string{"0987654321", "0987654322"}).Draw(t, "number"))
				if err != nil {
					t.Fatal(err)
				}
				before, _, _ := book.Guest(d.Guest)
				err = g.Ask(ctx, d, hien.Application{OfAge: true, Phone: number, Agreed: zone.Purposes, Notice: notice}, now)
				try(t, "Ask", err, hien.ErrBlocked, hien.ErrSpent, hien.ErrTooMany)
				if after, _, _ := book.Guest(d.Guest); !before.Pass.Grace && after.Pass.Grace && len(after.Codes) == 0 {
					t.Fatalf("%v has a grace pass and was sent no code", d)
				}
			},
			"ask again": func(t *rapid.T) {
				d := anyDevice(t)
				before, _, _ := book.Guest(d.Guest)
				try(t, "AskAgain", g.AskAgain(ctx, d, now), hien.ErrNoForm, hien.ErrTooMany, hien.ErrBlocked, hien.ErrSpent)
				after, _, _ := book.Guest(d.Guest)
				if before.Form != nil && before.Form.NoGrace && after.Pass.Grace && after.Pass.Until > before.Pass.Until {
					t.Fatalf("the second code of a form made a grace pass longer: %v, then %v", before.Pass, after.Pass)
				}
			},
			"prove": func(t *rapid.T) {
				d := anyDevice(t)
				err := g.Prove(ctx, d, sent.of(d), now)
				try(t, "Prove", err, hien.ErrNoForm, hien.ErrBadCode, hien.ErrCodeDead, hien.ErrBlocked, hien.ErrSpent)
				if after, _, _ := book.Guest(d.Guest); err == nil && after.Pass.Grace {
					t.Fatalf("%v has proved its number, and has a grace pass still", d)
				}
			},
			"another number": func(t *rapid.T) { try(t, "Forget", g.Forget(ctx, anyDevice(t), now)) },
			"admit": func(t *rapid.T) {
				try(t, "AdmitGuest", g.AdmitGuest(ctx, anyDevice(t).Guest, "lan", now), hien.ErrBlocked)
			},
			"revoke": func(t *rapid.T) {
				try(t, "Revoke", g.Revoke(ctx, anyDevice(t).Guest, "lan", now), hien.ErrNoGuest, hien.ErrNoPass, hien.ErrComesBack)
			},
			"open": func(t *rapid.T) {
				span := time.Duration(rapid.IntRange(1, 300).Draw(t, "minutes")) * time.Minute
				try(t, "OpenFor", g.OpenFor(ctx, span, "lan", now))
			},
			"end open": func(t *rapid.T) { try(t, "EndOpen", g.EndOpen(ctx, "lan", now), hien.ErrNotOpen) },
			"lists": func(t *rapid.T) {
				pick := func(what string) (macs []hien.MAC) {
					for i, in := range rapid.SliceOfN(rapid.Bool(), 4, 4).Draw(t, what) {
						if in && rapid.Bool().Draw(t, "really") {
							macs = append(macs, device(i).Guest.MAC)
						}
					}
					return macs
				}
				zone.Trusted, zone.Blocked = pick("trusted"), pick("blocked")
				g.Reload(settings())
			},
			"carry": func(t *rapid.T) {
				i := rapid.IntRange(0, 3).Draw(t, "device")
				raw[i] += rapid.Uint64Range(0, 400).Draw(t, "bytes")
				var usage []hien.Usage
				for i, n := range raw {
					usage = append(usage, hien.Usage{Zone: "guest", MAC: device(i).Guest.MAC, Bytes: n})
				}
				counts.shows(usage...)
			},
			"later": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 3600).Draw(t, "seconds")) * time.Second
				now.Wall, now.Up = now.Wall.Add(d), now.Up+d
			},
			"restart": func(t *rapid.T) {
				g = hien.NewGateway(parts, settings())
				try(t, "Resume", g.Resume(ctx, now))
			},
			"fail": func(t *rapid.T) { k.fail = !k.fail },
			"": func(t *rapid.T) {
				try(t, "Tick", g.Tick(ctx, now))
				if k.fail {
					return
				}
				try(t, "Resume", g.Resume(ctx, now)) // as the daemon does every half minute
				owner := make(map[netip.Addr]hien.GuestID)
				passes := make(map[hien.Device]time.Duration)
				err := book.Guests(func(guest hien.Guest) error {
					for _, a := range guest.Addrs {
						if other, taken := owner[a]; taken {
							t.Fatalf("%v is %v's and %v's", a, other, guest.ID)
						}
						owner[a] = guest.ID
						if guest.Pass.Left(now) > 0 {
							passes[hien.Device{Guest: guest.ID, Addr: a}] = guest.Pass.Until
						}
					}
					if guest.Pass.Open && len(guest.Addrs) > 0 && guest.Pass.Left(now) != g.OpenLeft(now) {
						t.Fatalf("a pass of the open door has %v left, the door %v", guest.Pass.Left(now), g.OpenLeft(now))
					}
					if guest.Pass.Grace && guest.Pass.Left(now) > zone.Grace {
						t.Fatalf("a grace pass has %v left", guest.Pass.Left(now))
					}
					if guest.Pass.Left(now) > 0 && slices.Contains(zone.Blocked, guest.ID.MAC) {
						t.Fatalf("%v is blocked and has a pass", guest.ID)
					}
					if guest.Pass.Spent && guest.Pass.Bytes < uint64(zone.Volume) {
						t.Fatalf("a pass is spent with %d bytes", guest.Pass.Bytes)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				for d, until := range k.until {
					if until > now.Up && passes[d] < until {
						t.Fatalf("%v is in the kernel for %v, by a pass of %v", d, until-now.Up, passes[d]-now.Up)
					}
				}
				for d := range passes {
					if !k.in(d) {
						t.Fatalf("%v has a pass and is not in the kernel", d)
					}
				}
			},
		})
	})
}
