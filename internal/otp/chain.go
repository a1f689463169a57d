package otp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hien-wifi/hien"
)

// How long a guest waits for the senders. The portal's answer has ten seconds
// in all.
const (
	wayTimeout   = 3500 * time.Millisecond
	chainTimeout = 8 * time.Second
)

// A Chain is the owner's senders in their order. It is safe for concurrent
// use.
type Chain struct {
	links []*link
	log   *slog.Logger
}

var _ hien.Sender = (*Chain)(nil)

// A link is one sender and what is known of it.
type link struct {
	Options
	way way

	mu   sync.Mutex
	told map[string]bool // what the log was told since it worked last, by class and answer
	last *Error          // nil once it took a code
}

// maxTold bounds what a provider can have told by ever other answers.
const maxTold = 16

// A State is how a sender fares.
type State struct {
	Name   string
	Type   string
	Class  Class  // of the latest answer that was not about one number; OK before the first
	Detail string // what is wrong and what to do; empty when OK
	Quota  int    // zbs: messages left today, as Zalo said last; -1: not known
}

// New makes the senders, in the order in which they are tried. None is asked
// anything yet. The error says what is wrong with which section.
func New(senders []Options, log *slog.Logger) (*Chain, error) {
	c := &Chain{log: log}
	if len(senders) == 0 {
		return nil, errors.New("no sender")
	}
	for _, o := range senders {
		w, err := newWay(o, log)
		if err != nil {
			return nil, fmt.Errorf("sender %s: %w", o.Name, err)
		}
		c.links = append(c.links, &link{Options: o, way: w, told: make(map[string]bool)})
	}
	return c, nil
}

// Send gives the code to the first sender that takes it. A code on its way is
// not called back when the guest's phone closes the page: the form waits for
// it.
func (c *Chain) Send(ctx context.Context, m hien.Message) (hien.Proof, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), chainTimeout)
	defer stop()
	var errs lines
	for _, l := range c.links {
		if ctx.Err() != nil {
			errs = append(errs, fmt.Errorf("sender %s: no time was left", l.Name))
			break
		}
		err := l.send(ctx, m)
		l.note(err, c.log)
		if err == nil {
			return hien.Proof(l.Type), nil
		}
		errs = append(errs, err)
	}
	return "", errs
}

func (l *link) send(ctx context.Context, m hien.Message) *Error {
	ctx, stop := context.WithTimeout(ctx, wayTimeout)
	defer stop()
	err := l.way.send(ctx, m)
	if err != nil {
		err.Sender = l.Name
	}
	return err
}

// note keeps how a sender fares, and tells the log once of each trouble.
func (l *link) note(err *Error, log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		if len(l.told) > 0 {
			log.Info("codes go out again", "sender", l.Name)
		}
		clear(l.told)
		l.last = nil
		return
	}
	if err.Class != UserUnreachable || err.Mend != "" {
		l.last = err
	}
	key := string(err.Class) + " " + err.Answer
	level := slog.LevelWarn
	switch {
	case l.told[key], len(l.told) == maxTold, err.Class == UserUnreachable && err.Mend == "":
		level = slog.LevelDebug
	case err.Mend != "":
		level = slog.LevelError
	}
	if level > slog.LevelDebug {
		l.told[key] = true
	}
	log.Log(context.Background(), level, "a code did not go out by a sender; the next one is tried", "sender", l.Name, "class", err.Class, "err", err)
}

// State tells how the senders fare, in their order.
func (c *Chain) State() []State {
	var all []State
	for _, l := range c.links {
		s := State{Name: l.Name, Type: l.Type, Class: OK, Quota: -1}
		l.mu.Lock()
		if l.last != nil {
			s.Class, s.Detail = l.last.Class, l.last.Error()
		}
		l.mu.Unlock()
		if z, ok := l.way.(*zbs); ok {
			s.Quota = int(z.quota.Load())
		}
		all = append(all, s)
	}
	return all
}

// Close waits for a renewal of tokens that is under way: cut off, it would
// leave the account locked out. It takes no longer than one takes.
func (c *Chain) Close() {
	for _, l := range c.links {
		if z, ok := l.way.(*zbs); ok {
			z.tokens.running.Wait()
		}
	}
}

// lines are several errors in one line, as logs want them.
type lines []error

func (l lines) Error() (text string) {
	for i, err := range l {
		if i > 0 {
			text += "; "
		}
		text += err.Error()
	}
	return text
}

func (l lines) Unwrap() []error { return l }
