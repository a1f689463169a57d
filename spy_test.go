package hien_test

import (
	"context"
	"sync"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A spy is a record that tells what it was asked.
type spy struct {
	hien.Record
	mu     sync.Mutex
	fail   error // of OptIn
	calls  []string
	optIns []hien.OptIn
	keys   []hien.LeadKey
}

func (s *spy) called(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, what)
}

func (s *spy) OptIn(ctx context.Context, key hien.LeadKey, make func(hien.Member) (hien.OptIn, error), before ...hien.LeadKey) error {
	s.called("OptIn")
	if s.fail != nil {
		return s.fail
	}
	return s.Record.OptIn(ctx, key, func(m hien.Member) (hien.OptIn, error) {
		o, err := make(m)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.optIns, s.keys = append(s.optIns, o), append(s.keys, key)
		return o, err
	}, before...)
}

func (s *spy) Member(ctx context.Context, mark hien.Mark) (hien.Member, error) {
	s.called("Member")
	return s.Record.Member(ctx, mark)
}

func (s *spy) EndStays(ctx context.Context, stays []hien.EndedStay, now hien.Moment, make func(hien.Member, hien.Visit, time.Duration) (hien.Event, error)) error {
	s.called("EndStays")
	return s.Record.EndStays(ctx, stays, now, make)
}

func (s *spy) Withdraw(ctx context.Context, who hien.Who, make func(hien.Member) (hien.Withdrawal, error)) error {
	s.called("Withdraw")
	return s.Record.Withdraw(ctx, who, make)
}

func (s *spy) Receipt(ctx context.Context, secret consent.Hash) (hien.Receipt, error) {
	s.called("Receipt")
	return s.Record.Receipt(ctx, secret)
}

// spied puts a spy between the gateway and its record.
func (p *porch) spied() *spy {
	p.Helper()
	s := &spy{Record: p.parts.Record}
	p.parts.Record = s
	p.Gateway = hien.NewGateway(p.parts, p.settings)
	return s
}

// is reports whether a commitment is to that value.
func is(c consent.Commitment, value string) bool { return c.Value == value }
