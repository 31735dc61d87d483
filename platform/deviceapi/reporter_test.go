package deviceapi_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/deviceapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api is a device-api that can be taken down and brought back on its port.
type api struct {
	t       *testing.T
	address string
	handle  http.HandlerFunc
	server  *http.Server

	mu   sync.Mutex
	got  []string
	seen chan struct{} // one token a request
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{t: t, address: "127.0.0.1:0", seen: make(chan struct{}, 1000)}
	a.handle = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	a.up()
	t.Cleanup(a.down)
	return a
}

func (a *api) up() {
	l, err := net.Listen("tcp", a.address)
	require.NoError(a.t, err)
	a.address = l.Addr().String()
	a.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.got = append(a.got, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body))
		handle := a.handle
		a.mu.Unlock()
		a.seen <- struct{}{}
		handle(w, r)
	})}
	go a.server.Serve(l) // ends with Close
}

func (a *api) down() { _ = a.server.Close() }

func (a *api) answers(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handle = h
}

func (a *api) bodies() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.got...)
}

func (a *api) wait(n int) {
	for range n {
		<-a.seen
	}
}

// fixture is a Reporter that runs, and the means to look at it.
type fixture struct {
	*deviceapi.Reporter
	api *api
	clk *clocktest.Fake
	log *strings.Builder
}

func start(t *testing.T) fixture {
	t.Helper()
	f := fixture{api: newAPI(t), clk: clocktest.New(), log: new(strings.Builder)}
	f.Reporter = deviceapi.New(deviceapi.Config{
		URL: "http://" + f.api.address, Clock: f.clk, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func report(stage string, progress int) deviceapi.Report {
	return deviceapi.Report{Stage: stage, Progress: progress, Message: stage + "…"}
}

// delivered returns when r is acknowledged, letting time pass until then.
func (f fixture) delivered(t *testing.T, r deviceapi.Report) {
	t.Helper()
	require.Eventually(t, func() bool {
		f.clk.Advance(time.Second)
		got, ok := f.Delivered()
		return ok && got.Stage == r.Stage && got.Progress == r.Progress
	}, 20*time.Second, time.Millisecond)
}

func TestTheWholeRequest(t *testing.T) {
	f := start(t)
	failure := "MD5_MISMATCH: the MD5 is another"
	f.Submit(deviceapi.Report{Stage: "failed", Progress: 42, Message: "Update failed", Error: &failure})
	f.api.wait(1)
	f.Submit(report("idle", 0))
	f.api.wait(1)
	require.Equal(t, []string{
		`POST /api/v1.0/ota/report application/json {"stage":"failed","progress":42,"message":"Update failed","error":"MD5_MISMATCH: the MD5 is another"}`,
		`POST /api/v1.0/ota/report application/json {"stage":"idle","progress":0,"message":"idle…","error":null}`,
	}, f.api.bodies())
}

// TestEveryFivePercent: a device-api that is up gets each change of stage and
// each step of 5 %, and nothing in between.
func TestEveryFivePercent(t *testing.T) {
	f := start(t)
	for _, stage := range []string{"downloading", "verifying"} {
		for progress := range 101 {
			before := len(f.api.bodies())
			r := report(stage, progress)
			f.Submit(r)
			if progress%5 == 0 {
				f.api.wait(1)
				require.Eventually(t, func() bool { got, _ := f.Delivered(); return got == r }, 20*time.Second, time.Millisecond)
				require.Len(t, f.api.bodies(), before+1)
			}
		}
	}
	require.Len(t, f.api.bodies(), 42)
}

// The way back to an old version, and from there to the factory's, is one stage at one
// progress: only the message tells the two.
func TestAMessageIsNews(t *testing.T) {
	f := start(t)
	for _, text := range []string{"rolling back", "rolling back", "restoring the factory version"} {
		r := deviceapi.Report{Stage: "installing", Progress: 100, Message: text}
		f.Submit(r)
		require.Eventually(t, func() bool { got, _ := f.Delivered(); return got == r }, 20*time.Second, time.Millisecond)
	}
	require.Len(t, f.api.bodies(), 2)
}

// Two updates that end in the same words are two reports, and the answer to the first says
// nothing of the second.
func TestTheSameWordsOfAnotherUpdateAreNews(t *testing.T) {
	f := start(t)
	r := report("success", 100)
	r.Update = "a"
	f.Submit(r)
	f.delivered(t, r)
	r.Update = "b"
	f.Submit(r)
	f.api.wait(2)
	require.Eventually(t, func() bool { got, _ := f.Delivered(); return got.Update == "b" }, 20*time.Second, time.Millisecond)
	require.Len(t, f.api.bodies(), 2)
	require.Equal(t, f.api.bodies()[0], f.api.bodies()[1], "it is not sent")
}

// TestDownAndBack: while device-api is down Submit does not wait and only the
// newest report is kept; when it is back it gets that one.
func TestDownAndBack(t *testing.T) {
	f := start(t)
	f.Submit(report("downloading", 0))
	f.delivered(t, report("downloading", 0))
	f.api.down()
	for progress := range 101 {
		f.Submit(report("installing", progress))
	}
	f.Submit(report("success", 100))
	f.clk.Advance(24 * time.Hour)
	got, ok := f.Delivered()
	require.True(t, ok)
	require.Equal(t, "downloading", got.Stage)
	f.api.up()
	f.delivered(t, report("success", 100))
	require.Len(t, f.api.bodies(), 2)
	require.Contains(t, f.api.bodies()[1], `"stage":"success"`)
	f.Submit(report("success", 100))
	f.clk.Advance(time.Hour)
	require.Len(t, f.api.bodies(), 2, "what was delivered is not sent again")
}

// TestErrorsAreRetried: any answer that is not 2xx is not an acknowledgement, a
// redirect included.
func TestErrorsAreRetried(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"500":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"404":      http.NotFound,
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"hang up":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.api.answers(answer)
			f.Submit(report("success", 100))
			for range 4 {
				f.delivering(t)
			}
			_, ok := f.Delivered()
			require.False(t, ok)
			f.api.answers(func(http.ResponseWriter, *http.Request) {})
			f.delivered(t, report("success", 100))
			for _, body := range f.api.bodies() {
				require.Equal(t, f.api.bodies()[0], body)
			}
		})
	}
}

// delivering returns at the next request, letting time pass until then.
func (f fixture) delivering(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		f.clk.Advance(time.Second)
		select {
		case <-f.api.seen:
			return true
		default:
			return false
		}
	}, 20*time.Second, time.Millisecond)
}

// TestSlow: a device-api that never answers delays only reports. A try is given up
// after 5 s, and the next one sends the newest report.
func TestSlow(t *testing.T) {
	f := start(t)
	free := make(chan struct{})
	f.api.answers(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-free:
		case <-r.Context().Done():
		}
	})
	f.Submit(report("downloading", 0))
	f.api.wait(1)
	for progress := range 101 {
		f.Submit(report("downloading", progress))
	}
	f.Submit(report("failed", 100))
	require.Len(t, f.api.bodies(), 1)
	close(free)
	f.delivered(t, report("failed", 100))
	require.Contains(t, f.api.bodies()[len(f.api.bodies())-1], `"failed"`)
	require.LessOrEqual(t, len(f.api.bodies()), 3)
}

func TestATryIsGivenUpAfterFiveSeconds(t *testing.T) {
	f := start(t)
	gone := make(chan struct{}, 1) // the handler may be there before this test waits
	f.api.answers(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		select {
		case gone <- struct{}{}:
		default:
		}
	})
	f.Submit(report("downloading", 0))
	f.api.wait(1)
	f.clk.Advance(5*time.Second - 1)
	select {
	case <-gone:
		t.Fatal("given up too early")
	default:
	}
	f.clk.Advance(1)
	<-gone
}

// TestTheLogIsNotFlooded: one line when device-api goes, one when it is back.
func TestTheLogIsNotFlooded(t *testing.T) {
	f := start(t)
	f.api.answers(http.NotFound)
	f.Submit(report("success", 100))
	for range 20 {
		f.delivering(t)
	}
	f.api.answers(func(http.ResponseWriter, *http.Request) {})
	f.delivered(t, report("success", 100))
	f.Submit(report("idle", 0))
	f.delivered(t, report("idle", 0)) // so that the lines before are written
	require.Equal(t, 2, strings.Count(f.log.String(), "\n"), f.log.String())
	require.Contains(t, f.log.String(), "404")
}

func TestNobodyToTell(t *testing.T) {
	r := deviceapi.New(deviceapi.Config{Clock: clocktest.New()})
	r.Submit(report("success", 100))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	cancel()
	<-done
	_, ok := r.Delivered()
	require.False(t, ok)
}

// TestRunEnds: in the middle of a try and in the middle of a wait.
func TestRunEnds(t *testing.T) {
	for name, slow := range map[string]bool{"while trying": true, "while waiting": false} {
		t.Run(name, func(t *testing.T) {
			f := start(t) // its cleanup waits for Run
			f.api.answers(func(w http.ResponseWriter, r *http.Request) {
				if slow {
					<-r.Context().Done()
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			f.Submit(report("success", 100))
			f.api.wait(1)
		})
	}
}
