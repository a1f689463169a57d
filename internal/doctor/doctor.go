package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Options are what an examination needs.
type Options struct {
	House    House
	Files    Files
	Roots    *x509.CertPool // that phones trust; nil: those of this machine
	Language Language       // of the report
	NoGuest  bool           // plays no guest, and asks the portal's own port
}

// Patience is how long an examination may take, whatever it meets. A healthy
// shop takes two or three seconds for each zone.
const Patience = 60 * time.Second

// Examine looks at the router and plays a guest in each zone, one after the
// other. It must run in the router's network namespace, as root. What it put
// up is gone when it returns, when ctx ends in the middle too; then the error
// is that of ctx.
func Examine(ctx context.Context, o Options, now time.Time) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	began := time.Now()
	s, err := gather(o.House, o.Files, now)
	if err != nil {
		return nil, fmt.Errorf("look at the router: %w", err)
	}
	d := diagnosis(s.diagnose())
	r := &Report{Firewall: s.firewalls(), Backend: s.Backend}
	for _, z := range s.Zones {
		p, err := s.playZone(ctx, z, o)
		if err != nil {
			return nil, fmt.Errorf("play a guest of zone %s: %w", z.Name, err)
		}
		r.Phones = append(r.Phones, s.judge(p, &d)...)
		look := Look{Zone: z.Name, Played: p.As, PageMS: ms(p.PageTook)}
		if p.Why != nil {
			look.Why = p.Why.Error()
		}
		if p.Address.IsValid() {
			look.Address = p.Address.Addr().String()
		}
		if p.IPv6.IsValid() {
			look.IPv6 = p.IPv6.String()
		}
		r.Looks = append(r.Looks, look)
		if p.As != AsGuest && r.Unproven == nil {
			r.Unproven = needsGuest
		}
	}
	r.Findings = d
	r.TookMS = ms(time.Since(began))
	r.conclude(o.Language)
	return r, nil
}

// Why no guest can be played, beside what the kernel says. errNoLink says that
// a guest interface is not there.
var (
	errNoLink   = errors.New("the interface is not there")
	errUnwanted = errors.New("it was not wanted")
)

// playZone plays a guest of the zone, or the listener where there can be no
// guest.
func (s *System) playZone(ctx context.Context, z Zone, o Options) (*Play, error) {
	link, ok := s.Links[z.Interface]
	switch {
	case !ok:
		return &Play{Zone: z.Name, As: NotPlayed, Why: errNoLink}, nil
	case o.NoGuest:
		return s.playListener(ctx, z, errUnwanted), ctx.Err()
	case link.Kind != "bridge":
		return s.playListener(ctx, z, errNotBridge), ctx.Err()
	}
	p, err := s.playGuest(ctx, z, o.Roots)
	if err != nil && ctx.Err() == nil {
		return s.playListener(ctx, z, err), ctx.Err()
	}
	return p, err
}
