package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine/legacy"
)

// window is a client of the first updater, as it is on devices: it polls all the time,
// takes any answer that is not HTTP 200 with a body it knows for the end, and knows no
// way to cancel.
type window struct {
	t    *testing.T
	base string
	stop chan struct{}

	mu    sync.Mutex
	views []legacy.View
	wrong []string // answers that it does not know
}

func newWindow(t *testing.T, port int) *window {
	w := &window{t: t, base: fmt.Sprintf("http://127.0.0.1:%d/api/v1.0/", port), stop: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-w.stop:
				return
			default:
				w.poll()
			}
		}
	}()
	t.Cleanup(func() { close(w.stop); <-ended })
	return w
}

func (w *window) poll() {
	res, err := http.Get(w.base + "progress")
	if err != nil {
		time.Sleep(time.Millisecond) // no daemon listens
		return
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return // it was killed while it answered
	}
	var answer struct {
		Code int
		Data *legacy.View
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if res.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil || answer.Data == nil || answer.Data.Stage == "" {
		w.wrong = append(w.wrong, fmt.Sprintf("%d %s", res.StatusCode, body))
		return
	}
	if n := len(w.views); n == 0 || w.views[n-1].Stage != answer.Data.Stage || w.views[n-1].Progress != answer.Data.Progress || w.views[n-1].Message != answer.Data.Message {
		w.views = append(w.views, *answer.Data)
	}
}

// until waits for a view, and returns those that were seen since from.
func (w *window) until(from int, is func(legacy.View) bool) []legacy.View {
	w.t.Helper()
	var (
		views []legacy.View
		wrong []string
	)
	require.Eventually(w.t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		wrong = w.wrong
		views = append([]legacy.View(nil), w.views[min(from, len(w.views)):]...)
		return len(wrong) > 0 || len(views) > 0 && is(views[len(views)-1])
	}, 30*time.Second, time.Millisecond, "seen: %+v", &views)
	require.Empty(w.t, wrong)
	last := map[legacy.Stage]int{}
	for _, v := range views {
		require.GreaterOrEqual(w.t, v.Progress, last[v.Stage], "%s goes back: %+v", v.Stage, views)
		last[v.Stage] = v.Progress
	}
	return views
}

// now is the newest view.
func (w *window) now() legacy.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.views[len(w.views)-1]
}

func (w *window) seen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.views)
}

func (w *window) post(path string, body any) string {
	w.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(w.t, err)
	res, err := http.Post(w.base+path, "application/json", bytes.NewReader(text))
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, res.StatusCode, "%s", answer)
	return string(answer)
}

func (w *window) download(p fixtures.Package, url string) string {
	w.t.Helper()
	return w.post("download", map[string]any{
		"version": p.Version, "package_url": url + "/" + p.Name, "package_name": p.Name, "package_size": p.Size, "package_md5": p.MD5,
	})
}

func stageIs(s legacy.Stage) func(legacy.View) bool {
	return func(v legacy.View) bool { return v.Stage == s }
}

// daemon is a process of the updater on a device; it is killed with the test.
type process struct {
	*exec.Cmd
	ended  chan struct{}
	logged bytes.Buffer
}

// startDaemon starts the daemon of a device, with more in its environment, and returns once
// it listens: before that a verb would do the daemon's work itself, in its own environment.
// What the daemon logs is read when it has ended.
func startDaemon(t *testing.T, d *fixtures.Device, environment ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(builttest.Updater(t, builttest.Version), "--config", d.Config, "--root", d.Root, "serve"), ended: make(chan struct{})}
	p.Env = append(os.Environ(), environment...)
	out := &p.logged
	p.Stderr = out
	require.NoError(t, p.Start())
	go func() { defer close(p.ended); _ = p.Wait() }()
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s", out.String())
		}
	})
	socket := filepath.Join(d.Root, "run/tope-updater/api.sock")
	require.Eventually(t, func() bool {
		c, err := net.Dial("unix", socket)
		return err == nil && c.Close() == nil
	}, time.Minute, time.Millisecond, "the daemon does not listen")
	return p
}

func (p *process) end(s syscall.Signal) {
	_ = p.Process.Signal(s)
	<-p.ended
}

// TestAnOldWindow has the conversation of an old client with a real daemon: through a
// kill in mid-download, a journal that another process holds for seconds, a version that
// does not run, and a host that does not answer. Its user is told the truth to the end.
func TestAnOldWindow(t *testing.T) {
	programs := builttest.Services(t)
	root := t.TempDir()
	d, err := programs.Device(t.Context(), filepath.Join(root, "device"), fixtures.Release{Version: "1.0.0"}, patientGate())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	sick, err := programs.Package(root, fixtures.Release{Version: "1.2.0", DeviceAPI: "unhealthy"})
	require.NoError(t, err)
	good, err := programs.Package(root, fixtures.Release{Version: "1.1.0"})
	require.NoError(t, err)

	// The server stands still at 46 % until it may go on.
	release := make(chan struct{})
	content, err := os.ReadFile(sick.Path)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "1.1.0") {
			http.ServeFile(w, r, good.Path)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		half := len(content)*46/100 + 1
		_, _ = w.Write(content[:half])
		w.(http.Flusher).Flush()
		select {
		case <-release:
			_, _ = w.Write(content[half:])
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)

	w := newWindow(t, d.Ports.Updater) // before the daemon
	first := startDaemon(t, d)
	w.until(0, stageIs(legacy.Idle))
	begin := w.seen()
	require.Equal(t, legacy.Accepted, w.download(sick, server.URL))
	w.until(begin, func(v legacy.View) bool { return v.Stage == legacy.Downloading && v.Progress == 46 })
	begin = w.seen() - 1
	first.end(syscall.SIGKILL)

	lock, err := os.OpenFile(filepath.Join(d.Root, "var/lib/tope-updater/journal.db"), os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	startDaemon(t, d)
	var refused string
	require.Eventually(t, func() bool {
		res, err := http.Post(w.base+"update", "application/json", strings.NewReader(`{"version":"1.2.0"}`))
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		refused = fmt.Sprintf("%d %s", res.StatusCode, body)
		return true
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, `200 {"code":500,"msg":"INTERNAL_ERROR: the updater is starting; try again in a moment"}`, refused)
	require.NoError(t, lock.Close())
	close(release)

	w.until(begin, stageIs(legacy.ToInstall))
	begin = w.seen() - 1
	require.Equal(t, legacy.Accepted, w.post("update", map[string]string{"version": "1.2.0"}))
	views := w.until(begin, stageIs(legacy.Failed))
	var messages []string
	for _, v := range views {
		messages = append(messages, string(v.Stage)+": "+v.Message)
	}
	require.Contains(t, messages, "installing: Update failed, rolling back to version 1.0.0...")
	require.Equal(t, "failed: Update failed, rolled back to version 1.0.0", messages[len(messages)-1])
	require.NotContains(t, strings.Join(messages[:len(messages)-1], "\n"), "failed: ")

	// The user presses the button again, this time with a host that does not answer.
	begin = w.seen()
	require.Equal(t, legacy.Accepted, w.download(good, "http://127.0.0.1:1"))
	w.until(begin, func(v legacy.View) bool {
		return strings.HasPrefix(v.Message, "Downloading version 1.1.0... cannot reach host 127.0.0.1:1: connection refused; next try in ")
	})
	begin = w.seen()
	require.Equal(t, legacy.Accepted, w.download(good, server.URL))
	for _, v := range w.until(begin, stageIs(legacy.ToInstall)) {
		require.NotEqual(t, legacy.Failed, v.Stage)
		require.NotEqual(t, legacy.Idle, v.Stage)
	}
	require.Equal(t, legacy.Accepted, w.post("update", map[string]string{"version": "1.1.0"}))
	w.until(w.seen()-1, stageIs(legacy.Success))

	require.Eventually(t, func() bool {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/reports", d.Ports.DeviceAPI))
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		reports, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(reports), `"stage":"success"`)
	}, 20*time.Second, 10*time.Millisecond)
}
