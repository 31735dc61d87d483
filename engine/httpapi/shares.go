package httpapi

import (
	"context"
	"sync"
)

// shares are a bounded number of places that peers share. While there is room,
// anybody gets one. When there is none, a newcomer gets the place of the peer that has
// most of them, its own place counted. So a peer with few places always gets through,
// however many others ask, and who asks for more than its share only takes from itself.
//
// Within that peer, the place that has been idle for longest goes first. One at work
// goes only for a newcomer whose own peer has fewer places, and, if it is another
// machine's, for a user of this device.
type shares struct {
	size int

	mu    sync.Mutex
	clock uint64 // orders places by when they were taken, or became idle or busy
	held  map[*place]struct{}
	freed chan struct{} // closed when a place becomes free
}

// place is one place of a peer. Free it once; more often does no harm.
type place struct {
	of    *shares
	peer  string
	since uint64
	idle  bool
	evict func()
}

func newShares(size int) *shares {
	return &shares{size: size, held: map[*place]struct{}{}, freed: make(chan struct{})}
}

// take returns a place for a peer, or nil when the peer has its share and is at work
// with all of it. evict is called when another peer gets the place; it must not block.
func (s *shares) take(peer string, idle bool, evict func()) *place {
	p := &place{of: s, peer: peer, idle: idle, evict: evict}
	victim, ok := s.admit(p)
	switch {
	case !ok:
		return nil
	case victim != nil:
		victim.evict()
	}
	return p
}

// await is take for a peer that is at work, but waits for a place until ctx ends.
func (s *shares) await(ctx context.Context, peer string, evict func()) *place {
	for {
		s.mu.Lock()
		freed := s.freed
		s.mu.Unlock()
		if p := s.take(peer, false, evict); p != nil {
			return p
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *shares) admit(p *place) (victim *place, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) >= s.size {
		if victim = s.victim(p.peer); victim == nil {
			return nil, false
		}
		delete(s.held, victim)
	}
	s.clock++
	p.since = s.clock
	s.held[p] = struct{}{}
	return victim, true
}

// victim is the place to give up for a newcomer; nil when the newcomer is to go.
func (s *shares) victim(newcomer string) *place {
	count := map[string]int{newcomer: 1}
	most := 1
	for p := range s.held {
		count[p.peer]++
		most = max(most, count[p.peer])
	}
	var best *place
	for p := range s.held {
		if count[p.peer] == most && (best == nil || p.idle && !best.idle || p.idle == best.idle && p.since < best.since) {
			best = p
		}
	}
	switch {
	case best != nil && (best.idle || count[newcomer] < most):
		return best
	case isUser(newcomer):
		return s.oldestForeign()
	}
	return nil
}

// oldestForeign is the oldest place that no user of this device has; nil for none.
func (s *shares) oldestForeign() (oldest *place) {
	for p := range s.held {
		if !isUser(p.peer) && (oldest == nil || p.since < oldest.since) {
			oldest = p
		}
	}
	return oldest
}

// rest says whether the place is idle from now on.
func (p *place) rest(idle bool) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.clock++
	p.idle, p.since = idle, p.of.clock
}

func (p *place) free() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if _, mine := p.of.held[p]; !mine {
		return
	}
	delete(p.of.held, p)
	close(p.of.freed)
	p.of.freed = make(chan struct{})
}

func (s *shares) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}
