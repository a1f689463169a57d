package dns

import "sync"

// A pool asks the resolver for many guests at once, so many at a time. The
// others wait in order, and those beyond are not taken.
type pool struct {
	do            func(*job)
	most, waiting int

	wg      sync.WaitGroup
	mu      sync.Mutex
	running int
	queue   []*job
}

// give takes a job, unless too many wait.
func (p *pool) give(j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.running < p.most:
		p.running++
		p.wg.Go(func() { p.work(j) })
	case len(p.queue) < p.waiting:
		p.queue = append(p.queue, j)
	default:
		return false
	}
	return true
}

// work does a job, and those that wait, until none is left.
func (p *pool) work(j *job) {
	for j != nil {
		p.do(j)
		j = p.next()
	}
}

func (p *pool) next() (j *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.running--
		p.queue = nil // a long queue gives its memory back
		return nil
	}
	j, p.queue[0] = p.queue[0], nil
	p.queue = p.queue[1:]
	return j
}
