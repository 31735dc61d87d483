package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/engine"
)

// MaxWait is the longest a status request may wait for a change.
const MaxWait = 30 * time.Second

// status answers at once: pointers and services are what is there now, everything else is
// what the engine knows. With ?wait=SEQ it answers when the journal has gone
// beyond SEQ or after ?timeout, whichever is first. A watcher passes the seq it
// has seen and a timeout as long as its progress bar may stand still.
func (a *api) status(w http.ResponseWriter, r *http.Request) error {
	s, err := a.awaitStatus(w, r)
	if err != nil {
		return err
	}
	if !seesAll(r) {
		s = publicStatus(s)
	}
	s.Quarantine = list(s.Quarantine)
	now := Status{Status: s}
	now.Pointers, now.Strange = a.pointersNow(s.Pointers)
	now.Services = compared(a.presence.services(r.Context()), now.Pointers.Current)
	if a.Denied != nil {
		now.Denied = a.Denied()
	}
	if a.LAN != nil {
		lan := a.LAN()
		now.LAN = &lan
	}
	if a.Fleet != nil {
		f := fleetTo(r, a.Fleet.Status())
		now.Fleet = f.Text
		if f.Alarm != "" && !strings.Contains(f.Text, f.Alarm) {
			now.Fleet += "; " + f.Alarm
		}
	}
	return answer(w, http.StatusOK, now)
}

func (a *api) awaitStatus(w http.ResponseWriter, r *http.Request) (engine.Status, error) {
	if r.URL.RawQuery == "" {
		return a.Engine.Status(), nil
	}
	after, waits, err := parameter(r, "wait")
	if err != nil {
		return engine.Status{}, err
	}
	limit, limited, err := parameter(r, "timeout")
	if err != nil {
		return engine.Status{}, err
	}
	timeout := MaxWait
	if limited {
		if timeout, err = time.ParseDuration(limit); err != nil || timeout < 0 || timeout > MaxWait {
			return engine.Status{}, invalid("timeout=%s is not a time from 0s to %s", quote(limit), MaxWait)
		}
	}
	if !waits {
		return a.Engine.Status(), nil
	}
	seen, err := strconv.ParseUint(after, 10, 64)
	if err != nil {
		return engine.Status{}, invalid("wait=%s is not a sequence number", quote(after))
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
// good reason, until it is answered: see due. The read limit of net/http runs on while
// a handler works, and would otherwise end the request as if its client had gone.
func wait(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	// In-process there are no limits, and these calls fail without harm.
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
}

// answerTimeout is how long a client may take to read an answer.
const answerTimeout = 30 * time.Second

// due gives the client time to read the answer that is about to be written, however
// long the work on it took. A client that does not read is disconnected.
func due(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // see wait
}
