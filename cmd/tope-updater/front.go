package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
)

// patientClients is how long a request of the legacy API waits for an engine. A daemon
// usually has one within 200 ms, and then nobody sees that there was none.
const patientClients = time.Second

// front is the handler of the servers. Behind it is the engine's, or, at the start of
// the daemon and while the journal is opened again, none.
//
// Clients of the legacy API poll, and end with the first answer that they do not know.
// They are answered all the time: by the engine, if one comes within patientClients, and
// else with what was told last.
type front struct {
	hosts []string
	// recall is what an earlier process has told; nil when nobody asks.
	recall func() (st engine.Status, known bool)

	mu     sync.Mutex
	next   http.Handler  // the engine's; nil while there is none
	absent http.Handler  // answers meanwhile
	came   chan struct{} // closed by set
	status func() engine.Status
}

// know says by which names clients may address the daemon. It is for fail.
func (f *front) know(hosts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts = hosts
}

// set puts an engine behind the front.
func (f *front) set(h http.Handler, status func() engine.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil && f.came != nil {
		close(f.came)
	}
	f.next, f.status = h, status
}

// fail takes the engine away; err says why there is none.
func (f *front) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != nil || f.came == nil {
		f.came = make(chan struct{})
	}
	f.next = nil
	f.absent = httpapi.Absent(httpapi.AbsentOptions{Hosts: f.hosts, Why: err, Status: f.last})
}

// last is what clients were told last. An engine whose journal has failed still knows,
// because its status reads memory only.
func (f *front) last() (st engine.Status, known bool) {
	f.mu.Lock()
	status := f.status
	f.mu.Unlock()
	switch {
	case status != nil:
		return status(), true
	case f.recall != nil:
		return f.recall()
	}
	return engine.Status{}, false
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.handler(r).ServeHTTP(w, r) }

func (f *front) handler(r *http.Request) http.Handler {
	f.mu.Lock()
	next, absent, came := f.next, f.absent, f.came
	f.mu.Unlock()
	switch {
	case next != nil:
		return next
	case !strings.HasPrefix(r.URL.Path, httpapi.LegacyPrefix):
		return absent // clients of v2 know what a 503 is
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), patientClients, errStarting)
	defer cancel()
	select {
	case <-came:
		return f.handler(r)
	case <-ctx.Done():
		return absent
	}
}

// recalled is what an earlier process has told clients, as it has to be told now.
func (d *device) recalled() (engine.Status, bool) {
	m, err := d.memory()
	if err != nil {
		return engine.Status{}, false
	}
	s, ok := m.Recall()
	if !ok || !s.Open && s.Boot != d.clock.Boot() {
		// After a power cut the memory may be older than the journal: an update may
		// have been accepted since.
		return engine.Status{}, false
	}
	st := s.Status()
	if st.Last != nil {
		st.Last.SinceEnd = d.clock.Now().Sub(st.Last.Ended)
	}
	return st, true
}

var errStarting = errors.New("the updater is starting")
