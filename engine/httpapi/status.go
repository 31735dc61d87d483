package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tope/updater/engine"
)

// MaxWait is the longest a status request may wait for a change.
const MaxWait = 30 * time.Second

// status answers at once. With ?wait=SEQ it answers when the journal has gone
// beyond SEQ or after ?timeout, whichever is first. A watcher passes the seq it
// has seen and a timeout as long as its progress bar may stand still.
func (a *api) status(w http.ResponseWriter, r *http.Request) error {
	s, err := a.awaitStatus(w, r)
	if err != nil {
		return err
	}
	s.Quarantine = list(s.Quarantine)
	return answer(w, http.StatusOK, s)
}

func (a *api) awaitStatus(w http.ResponseWriter, r *http.Request) (engine.Status, error) {
	if r.URL.RawQuery == "" {
		return a.Engine.Status(), nil
	}
	q := r.URL.Query()
	if !q.Has("wait") {
		return a.Engine.Status(), nil
	}
	seen, err := strconv.ParseUint(q.Get("wait"), 10, 64)
	if err != nil {
		return engine.Status{}, invalid("wait=%s is not a sequence number", quote(q.Get("wait")))
	}
	timeout := MaxWait
	if q.Has("timeout") {
		if timeout, err = time.ParseDuration(q.Get("timeout")); err != nil || timeout < 0 || timeout > MaxWait {
			return engine.Status{}, invalid("timeout=%s is not a time from 0s to %s", quote(q.Get("timeout")), MaxWait)
		}
	}
	wait(w)
	expired := a.Clock.After(timeout)
	for {
		// The channel first: a change between the two calls closes it.
		changed := a.Engine.Changed()
		s := a.Engine.Status()
		if s.Journal.Seq > seen {
			return s, nil
		}
		select {
		case <-changed:
		case <-expired:
			return a.Engine.Status(), nil
		case <-r.Context().Done():
			return s, nil
		}
	}
}

// wait lifts the server's time limits from a request that may take long for
// good reason. The read limit of net/http runs on while a handler works, and
// would otherwise end the request as if its client had gone.
func wait(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	// In-process there are no limits, and these calls fail without harm.
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
}
