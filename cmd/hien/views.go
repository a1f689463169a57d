package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
)

// house is what the daemon answers on its socket.
func (d *daemon) house() control.House {
	return control.House{
		Status:       d.status,
		Guests:       d.guests,
		Visits:       d.visits,
		Leads:        d.leads,
		Consents:     d.consents,
		Queue:        d.queue,
		Audit:        d.audit,
		VerifyLedger: d.verifyLedger,
		ExportLedger: d.exportLedger,
		ExportLeads:  d.exportLeads,
		Backup:       d.backup,
		Inventory:    d.inventory,
		Notice:       d.notice,
		Retention:    d.retention,
		Retain:       d.retain,
		StaffCode:    d.staffCode,
		Owner:        d.owner(),
		Withdraw:     d.withdraw,
		People:       control.People{Person: d.person, Request: d.request, Requests: d.requests},
		Release: func(context.Context) error {
			d.mu.Lock()
			d.released = true
			d.mu.Unlock()
			d.door.Release()
			d.log.Info("hien cleanup: the rules are no longer kept; start hien again, or send SIGHUP, to shut the door")
			return nil
		},
	}
}

func (d *daemon) status(ctx context.Context) (control.Status, error) {
	now := d.clock.now()
	cfg := d.config()
	s := control.Status{
		Version: hien.Version, Since: now.Wall.Add(d.started.Up - now.Up), UpSeconds: seconds(now.Up - d.started.Up),
		StoreID: cfg.StoreID, StoreName: cfg.StoreName, Clock: control.Clock{InStep: now.InStep}, Memory: resident(),
		SafeMode: d.safeMode(), Young: d.gateway.Young(),
		Firewall: control.Firewall{Backend: string(d.door.Kernel().Backend), Repairs: d.door.Repairs()},
	}
	s.AccessLog = d.accessLogView()
	if d.record != nil {
		all, _ := d.record.ListRequests(ctx, control.MaxItems) // a record that cannot be read is told of below
		for _, r := range all {
			if r.Closed.IsZero() {
				if s.Requests == nil {
					s.Requests = new(control.Requests)
				}
				s.Requests.Count(r.Urgency(now.Wall))
			}
		}
	}
	today := d.gateway.Today(now)
	s.Today = control.Today{Devices: today.Devices, Agreed: today.Agreed, Returning: today.Returning, Since: today.Since.Restamp(now).Wall, Full: today.Full}
	if left := d.gateway.OpenLeft(now); left > 0 {
		s.OpenUntil = now.Wall.Add(left)
	}
	s.Internet.State = control.InternetUnknown
	if up, known := d.gateway.Internet(); known {
		s.Internet.State = map[bool]string{true: control.InternetUp, false: control.InternetDown}[up]
	}
	guests, online := make(map[string]int), make(map[string]int)
	err := d.book.Guests(func(g hien.Guest) error {
		if !here(g) {
			return nil
		}
		if g.Form != nil && g.Form.Waiting {
			s.Internet.Waiting++
		}
		guests[g.ID.Zone]++
		if g.Pass.Left(now) > 0 {
			online[g.ID.Zone]++
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	s.Firewall.Broken = d.doorTrouble(ctx)
	d.mu.Lock()
	s.Unasked = d.unasked
	s.Firewall.LastRepair = d.repaired.Wall
	if s.Firewall.Released = d.released; d.released {
		s.Firewall.Broken = "hien cleanup took the rules out"
	}
	for _, z := range cfg.Zones {
		zone := control.Zone{Name: z.Name, Interface: z.Interface, State: control.ZoneWaiting, Guests: guests[z.Name], WithPass: online[z.Name],
			Trusted: len(z.Trusted), Blocked: len(z.Blocked)}
		sniffer := control.Sniffer{Interface: z.Interface, State: control.ZoneWaiting}
		if why := d.trouble[z.Name]; why != "" {
			zone.State, sniffer.State = why, "stopped"
		}
		if o := d.open[z.Name]; o != nil {
			zone.State, zone.Portal = control.ZoneOpen, o.portal
			sniffer.State = cmp.Or(o.sniffing, "starting")
			if o.sniffer != nil {
				counts := o.sniffer.Counts()
				sniffer.Frames, sniffer.Bad = counts.Frames, counts.Panics
			}
		}
		s.Zones, s.Sniffer = append(s.Zones, zone), append(s.Sniffer, sniffer)
	}
	d.mu.Unlock()
	var counts sqlite.Counts
	s.Record, counts = d.recordStatus(ctx)
	if s.Record.State != control.RecordClosed {
		s.Couriers = d.courierStatus(counts.Waiting, counts.Parked)
		s.OldKeys = d.oldKeys(ctx)
	}
	if c := d.carrier(); c != nil {
		for i := range s.Couriers {
			s.Couriers[i].Since = c.State().Since.Restamp(now).Wall
		}
	}
	s.Conclude(now.Wall.Local())
	return s, nil
}

// doorTrouble is why the kernel does not hold the rules that it should, empty
// when it does. It looks itself: what the daemon saw last may be seconds old.
func (d *daemon) doorTrouble(ctx context.Context) string {
	differences, err := d.door.Check(ctx)
	switch {
	case err != nil:
		return err.Error()
	case len(differences) > 1:
		return fmt.Sprintf("%s, and %d more", differences[0], len(differences)-1)
	}
	return strings.Join(differences, "")
}

func (d *daemon) recordStatus(ctx context.Context) (control.Record, sqlite.Counts) {
	if d.record == nil {
		return control.Record{State: control.RecordClosed, Detail: d.closed.Error()}, sqlite.Counts{}
	}
	journal, err := d.record.Journal(ctx)
	var counts sqlite.Counts
	if err == nil {
		counts, err = d.record.Counts(ctx)
	}
	if err != nil {
		return control.Record{State: control.RecordUnreadable, Detail: err.Error()}, counts
	}
	return control.Record{State: control.RecordOpen, Journal: journal}, counts
}

// oldKeys are the brand keys behind the current one, and who is known by them.
func (d *daemon) oldKeys(ctx context.Context) (old []control.OldKey) {
	earlier := d.gateway.Earlier()
	if len(earlier) == 0 {
		return nil
	}
	people, err := d.record.KeyVersions(ctx)
	if err != nil {
		return nil // the record's state says so
	}
	for _, version := range earlier {
		key := fmt.Sprintf("k%d", version)
		old = append(old, control.OldKey{Key: key, People: people[key]})
	}
	return old
}

// resident is the daemon's resident memory in bytes, as the kernel counts it
// (proc(5), statm); 0 when it cannot be read.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// here reports whether a guest is in the shop. The book also knows those who
// have left with a pass, or whose visit is yet to be written down.
func here(g hien.Guest) bool { return g.Stay.Start.Boot != "" }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// guests are who is in the shop, by whole hardware addresses when the owner
// asks for them in full.
func (d *daemon) guests(ctx context.Context, limit int, full bool) (control.List[control.Guest], error) {
	now := d.clock.now()
	zones := make(map[string]hien.Zone)
	for _, z := range d.config().Zones {
		zones[z.Name] = z
	}
	var all []hien.Guest
	err := d.book.Guests(func(g hien.Guest) error {
		if here(g) {
			all = append(all, g)
		}
		return nil
	})
	if err != nil {
		return control.List[control.Guest]{}, err
	}
	slices.SortFunc(all, func(a, b hien.Guest) int { return cmp.Compare(b.Stay.Last.Up, a.Stay.Last.Up) })
	list := control.List[control.Guest]{Total: len(all), Items: []control.Guest{}}
	for _, g := range all[:min(limit, len(all))] {
		v := control.Guest{MAC: g.ID.MAC.String(), Zone: g.ID.Zone, PassLeft: seconds(g.Pass.Left(now)),
			Since: g.Stay.Start.Wall, LastSeen: g.Stay.Last.Wall, AtCode: g.Form != nil, Grace: g.Pass.Grace && g.Pass.Left(now) > 0, Gave: g.Gave, Bytes: g.Pass.Bytes,
			Trusted: slices.Contains(zones[g.ID.Zone].Trusted, g.ID.MAC), Blocked: slices.Contains(zones[g.ID.Zone].Blocked, g.ID.MAC),
			Spent: g.Pass.Spent && !g.Pass.Over(now), Waiting: g.Form != nil && g.Form.Waiting}
		if full {
			v.MAC = g.ID.MAC.Reveal().String()
		}
		for _, a := range g.Addrs {
			v.Addrs = append(v.Addrs, a.String())
		}
		if d.record != nil {
			m, err := d.record.Member(ctx, d.key.MemberMark(g.ID.MAC))
			if err != nil {
				return list, err
			}
			v.Member = m.Known()
		}
		list.Items = append(list.Items, v)
	}
	return list, nil
}

func (d *daemon) audit(ctx context.Context, limit int) (control.List[control.Deed], error) {
	return rows(ctx, d, limit, (*sqlite.Store).Audit, func(c sqlite.Counts) int { return c.Audit }, func(r sqlite.AuditRow) control.Deed {
		return control.Deed{At: r.At.Time, Who: r.Who, What: r.What, About: r.About}
	})
}

func (d *daemon) visits(ctx context.Context, limit int) (control.List[control.Visit], error) {
	return rows(ctx, d, limit, (*sqlite.Store).Visits, func(c sqlite.Counts) int { return c.Visits }, func(r sqlite.VisitRow) control.Visit {
		v := control.Visit{ID: r.ID, Subject: r.Subject, Zone: r.Zone, Start: r.Start.Time, Number: r.Number}
		if r.End != nil {
			v.End = r.End.Time
		}
		return v
	})
}

func (d *daemon) leads(ctx context.Context, limit int) (control.List[control.Lead], error) {
	return rows(ctx, d, limit, (*sqlite.Store).Leads, func(c sqlite.Counts) int { return c.Leads }, func(r sqlite.LeadRow) control.Lead {
		l := control.Lead{Subject: r.Subject, Key: r.Key, Sealed: r.Sealed, Purposes: r.Purposes, Visits: r.Visits}
		if r.LastVisit != nil {
			l.LastVisit = r.LastVisit.Time
		}
		return l
	})
}

func (d *daemon) consents(ctx context.Context, limit int) (control.List[control.Consent], error) {
	return rows(ctx, d, limit, (*sqlite.Store).Consents, func(c sqlite.Counts) int { return c.People }, func(r sqlite.ConsentRow) control.Consent {
		return control.Consent{ID: r.Consent, Subject: r.Subject, Answers: r.Answers, Since: r.Since.Time,
			Language: r.Language, Notice: r.Notice}
	})
}

// queue is what the sink has refused, and then what waits.
func (d *daemon) queue(ctx context.Context, limit int) (control.Queue, error) {
	sink := ""
	if cfg := d.config(); cfg.Sink != nil {
		sink = cfg.Sink.Name
	}
	var counts sqlite.Counts
	list, err := rows(ctx, d, limit, (*sqlite.Store).Queue,
		func(c sqlite.Counts) int { counts = c; return c.Waiting + c.Parked },
		func(r sqlite.QueueRow) control.QueueItem {
			q := control.QueueItem{ID: r.ID, Sink: sink, Kind: string(r.Kind), Purpose: r.Purpose, At: r.At.Time,
				State: control.EventWaiting, Answer: r.Answer}
			if r.Parked {
				q.State = control.EventParked
			}
			return q
		})
	return control.Queue{List: list, Waiting: counts.Waiting, Parked: counts.Parked, Dropped: counts.Dropped}, err
}

// withdraw takes the purposes of a subject's person back, and answers those that
// stood.
func (d *daemon) withdraw(ctx context.Context, subject consent.ID, purposes []consent.Purpose) ([]consent.Purpose, error) {
	if d.record == nil {
		return nil, d.closed
	}
	who := hien.Who{Subject: subject}
	names, err := d.gateway.Person(ctx, who)
	if err != nil {
		return nil, err
	}
	return d.takeBack(ctx, who, names, purposes)
}

// takeBack takes a person's purposes back under each of its names, and answers
// those that stood under any of them.
func (d *daemon) takeBack(ctx context.Context, who hien.Who, names []hien.Person, purposes []consent.Purpose) (back []consent.Purpose, err error) {
	if err := d.gateway.Withdraw(ctx, who, purposes, "control", d.clock.now()); err != nil {
		return nil, err
	}
	for _, before := range names {
		after, err := d.record.Standing(ctx, before.Consent.Subject())
		if err != nil {
			return back, err
		}
		for _, p := range standing(before.Consent) {
			if !after.Allows(p) && !slices.Contains(back, p) {
				back = append(back, p)
			}
		}
	}
	return back, nil
}

// rows turns rows of the record into views.
func rows[R, V any](ctx context.Context, d *daemon, limit int, list func(*sqlite.Store, context.Context, int) ([]R, error),
	total func(sqlite.Counts) int, to func(R) V) (control.List[V], error) {
	if d.record == nil {
		return control.List[V]{}, d.closed
	}
	found, err := list(d.record, ctx, limit)
	if err != nil {
		return control.List[V]{}, err
	}
	counts, err := d.record.Counts(ctx)
	if err != nil {
		return control.List[V]{}, err
	}
	l := control.List[V]{Total: total(counts), Items: []V{}}
	for _, r := range found {
		l.Items = append(l.Items, to(r))
	}
	return l, nil
}

func (d *daemon) verifyLedger(ctx context.Context) (control.Ledger, error) {
	if d.record == nil {
		return control.Ledger{}, d.closed
	}
	return verdict(ctx, &d.record.Ledger, d.key)
}

// verdict checks a ledger: the living record's, or the file's alone.
func verdict(ctx context.Context, l *sqlite.Ledger, key hien.RouterKey) (control.Ledger, error) {
	pub := key.Signer().Public()
	v := control.Ledger{Key: consent.KeyID(pub)}
	head, err := l.Verify(ctx, pub)
	switch {
	case errors.Is(err, consent.ErrBroken):
		v.Broken = err.Error()
	case err != nil:
		return v, err
	default:
		v.Holds, v.Entries, v.Head = true, head.Seq, head.Hash.String()
	}
	return v, nil
}
