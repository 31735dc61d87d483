package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/platform/versions"
)

func seen(t *testing.T, h http.Handler) httpapi.Status {
	t.Helper()
	var s httpapi.Status
	require.NoError(t, json.Unmarshal([]byte(text(t, ask(h, "GET", "/api/v2/status", ""))), &s))
	return s
}

// However many ask at once, and whatever they ask, the services are looked at once.
func TestOneLookAnswersAll(t *testing.T) {
	d := httpapitest.New()
	o := d.Options()
	var looks atomic.Int32
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	o.Services.Look = func(context.Context) []httpapi.Service {
		looks.Add(1)
		begun <- struct{}{}
		<-goOn
		return []httpapi.Service{{Name: "device-api", Running: true, Versions: []string{"1.1.0"}}}
	}
	h := httpapi.New(o)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { ask(h, "GET", "/api/v2/status", "") })
	}
	<-begun
	goOn <- struct{}{}
	all.Wait()
	require.Equal(t, []string{"1.1.0"}, seen(t, h).Services[0].Versions)
	require.Contains(t, text(t, ask(h, "GET", "/api/v2/versions", "")), `"services":["device-api"]`)
	require.EqualValues(t, 1, looks.Load(), "it is recent enough")

	// Polls of the old API, and all that asks for something else, look at nothing.
	d.Clock.Advance(time.Minute)
	for _, path := range []string{"/api/v1.0/progress", "/api/v2/updates", "/"} {
		ask(h, "GET", path, "")
	}
	require.EqualValues(t, 1, looks.Load())

	close(goOn)
	seen(t, h)
	require.EqualValues(t, 2, looks.Load(), "what was seen a minute ago is not told for now")
}

// Those who watch a device with many services leave the service manager its time.
func TestALongLookIsFollowedByALongRest(t *testing.T) {
	d := httpapitest.New()
	o := d.Options()
	var looks atomic.Int32
	o.Services.Look = func(context.Context) []httpapi.Service {
		looks.Add(1)
		d.Clock.Advance(300 * time.Millisecond)
		return nil
	}
	h := httpapi.New(o)
	for _, at := range []struct {
		later time.Duration
		looks int32
	}{{0, 1}, {1400 * time.Millisecond, 1}, {200 * time.Millisecond, 2}} {
		d.Clock.Advance(at.later)
		seen(t, h)
		require.Equal(t, at.looks, looks.Load(), "%v", at.later)
	}
}

// An answer that tells of an update's end does not tell of the services before it, not even
// when others have just looked, or are looking.
func TestALookBelongsToItsMoment(t *testing.T) {
	d := httpapitest.New()
	o := d.Options()
	var looks atomic.Int32
	begun, goOn := make(chan struct{}, 9), make(chan struct{}, 9)
	o.Services.Look = func(context.Context) []httpapi.Service {
		version := fmt.Sprintf("1.0.%d", looks.Add(1))
		begun <- struct{}{}
		<-goOn
		return []httpapi.Service{{Name: "device-api", Running: true, Versions: []string{version}}}
	}
	h := httpapi.New(o)
	told := func() string { return seen(t, h).Services[0].Versions[0] }
	d.Open(engine.Switching, 0)
	goOn <- struct{}{}
	require.Equal(t, "1.0.1", told())
	d.Open(engine.CheckingHealth, 0)
	require.Equal(t, "1.0.1", told(), "it is recent enough: the update is under way")

	d.Clock.Advance(time.Minute)
	<-begun
	early, late := make(chan string, 1), make(chan string, 1)
	go func() { early <- told() }()
	<-begun
	d.Open(engine.Committed, 100)
	go func() { late <- told() }()
	goOn <- struct{}{}
	require.Equal(t, "1.0.2", <-early)
	goOn <- struct{}{}
	require.Equal(t, "1.0.3", <-late)
	require.EqualValues(t, 3, looks.Load())
	require.Equal(t, "1.0.3", told(), "it is recent enough, and of this moment")
}

// Who has to wait for the look of others first has as long for one's own as anybody.
func TestALookAfterALookIsWaitedFor(t *testing.T) {
	t.Parallel()
	d := httpapitest.New()
	o := d.Options()
	begun := make(chan struct{}, 2)
	o.Services.Look = func(context.Context) []httpapi.Service {
		begun <- struct{}{}
		time.Sleep(1200 * time.Millisecond)
		return []httpapi.Service{{Name: "device-api", Running: true, Text: "runs"}}
	}
	h := httpapi.New(o)
	early := make(chan httpapi.Status, 1)
	go func() { early <- seen(t, h) }()
	<-begun
	d.Open(engine.Committed, 100)
	require.Equal(t, "runs", seen(t, h).Services[0].Text)
	require.Equal(t, "runs", (<-early).Services[0].Text)
	require.Len(t, begun, 1)
}

// A service manager that hangs keeps a request waiting for a moment only, and the next
// ones not at all.
func TestAServiceManagerThatHangs(t *testing.T) {
	d := httpapitest.New()
	o := d.Options()
	hung := make(chan struct{})
	var looks atomic.Int32
	o.Services.Look = func(ctx context.Context) []httpapi.Service {
		if looks.Add(1) == 1 {
			return []httpapi.Service{{Name: "web-server", Versions: []string{"1.1.0"}}}
		}
		_, limited := ctx.Deadline()
		require.True(t, limited)
		<-hung
		return nil
	}
	h := httpapi.New(o)
	require.Len(t, seen(t, h).Services, 1)
	d.Clock.Advance(time.Minute)
	began := time.Now()
	seen(t, h)
	require.Less(t, time.Since(began), 5*time.Second)
	d.Clock.Advance(8 * time.Second)
	unknown := seen(t, h).Services
	require.Len(t, unknown, 2)
	for _, s := range unknown {
		require.False(t, s.Running)
		require.Empty(t, s.Versions)
		require.Equal(t, "is not known: the service manager has not answered for 8s", s.Text)
	}
	require.EqualValues(t, 2, looks.Load(), "one look at a time")
	close(hung)
	require.Eventually(t, func() bool { return len(seen(t, h).Services) == 0 }, 10*time.Second, time.Millisecond)
}

func TestAServiceOfAnotherVersionThanCurrent(t *testing.T) {
	o := httpapitest.New().Options()
	o.Services.Look = func(context.Context) []httpapi.Service {
		return []httpapi.Service{{Name: "a", Running: true, Versions: []string{"1.0.0"}, Text: "runs from 1.0.0"}, {Name: "b", Text: "is failed"}}
	}
	h := httpapi.New(o)
	for range 2 { // the second answer is made of the same look
		s := seen(t, h).Services
		require.Equal(t, "runs from 1.0.0, while current leads to 1.1.0", s[0].Text)
		require.Equal(t, "is failed", s[1].Text)
	}
}

func TestWithoutServicesThereAreNone(t *testing.T) {
	o := httpapitest.New().Options()
	o.Services = httpapi.Eyes{}
	require.Contains(t, text(t, ask(httpapi.New(o), "GET", "/api/v2/status", "")), `"services":[]`)
}

// links are pointers as somebody has left them, whatever the engine remembers.
type links struct {
	httpapi.Versions
	t      *testing.T
	target map[string]string
}

func (l links) Pointers() (versions.Pointers, error) {
	return versions.Pointers{Previous: "9.9.9"}, nil
}

func (l links) Raw(pointer string) (string, bool, error) {
	if pointer == versions.Factory {
		return "", true, versions.ErrForeign
	}
	target, ok := l.target[pointer]
	return target, ok, nil
}

func (l links) Path(version string) string { return l.t.TempDir() + "/v" + version }

func TestPointersAreThoseThatAreThere(t *testing.T) {
	d := httpapitest.New()
	o := d.Options()
	l := links{o.Versions, t, map[string]string{"current": "/tmp/elsewhere", "previous": "v9.9.9"}}
	o.Versions = l
	s := seen(t, httpapi.New(o))
	require.Equal(t, versions.Pointers{Previous: "9.9.9"}, s.Pointers)
	require.Equal(t, map[string]string{
		"current":  "leads to /tmp/elsewhere, which is not a version",
		"previous": "leads to 9.9.9, which is not installed",
		"factory":  "is a file or directory, not a link",
	}, s.Strange)
	require.Equal(t, "runs from 1.1.0", s.Services[0].Text)
	delete(l.target, "current") // rm current
	require.NotContains(t, seen(t, httpapi.New(o)).Strange, "current")
}
