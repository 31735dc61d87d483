package download

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/fetch/fetchtest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// through is a step with these settings for the way to the servers.
func through(clk *patient, s fetch.Settings, edits ...func(*Config)) *Step {
	return stepFor(clk, append([]func(*Config){func(c *Config) { c.Web = reach(clk, s) }}, edits...)...)
}

// whenPaused calls then once the step waits for the next try, with the words for people.
func whenPaused(clk *patient, task *steps.Task, then func(why string)) func(*Config) {
	return func(c *Config) {
		c.Random = func() float64 { return 0.5 }
		c.Clock = pausing{clk, task, then}
		c.Web = nil
	}
}

// pausing is a clock that tells of each wait of the step.
type pausing struct {
	*patient
	task *steps.Task
	then func(why string)
}

func (p pausing) After(d time.Duration) <-chan time.Time {
	if pause := p.task.Meter.Pause(); pause != nil && d == pause.For {
		p.then(pause.Why)
	}
	return p.patient.After(d)
}

// TestWhatIsInTheWayIsWaitedOut: the step says what is wrong and which key helps, and
// goes on as soon as somebody has seen to it.
func TestWhatIsInTheWayIsWaitedOut(t *testing.T) {
	b := bundleOf(300_000, 1)
	ca := fetchtest.NewAuthority(t)
	wants := ca.Server("updates.test")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") == "" {
			http.Error(w, "who are you?", http.StatusTooManyRequests)
			return
		}
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "r.zip", time.Time{}, bytes.NewReader(b))
	}))
	s.TLS = wants
	s.StartTLS()
	t.Cleanup(s.Close)
	token, auth := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "auth")
	require.NoError(t, os.WriteFile(auth, []byte("u:p"), 0o600))
	p := fetchtest.NewProxy(t, s.Listener.Addr().String(), nil)
	p.Refuse = http.StatusForbidden

	clk := newPatient()
	task := newTask(t, from("https://updates.test/r.zip", b))
	var heard []string
	say := func(why string) {
		heard = append(heard, why)
		switch len(heard) {
		case 1:
			p.Refuse, p.User = 0, "u:p"
			require.NoError(t, os.WriteFile(auth, []byte("u:wrong"), 0o600))
		case 2:
			require.NoError(t, os.WriteFile(auth, []byte("u:p"), 0o600))
		case 3:
			require.NoError(t, os.WriteFile(token, []byte("x"), 0o600))
		}
	}
	// The proxy lets through first, refuses the password then; the token comes last.
	settings := fetch.Settings{
		Proxy: p.URL, ProxyAuth: auth, CAFile: ca.File,
		Servers: []fetch.Server{{URL: "https://updates.test", HeaderFiles: map[string]string{"X-Token": token}}},
	}
	step := stepFor(clk, whenPaused(clk, task, say), func(c *Config) {
		c.Web = fetch.New(fetch.Config{Settings: settings, Clock: clk, Connect: forLimits})
	})
	require.NoError(t, os.WriteFile(token, []byte("x"), 0o600))
	out, err := do(t, step, task)
	require.NoError(t, err)
	ev := requireBundle(t, task, b, out)
	require.Len(t, heard, 2, "%q", heard)
	require.Contains(t, heard[0], "does not let us through to updates.test: 403 Forbidden; have who runs it allow updates.test")
	require.Contains(t, heard[1], "407")
	require.Contains(t, heard[1], "proxy_auth")
	require.Equal(t, []string{string(fetch.ProxyRefused)}, kinds(ev))
	require.Equal(t, 2, ev.Events[0].Count)

	heard = []string{"", ""}
	require.NoError(t, os.Remove(token))
	task.WorkDir = t.TempDir()
	out, err = do(t, step, task)
	require.NoError(t, err)
	requireBundle(t, task, b, out)
	require.Contains(t, heard[2], "cannot use header_files: open "+token)
	require.Len(t, heard, 3)
}

// TestHintOfAnAnswer: the error of a refusal names the keys that may help.
func TestHintOfAnAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(s.Close)
	text := stepstest.Fails(t, stepFor(newPatient()), newTask(t, from(s.URL, bundleOf(10, 1))), steps.Unavailable, steps.DownloadFailed)
	require.Contains(t, text, `[[download.server]] with url = "`+s.URL+`"`)
}

// TestBandwidth: a limited transfer takes its time, and is not taken for a slow server,
// although it is slower than a server may be.
func TestBandwidth(t *testing.T) {
	const rate, size = 2000, 400_000
	b := bundleOf(size, 1)
	s := serve(t, func(k talk) { k.file(b, tag, -1) })
	task := newTask(t, from(s.url(), b))
	began := s.clk.Monotonic()
	out, err := do(t, through(s.clk, fetch.Settings{Bandwidth: rate}, func(c *Config) { c.Limits.SlowBytes = 5 * rate }), task)
	require.NoError(t, err)
	ev := requireBundle(t, task, b, out)
	require.Zero(t, ev.Retries)
	require.Empty(t, ev.Events)
	require.GreaterOrEqual(t, (s.clk.Monotonic() - began).Seconds(), float64(size-rate)/rate)
}
