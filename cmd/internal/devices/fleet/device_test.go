package fleet_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

const (
	// address is where the server listens, in the device's own network.
	address = "127.0.0.1:8001"
	id      = "dev1"
)

// rig is a device with a server in its network. The server is the test's, so that it keeps
// what it knows when the device has no power.
type rig struct {
	*devicetest.Device
	t       testing.TB
	handler http.Handler
	server  *http.Server // nil while it is away
}

// rigged is a rig that is switched off.
func rigged(t testing.TB, o devicetest.Options, h http.Handler) *rig {
	t.Helper()
	r := &rig{t: t, handler: h, Device: devicetest.New(t, o)}
	t.Cleanup(r.away)
	return r
}

// on switches the device on, with its server, and returns when the API answers.
func (r *rig) on() {
	r.t.Helper()
	r.Start()
	r.back()
	r.Await()
	r.Answers()
}

// cut takes the power away, and gives it back.
func (r *rig) cut() {
	r.t.Helper()
	r.Kill()
	r.away()
	r.on()
}

// reboot has the device restart as people do it.
func (r *rig) reboot() {
	r.t.Helper()
	boots := r.Boots()
	_, _ = r.Run("systemctl", "--no-block", "reboot") // the machine may be gone before it answers
	r.Wait("the device starts again", func() bool { return r.Boots() > boots && r.Leader() != 0 })
	r.away()
	r.back()
	r.AwaitBoots(boots + 1)
	r.Answers()
}

// back brings the server to the device's network.
func (r *rig) back() {
	r.t.Helper()
	var l net.Listener
	r.Wait("the server listens", func() bool {
		var err error
		l, err = r.Listen(r.t.Context(), "tcp", strings.Replace(address, "127.0.0.1", "0.0.0.0", 1)) // lo may not be up yet
		return err == nil
	})
	r.server = &http.Server{Handler: r.handler, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(l) }(r.server) // it ends with Close
}

// away takes it away, with its connections.
func (r *rig) away() {
	if r.server != nil {
		_ = r.server.Close()
		r.server = nil
	}
}

// fleet is how the device stands to its source.
func (r *rig) fleet() fleet.Status {
	r.t.Helper()
	s, err := r.seen()
	require.NoError(r.t, err)
	return s
}

// seen is that, or why it cannot be seen now.
func (r *rig) seen() (s fleet.Status, err error) {
	out, err := r.Run("curl", "-s", "--unix-socket", "/run/tope-updater/api.sock", "http://localhost/api/v2/fleet")
	if err == nil {
		err = json.Unmarshal([]byte(out), &s)
	}
	return s, err
}

// check has the source asked now.
func (r *rig) check() (s fleet.Status) {
	r.t.Helper()
	code, said := r.Post("fleet/check", map[string]any{})
	require.Equal(r.t, http.StatusOK, code, said)
	require.NoError(r.t, json.Unmarshal([]byte(said), &s))
	return s
}

// waits returns when an offer waits for that reason.
func (r *rig) waits(why fleet.Reason) (s fleet.Status) {
	r.t.Helper()
	r.Within(time.Minute, "an offer waits: "+string(why), func() bool {
		s, _ = r.seen()
		return s.Wait != nil && s.Wait.Reason == string(why) && s.Update != nil && s.Update.State == engine.Ready
	})
	return s
}

// ends returns how the newest offer has ended, when it has and all of it is told.
func (r *rig) ends(action string) journal.OfferEnd {
	r.t.Helper()
	var s fleet.Status
	r.Within(time.Minute, "the offer has come to an end", func() bool {
		s, _ = r.seen()
		return len(s.Ends) > 0 && s.Ends[0].Action == action && s.Update == nil && len(s.Outbox) == 0
	})
	return s.Ends[0]
}

// updates are the updates of an offer that the device has begun.
func (r *rig) updates(action string) (n int) {
	r.t.Helper()
	for line := range strings.Lines(r.MustRun(devicetest.Updater, "journal", "export")) {
		var rec journal.Record
		require.NoError(r.t, json.Unmarshal([]byte(line), &rec), line)
		if a := rec.Accept; a != nil && a.Origin != nil && a.Origin.Action == action && a.Kind == engine.Install {
			n++
		}
	}
	return n
}
