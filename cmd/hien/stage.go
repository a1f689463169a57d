package main

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// A stage runs parts by name and lets them be exchanged while the daemon
// runs: a zone or a sink that the owner adds, changes or takes away. An error
// of one part ends the stage, and the daemon with it.
type stage struct {
	ctx   context.Context // of the group
	group *errgroup.Group

	mu sync.Mutex
	on map[string]*act
}

// A part is what stands under a name. is tells one part from another of the
// same name: a part is exchanged only when it changes.
type part struct {
	is  any
	run func(context.Context) error
}

type act struct {
	is   any
	stop context.CancelFunc
	done chan struct{}
}

// newStage makes a stage whose parts live in the group.
func newStage(ctx context.Context, group *errgroup.Group) *stage {
	return &stage{ctx: ctx, group: group, on: make(map[string]*act)}
}

// set makes the parts that run the ones that are wanted. Parts that stay as
// they are do not notice; those that go have stopped before set returns.
func (s *stage) set(want map[string]part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, a := range s.on {
		if w, ok := want[name]; !ok || w.is != a.is {
			a.stop()
			<-a.done
			delete(s.on, name)
		}
	}
	for name, w := range want {
		if s.on[name] != nil {
			continue
		}
		ctx, stop := context.WithCancel(s.ctx)
		a := &act{is: w.is, stop: stop, done: make(chan struct{})}
		s.on[name] = a
		s.group.Go(func() error {
			defer close(a.done)
			defer stop()
			return w.run(ctx)
		})
	}
}
