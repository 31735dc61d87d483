package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

const (
	nobody = 65534
	member = 4711 // the group of those who may use the socket, in these tests
)

// taking is a daemon that reads what it may read of the path in the query. It answers
// "by its path" when it would open the path by itself.
func taking(t *testing.T) (socket string) {
	t.Helper()
	a := &api{Options: Options{Clock: clocktest.New()}}
	dir := public(t)
	socket = filepath.Join(dir, SocketName)
	s, err := Listen(ServerOptions{Socket: socket})
	require.NoError(t, err)
	s.handler = peers{own: uint32(os.Geteuid()), gid: member, some: true, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := a.handed(r, steps.Source{URL: source.New(r.URL.Query().Get("url"))})
		switch {
		case err != nil:
			problemOf(err).write(w)
		case h == nil:
			_, _ = io.WriteString(w, "by its path")
		default:
			defer h.Close()
			_, _ = io.Copy(w, h.File)
		}
	})}
	require.NoError(t, os.Chmod(socket, 0o666)) // who may open it is another test's
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return socket
}

// public is a directory that every user can reach.
func public(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	return dir
}

// asUser runs f in a thread of another user, which ends with it.
func asUser(uid, gid int, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocks it
		keep := ^uintptr(0)
		_, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, keep, uintptr(gid), keep)
		if errno == 0 {
			_, _, errno = syscall.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep)
		}
		if errno != 0 {
			panic(errno)
		}
		f()
	}()
	<-done
}

// post asks the daemon to install from url, as a user, and hands a file over if there is one.
func post(t *testing.T, socket string, uid int, url string, f *os.File) (int, string) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (c net.Conn, err error) {
		asUser(uid, member, func() {
			if f == nil {
				c, err = DialSocket(ctx, socket)
			} else {
				c, err = DialHanding(ctx, socket, f)
			}
		})
		return c, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := client.Post("http://localhost/?url="+url, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// TestFilesAreReadWithTheCallersRights: whoever is not root cannot have the daemon read a
// file by its path, and can hand over what he can open.
func TestFilesAreReadWithTheCallersRights(t *testing.T) {
	roottest.Need(t, "threads of another user")
	socket := taking(t)
	dir := public(t)
	secret, own := filepath.Join(dir, "shadow"), filepath.Join(dir, "bundle")
	require.NoError(t, os.WriteFile(secret, []byte("root:hash"), 0o600))
	require.NoError(t, os.WriteFile(own, []byte("a bundle"), 0o644))

	for _, url := range []string{secret, own, "file://" + secret} {
		code, text := post(t, socket, nobody, url, nil)
		require.Equal(t, http.StatusForbidden, code)
		require.Contains(t, text, "only root may name a file by its path")
	}
	asUser(nobody, member, func() {
		_, err := os.Open(secret)
		require.ErrorIs(t, err, os.ErrPermission, "the thread is that user's")
	})
	f, err := os.Open(own)
	require.NoError(t, err)
	defer f.Close()
	code, text := post(t, socket, nobody, secret, f)
	require.Equal(t, http.StatusOK, code, text)
	require.Equal(t, "a bundle", text, "what was handed over is read, whatever path was named")

	code, text = post(t, socket, 0, secret, f)
	require.Equal(t, http.StatusOK, code, text)
	require.Equal(t, "by its path", text, "root names files as always")
}

// TestWhatCannotBeHandedOver: only a regular file that is open for reading.
func TestWhatCannotBeHandedOver(t *testing.T) {
	roottest.Need(t, "threads of another user")
	socket := taking(t)
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for name, open := range map[string]func() (*os.File, error){
		"for writing only": func() (*os.File, error) { return os.OpenFile(path, os.O_WRONLY, 0o600) },
		"a path":           func() (*os.File, error) { return os.OpenFile(path, unix.O_PATH, 0) },
		"a directory":      func() (*os.File, error) { return os.Open(filepath.Dir(path)) },
		"a device":         func() (*os.File, error) { return os.Open("/dev/null") },
		"a pipe":           func() (*os.File, error) { r, w, err := os.Pipe(); defer w.Close(); return r, err },
	} {
		t.Run(name, func(t *testing.T) {
			f, err := open()
			require.NoError(t, err)
			defer f.Close()
			code, text := post(t, socket, nobody, path, f)
			require.Equal(t, http.StatusBadRequest, code, text)
			require.Contains(t, text, "not a regular file")
		})
	}
}

// Over TCP there is no way to a file of this device, whatever is sent along.
func TestNoFilesOverTCP(t *testing.T) {
	a := &api{Options: Options{Clock: clocktest.New()}}
	for _, url := range []string{"/etc/shadow", "file:///etc/shadow", "file:/etc/shadow"} {
		h, err := a.handed(httptest.NewRequest(http.MethodPost, "/", nil), steps.Source{URL: source.New(url)})
		require.ErrorContains(t, err, "is not installed over TCP")
		require.Nil(t, h)
	}
	h, err := a.handed(httptest.NewRequest(http.MethodPost, "/", nil), steps.Source{URL: source.New("http://h/r")})
	require.NoError(t, err)
	require.Nil(t, h)
	h, err = a.handed(httptest.NewRequest(http.MethodPost, "/", nil).WithContext(Here(t.Context())), steps.Source{URL: source.New("/r")})
	require.NoError(t, err)
	require.Nil(t, h, "this process opens its files by itself")
}

// TestFilesThatNobodyTakes: a client cannot make the daemon run out of descriptors.
func TestFilesThatNobodyTakes(t *testing.T) {
	socket := taking(t)
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	defer f.Close()
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(all)
	}
	conn, err := DialSocket(t.Context(), socket)
	require.NoError(t, err)
	before := open()
	fd := int(f.Fd())
	for range 200 {
		_, _, err := conn.(*net.UnixConn).WriteMsgUnix([]byte("G"), unix.UnixRights(fd, fd, fd, fd), nil)
		if err != nil {
			break // the server has had enough of it
		}
	}
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return open() <= before+1 }, 10*time.Second, 5*time.Millisecond)
}
