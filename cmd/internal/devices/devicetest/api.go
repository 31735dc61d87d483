package devicetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// patience is for whole updates on a host that runs several machines.
const patience = 2 * time.Minute

// api is a client of the device's socket.
func (d *Device) api() *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.Dial(ctx, "unix", "/run/tope-updater/api.sock")
		}},
	}
}

// Up switches the device on and returns when systemd is up and the API answers.
func (d *Device) Up() {
	d.t.Helper()
	d.Boot()
	d.Answers()
}

// Answers returns the device's status when the API answers.
func (d *Device) Answers() (st engine.Status) {
	d.t.Helper()
	d.Wait("the API answers", func() (ok bool) {
		st, ok = d.Status()
		return ok
	})
	return st
}

// Status is the device's status, if its daemon answers at once.
func (d *Device) Status() (st engine.Status, ok bool) {
	resp, err := d.api().Get("http://localhost/api/v2/status") //nolint:noctx // it has a timeout
	if err != nil {
		return st, false
	}
	defer func() { _ = resp.Body.Close() }()
	err = json.NewDecoder(resp.Body).Decode(&st)
	return st, err == nil && resp.StatusCode == http.StatusOK
}

// Records are an update's records in the journal.
func (d *Device) Records(id string) []journal.Record {
	d.t.Helper()
	resp, err := d.api().Get("http://localhost/api/v2/updates/" + id + "/journal") //nolint:noctx // it has a timeout
	require.NoError(d.t, err)
	defer func() { _ = resp.Body.Close() }()
	var said struct{ Records []journal.Record }
	require.NoError(d.t, json.NewDecoder(resp.Body).Decode(&said))
	return said.Records
}

// Begin asks for the install of a package that is on the device, and returns when
// the update has been accepted.
func (d *Device) Begin(path string) {
	d.t.Helper()
	code, said := d.Post("install", map[string]any{"url": path})
	require.Equal(d.t, http.StatusAccepted, code, said)
}

// Post makes a v2 request, and returns the answer.
func (d *Device) Post(route string, body any) (code int, said string) {
	d.t.Helper()
	data, err := json.Marshal(body)
	require.NoError(d.t, err)
	resp, err := d.api().Post("http://localhost/api/v2/"+route, "application/json", bytes.NewReader(data)) //nolint:noctx // it has a timeout
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// Over waits for the end of the open update, and returns how it ended.
func (d *Device) Over() engine.UpdateStatus {
	d.t.Helper()
	var st engine.Status
	d.Within(patience, "the update is over", func() bool {
		var ok bool
		st, ok = d.Status()
		return ok && st.Update == nil && !engine.Busy(st.State)
	})
	require.NotNil(d.t, st.Last)
	return *st.Last
}

// In waits until the open update is in a state.
func (d *Device) In(state engine.State) {
	d.t.Helper()
	d.Within(patience, fmt.Sprintf("the update is in %s", state), func() bool {
		st, _ := d.Status()
		return st.State == state
	})
}

// Serves is the version of the program that runs as a service, "" when none runs.
// It reads the file of the process, not a pointer.
func (d *Device) Serves(unit string) string {
	pid := d.Property(unit, "MainPID")
	if pid == "0" {
		return ""
	}
	exe, err := d.Run("readlink", "/proc/"+pid+"/exe")
	if err != nil {
		return ""
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(exe, "/opt/tope/versions/v"), "/")
	return version
}

// Whole fails the test unless current, both services and the files on the disk
// are all of one version.
func (d *Device) Whole(version string) {
	d.t.Helper()
	st := d.Answers()
	require.Equal(d.t, version, st.Pointers.Current)
	for _, unit := range []string{DeviceAPI, WebServer} {
		require.Equal(d.t, version, d.Serves(unit), unit)
	}
	out, err := d.Run(Updater, "versions", "--verify", version)
	require.NoError(d.t, err, out)
}
