package httpapi

import (
	"net/http"
	"sync"
	"time"
)

const (
	// maxWrong is how many wrong tokens a peer may send at once, and wrongEvery after
	// what time it may send one more. A token cannot be guessed at any speed; this bounds
	// what trying costs the device.
	maxWrong   = 10
	wrongEvery = 6 * time.Second
	// maxPeers bounds the peers that are remembered. The one that has been quiet longest
	// is forgotten for a new one.
	maxPeers = 256
	// retryAfter is what a peer is told to wait, in seconds: wrongEvery.
	retryAfter = "6"
)

// attempts counts wrong tokens by peer. The zero value is ready. It is safe for
// concurrent use.
type attempts struct {
	mu    sync.Mutex
	peers map[string]wrong
}

// wrong is how many wrong tokens count against a peer at a time.
type wrong struct {
	n  int
	at time.Duration
}

// now is w at a later time.
func (w wrong) now(at time.Duration) wrong {
	passed := int((at - w.at) / wrongEvery)
	if passed >= w.n {
		return wrong{at: at}
	}
	return wrong{w.n - passed, w.at + time.Duration(passed)*wrongEvery}
}

// may reports whether a token of the peer is looked at.
func (a *attempts) may(peer string, at time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers[peer].now(at).n < maxWrong
}

// failed counts a wrong token.
func (a *attempts) failed(peer string, at time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.peers == nil {
		a.peers = map[string]wrong{}
	}
	if _, known := a.peers[peer]; !known && len(a.peers) >= maxPeers {
		delete(a.peers, a.quietest())
	}
	w := a.peers[peer].now(at)
	w.n++
	a.peers[peer] = w
}

func (a *attempts) quietest() (quiet string) {
	first := true
	for peer, w := range a.peers {
		if first || w.at < a.peers[quiet].at {
			quiet, first = peer, false
		}
	}
	return quiet
}

// attempter is by what attempts knows the sender of a request: as the connections do.
func attempter(r *http.Request) string {
	if c, ok := r.Context().Value(connKey{}).(*limitedConn); ok {
		return c.peer
	}
	return "this process"
}
