package hawkbit_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/ddi/dditest"
)

// watched says of each request when it was answered.
type watched struct {
	http.RoundTripper
	done chan string
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	w.done <- r.Method + " " + r.URL.Path
	return resp, err
}

// living is a device with an engine, whose loop asks the server.
func living(t *testing.T) (*world, *enginetest.Life, *fleet.Loop, chan string) {
	w := newWorld(t)
	done := make(chan string, 1000)
	w.web = watched{w.server, done}
	w.restart()
	d := enginetest.NewDevice()
	life := d.Up(t)
	loop := fleet.New(fleet.Config{
		Source: w.source, Engine: life.Engine, Clock: d.Clock, ID: "dev1", Policy: fleet.Auto,
		Attributes: func() map[string]string { return map[string]string{"version": "1.0.0"} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ran)
	})
	return w, life, loop, done
}

// await waits for an action to be as the server is to have it.
func (w *world) await(action, state string, done chan string) {
	for w.server.Action(action).State != state {
		<-done
	}
}

// TestLoop: the fleet's loop, and an engine, install what is assigned, and tell it.
func TestLoop(t *testing.T) {
	w, life, loop, done := living(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	require.NoError(t, loop.Check(t.Context()))
	w.await("1", dditest.Finished, done)
	var states []string
	for _, e := range w.entries("1") {
		states = append(states, e.State)
	}
	require.Equal(t, []string{"download", "downloaded", "running", "finished"}, states)
	require.Equal(t, map[string]string{"version": "1.0.0"}, w.server.Attributes("dev1"))
	require.Equal(t, engine.Committed, life.Journal().Offers[0].State)
}

// TestLoopDownloadsOnly: the server ends the action with the download. The update waits,
// also after it has been asked again, and a newer assignment takes its place.
func TestLoopDownloadsOnly(t *testing.T) {
	w, life, loop, done := living(t)
	w.server.Assign("dev1", 1, dditest.DownloadOnly)
	require.NoError(t, loop.Check(t.Context()))
	w.await("1", dditest.Fetched, done)
	for range 3 {
		require.NoError(t, loop.Check(t.Context()))
		require.Equal(t, engine.Ready, life.Status().State)
	}
	require.Len(t, w.entries("1"), 2)
	w.server.Assign("dev1", 1, dditest.Forced)
	require.NoError(t, loop.Check(t.Context()))
	w.await("2", dditest.Finished, done)
	require.Len(t, w.entries("1"), 2)
}

// TestLoopCancels: the server cancels what waits for its window.
func TestLoopCancels(t *testing.T) {
	w, _, loop, done := living(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	w.server.Window("1", false)
	require.NoError(t, loop.Check(t.Context()))
	for len(w.entries("1")) < 2 {
		<-done
	}
	w.server.Cancel("1")
	require.NoError(t, loop.Check(t.Context()))
	w.await("1", dditest.Canceled, done)
	last := w.entries("1")
	require.Contains(t, strings.Join(last[len(last)-1].Messages, "; "), "it was cancelled at the server")
}
