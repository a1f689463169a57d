package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	miekg "github.com/miekg/dns"
)

// How often the internet is looked for. Guests wait while it is gone.
const (
	lookOnline  = 15 * time.Second
	lookOffline = 3 * time.Second
)

// strikes is how many failures in a row mean that the internet is gone: one
// lost packet is none.
const strikes = 2

// WatcherOptions are what a watcher is made of.
type WatcherOptions struct {
	// Upstream are the resolvers to ask, as for a [Forwarder].
	Upstream []string
	Dial     Dial
	// HasRoute reports whether the router has a way out at all. Without one
	// the internet is gone at once, and nobody is asked. Nil: it has.
	HasRoute func() bool
	// Changed is told of each change, by Run's goroutine. May be nil.
	Changed func(online bool)
	Log     *slog.Logger
}

// A Watcher tells whether the shop has internet.
//
// It asks the router's resolver for the name servers of the root (NS of ".").
// That question is the one that every resolver answers, that names nobody and
// burdens nobody: the provider's resolver has the answer in its memory. A
// plain dnsmasq does not: it keeps addresses and aliases only, so that the
// question goes to the provider each time; and it never takes the question
// for one about the shop's own names, as it does with names of one label
// (domain-needed, which OpenWrt sets). A router with a full resolver such as
// unbound answers from memory for days; there only HasRoute tells. A name
// made up for each question would reach further, at the cost of strangers'
// servers.
type Watcher struct {
	ask     func(context.Context) error
	route   func() bool
	changed func(bool)
	log     *slog.Logger
	offline atomic.Bool
}

// NewWatcher makes a watcher. It starts nothing.
func NewWatcher(o WatcherOptions) (*Watcher, error) {
	up, err := newUpstream(o.Upstream, o.Dial)
	if err != nil {
		return nil, err
	}
	return &Watcher{ask: up.alive, route: o.HasRoute, changed: o.Changed, log: o.Log}, nil
}

// alive is nil when a resolver gives a real answer, be it that there is none.
func (u *upstream) alive(ctx context.Context) error {
	m, err := u.ask(ctx, "", miekg.TypeNS)
	if err != nil {
		return err
	}
	if m.Rcode != miekg.RcodeSuccess && m.Rcode != miekg.RcodeNameError {
		return fmt.Errorf("the resolver says %s", miekg.RcodeToString[m.Rcode])
	}
	return nil
}

// Online reports whether the shop has internet, as far as is known. Before
// the first look it has.
func (w *Watcher) Online() bool { return !w.offline.Load() }

// Look asks once whether the internet is there; nil when it is. Run does so
// by itself.
func (w *Watcher) Look(ctx context.Context) error {
	if w.route != nil && !w.route() {
		return errNoRoute
	}
	return w.ask(ctx)
}

var errNoRoute = errors.New("the router has no default route")

// Run looks for the internet every 15 seconds while it is there, and every 3
// seconds while it is gone or in doubt, until ctx ends. It returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	failures := 0
	for {
		err := w.Look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, errNoRoute):
			failures = strikes
		default:
			failures++
		}
		if failures == 0 || failures >= strikes {
			w.set(failures == 0, err)
		}
		pause := lookOnline
		if failures > 0 {
			pause = lookOffline
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// set notes what was found, and tells of a change.
func (w *Watcher) set(online bool, why error) {
	if w.offline.Swap(!online) == !online {
		return
	}
	if online {
		w.log.Info("the internet is back")
	} else {
		w.log.Warn("the shop has no internet; guests are told so", "why", why)
	}
	if w.changed != nil {
		w.changed(online)
	}
}
