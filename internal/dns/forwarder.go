package dns

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/hien-wifi/hien"
)

// Lasting is how much longer an address stays in the garden than it was good
// for: an application keeps a connection, and an address that it knows, beyond
// the time to live. MaxPlanted is the longest that it stays without being
// asked for again.
const (
	Lasting    = 5 * time.Minute
	MaxPlanted = 24 * time.Hour
)

// plantFor is how long Plant may take.
const plantFor = 2 * time.Second

// Options are what a forwarder is made of.
type Options struct {
	// Upstream are the resolvers to ask, in order, as "127.0.0.1:53".
	Upstream []string
	Dial     Dial // to the resolvers; nil: of the standard library
	Names    Names
	// Plant puts addresses into the zone's garden, or into that for codes, for
	// at least ttl, and returns when they are in force. It is called by many
	// at once. Nil: there is no garden.
	Plant func(ctx context.Context, addrs []netip.Addr, ttl time.Duration, forCode bool) error
	// Who tells whose address it is, by the kernel's neighbour table. Nil:
	// guests are counted by address.
	Who    func(netip.Addr) (hien.MAC, bool)
	Limits Limits
	Now    func() hien.Moment // only Up is used
	Log    *slog.Logger
}

// A Forwarder answers the guests of one zone.
type Forwarder struct {
	upstream *upstream
	plant    func(ctx context.Context, addrs []netip.Addr, ttl time.Duration, forCode bool) error
	limits   Limits
	now      func() hien.Moment
	log      *slog.Logger

	names  atomic.Pointer[names]
	guests *guests
	tally  tally

	mu     sync.Mutex
	probes *turnover[netip.Addr, bool] // the addresses of probes' hosts
	said   map[string]time.Duration    // when a thing was last logged
}

// New makes a forwarder of its parts. It starts nothing.
func New(o Options) (*Forwarder, error) {
	up, err := newUpstream(o.Upstream, o.Dial)
	if err != nil {
		return nil, err
	}
	l := o.Limits.withDefaults()
	f := &Forwarder{
		upstream: up,
		plant:    o.Plant,
		limits:   l,
		now:      o.Now,
		log:      o.Log,
		guests:   newGuests(l, o.Who),
		probes:   newTurnover[netip.Addr, bool](512),
		said:     make(map[string]time.Duration),
	}
	if err := f.SetNames(o.Names); err != nil {
		return nil, err
	}
	return f, nil
}

// SetNames puts other names in force, all at once. On an error nothing is
// changed, and it says what is wrong with each name.
func (f *Forwarder) SetNames(n Names) error {
	parsed, err := n.parse()
	if err != nil {
		return err
	}
	f.names.Store(parsed)
	return nil
}

// A job is a question that is to be asked of the resolver.
type job struct {
	query *query
	guest *guest
	names *names
	code  bool // the name is in the garden for codes alone
	open  bool // it is in one of the two
	probe bool // it is a host by which phones find the portal
	since time.Duration
	send  func([]byte) // called exactly once
}

// known reports whether the name is one that the guest did not make up.
func (j *job) known() bool { return j.open || j.probe }

// take looks at a message of a guest. What can be answered at once is
// returned; a question for the resolver is a job; neither is for a message
// that gets no answer.
func (f *Forwarder) take(from netip.Addr, message []byte) (answer []byte, j *job) {
	f.tally.queries.Add(1)
	q, code, why := read(message, f.limits)
	if why != none {
		f.tally.by[why].Add(1)
		if q == nil {
			return nil, nil
		}
		return q.reply(code, 0, nil), nil
	}
	n := f.names.Load()
	if addrs, ok := n.local[q.name]; ok {
		f.tally.local.Add(1)
		return q.reply(miekg.RcodeSuccess, MaxTTL, ofType(addrs, q.question.Qtype)), nil
	}
	j = &job{query: q, names: n, since: f.now().Up, probe: slices.Contains(probeHosts, q.name)}
	if f.plant != nil {
		j.open = within(n.garden, q.name)
		j.code = !j.open && within(n.code, q.name)
		j.open = j.open || j.code
	}
	j.guest, why = f.guests.enter(f.guests.key(from, j.since), q.name, j.known(), j.since)
	switch why {
	case none:
		return nil, j
	case busy, zoneRate:
		return f.fail(q, why), nil
	default:
		f.tally.by[why].Add(1)
		return q.reply(miekg.RcodeRefused, 0, nil), nil
	}
}

// fail counts why there is no answer, and tells the guest that it may ask
// again.
func (f *Forwarder) fail(q *query, why reason) []byte {
	f.tally.by[why].Add(1)
	return q.reply(miekg.RcodeServerFailure, 0, nil)
}

// do asks the resolver and sends what it knows.
func (f *Forwarder) do(ctx context.Context, j *job) {
	defer f.guests.leave(j.guest, j.known())
	if f.now().Up-j.since > askFor {
		j.send(f.fail(j.query, busy)) // it has waited for its turn too long
		return
	}
	j.send(f.answer(ctx, j))
}

// answer is what the guest is told. What it could then connect to is in the
// garden when answer returns.
func (f *Forwarder) answer(ctx context.Context, j *job) []byte {
	q := j.query
	m, err := f.upstream.ask(ctx, q.name, q.question.Qtype)
	if err != nil {
		if ctx.Err() == nil {
			f.seldom("the router's resolver does not answer guests' questions; is it running, and the internet there?", "err", err)
		}
		return f.fail(q, silent)
	}
	r := strip(m, q.name, q.question.Qtype)
	if r.code == miekg.RcodeServerFailure {
		return f.fail(q, silent)
	}
	said := len(r.addrs)
	r.addrs = slices.DeleteFunc(r.addrs, func(a netip.Addr) bool { return !j.names.reachable(a) })
	f.tally.private.Add(uint64(said - len(r.addrs)))
	if said > 0 && len(r.addrs) == 0 && j.open {
		f.seldom("a name in the garden has private addresses only, which no name opens; put the address itself into the garden if guests may reach it")
	}
	if j.probe {
		f.noteProbe(r.addrs)
	}
	if j.open {
		if r.addrs, err = f.open(ctx, j, r); err != nil {
			if ctx.Err() == nil {
				f.seldom("the garden cannot be filled; guests cannot reach its names", "err", err)
			}
			return f.fail(q, notPlanted)
		}
	}
	f.tally.answered.Add(1)
	return q.reply(r.code, r.ttl, r.addrs)
}

// open puts the addresses of a name into the garden, and returns those that
// the guest is to be told: the ones that are open now, or all where none can
// be.
func (f *Forwarder) open(ctx context.Context, j *job, r found) ([]netip.Addr, error) {
	plant := slices.DeleteFunc(slices.Clone(r.addrs), func(a netip.Addr) bool { return !public(a) })
	plant = slices.DeleteFunc(plant, func(a netip.Addr) bool {
		shared := f.isProbe(a)
		if shared {
			f.tally.shared.Add(1)
			f.seldom("a name in the garden shares an address with a host by which phones find the portal; that address stays shut")
		}
		return shared
	})
	if len(plant) == 0 {
		return r.addrs, nil
	}
	ctx, cancel := context.WithTimeout(ctx, plantFor)
	defer cancel()
	ttl := min(time.Duration(r.ttl)*time.Second+Lasting, MaxPlanted)
	if err := f.plant(ctx, plant, ttl, j.code); err != nil {
		return nil, err
	}
	f.tally.planted.Add(1)
	return slices.DeleteFunc(r.addrs, func(a netip.Addr) bool { return public(a) && !slices.Contains(plant, a) }), nil
}

// noteProbe remembers the addresses of a host by which phones find the
// portal. Hosts of the garden may stand on the same machines of a network for
// content: an open address would answer the probe, and no portal would open.
func (f *Forwarder) noteProbe(addrs []netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range addrs {
		f.probes.put(a, true)
	}
}

func (f *Forwarder) isProbe(a netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	is, _ := f.probes.get(a)
	return is
}

// seldom tells the shop's operator of a trouble, once a minute.
func (f *Forwarder) seldom(message string, args ...any) {
	up := f.now().Up
	f.mu.Lock()
	last, ok := f.said[message]
	if ok && up-last < time.Minute {
		f.mu.Unlock()
		return
	}
	f.said[message] = up
	f.mu.Unlock()
	f.log.Warn(message, args...)
}

// ofType are the addresses of the family that was asked for.
func ofType(addrs []netip.Addr, kind uint16) (of []netip.Addr) {
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() == (kind == miekg.TypeA) && len(of) < maxAddrs {
			of = append(of, a)
		}
	}
	return of
}
