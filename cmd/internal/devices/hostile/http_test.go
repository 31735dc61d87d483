package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// daemon runs on the device until the test ends, and is asked by HTTP.
func (v *victim) daemon(t *testing.T) (base string, c *client.Client) {
	t.Helper()
	cmd := v.command(context.Background(), t, "serve") // the test's context ends before it can end in order
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	c = client.Socket(filepath.Join(v.Root, "run/tope-updater/api.sock"))
	t.Cleanup(c.Close)
	require.Eventually(t, func() bool { return c.Alive(t.Context()) == nil }, 30*time.Second, 10*time.Millisecond)
	return fmt.Sprintf("http://127.0.0.1:%d", v.Ports.Updater), c
}

// A bundle that the command line refuses is refused by the API too.
func TestHostileBundlesByTheAPI(t *testing.T) {
	kit := nativetest.New(t)
	v := newVictim(t, kit, false)
	base, socket := v.daemon(t)
	before := v.state(t)
	for _, c := range []hostile{signatures()[0], unsigned()[0], traversals()[0], texts()[0], trailing()[0], contents(t)[0], unfit()[2], unfit()[3]} {
		t.Run(c.name, func(t *testing.T) {
			url := published(t, onDisk(t, kit.Make(t, c.edit)))
			res, err := socket.HTTP().Post("http://localhost/api/v2/install", "application/json", bytes.NewReader([]byte(`{"url":"`+url+`"}`)))
			require.NoError(t, err)
			var accepted struct {
				Update string `json:"update"`
			}
			require.NoError(t, json.NewDecoder(res.Body).Decode(&accepted))
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusAccepted, res.StatusCode)
			require.NotEmpty(t, accepted.Update)
			var st engine.Status
			require.Eventually(t, func() bool {
				res, err := http.Get(base + "/api/v2/status")
				require.NoError(t, err)
				defer res.Body.Close()
				st = engine.Status{}
				require.NoError(t, json.NewDecoder(res.Body).Decode(&st))
				return st.Last != nil && st.Last.ID == accepted.Update
			}, 30*time.Second, 10*time.Millisecond)
			require.Equal(t, engine.Failed, st.Last.State)
			require.Equal(t, string(c.code), st.Last.Error.Code)
			require.Equal(t, string(steps.Refused), st.Last.Error.Class)
			require.Contains(t, st.Last.Error.Text, c.says)
			require.Eventually(t, func() bool { return len(names(t, filepath.Join(v.Root, "var/lib/tope-updater/work"))) == 0 }, 30*time.Second, 10*time.Millisecond)
			v.requireUntouched(t, before)
		})
	}
}

// No code on a device reads a tar header behind the head: its text names nothing,
// hides nothing, and does not change the installed files.
func TestTarHeadersBehindTheHeadMeanNothing(t *testing.T) {
	kit := nativetest.New(t)
	header := func(edit func(h []byte)) nativetest.Edit {
		return nativetest.Edit{Members: func(m *[]nativetest.Member) {
			for i := range (*m)[2:] {
				(*m)[2+i].Header = header512((*m)[2+i].Header, edit)
			}
		}}
	}
	for name, edit := range map[string]nativetest.Edit{
		"another name":   header(func(h []byte) { copy(h, "../../../../etc/cron.d/evil\x00") }),
		"a suffix":       header(func(h []byte) { copy(h[bytes.IndexByte(h, 0):], ".sh") }),
		"a device":       header(func(h []byte) { h[156] = '3' }),
		"a link":         header(func(h []byte) { h[156] = '2'; copy(h[157:], "/etc/passwd") }),
		"another size":   header(func(h []byte) { copy(h[124:], "77777777777\x00") }),
		"a mode":         header(func(h []byte) { copy(h[100:], "0006777\x00") }),
		"no header":      {Members: func(m *[]nativetest.Member) { (*m)[3].Header = make([]byte, 512) }},
		"an end of tar":  {Members: func(m *[]nativetest.Member) { (*m)[4].Header = make([]byte, 512) }},
		"other padding":  {Members: func(m *[]nativetest.Member) { (*m)[3].Pad = bytes.Repeat([]byte("x"), len((*m)[3].Pad)) }},
		"another ending": {File: func(f []byte) []byte { return append(f[:len(f)-1024], bytes.Repeat([]byte("x"), 1024)...) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, kit, false)
			share := filepath.Join(t.TempDir(), "release.tope")
			require.NoError(t, os.WriteFile(share, kit.Make(t, edit), 0o600))
			v.requireTaken(t, share, false)
		})
	}
}
