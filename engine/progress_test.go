package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/legacy"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// reaching is a step that comes as far as a percentage, says so, and then waits for
// what it is told to return.
type reaching struct {
	steps.Step
	percent int64
	pause   *steps.Pause
	there   chan struct{}
	fails   chan error
}

func (r reaching) Probe(context.Context, *steps.Task) (steps.Reach, error) {
	return steps.NotStarted, nil
}

func (r reaching) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	t.Meter.Set(r.percent, 100)
	if r.pause != nil {
		t.Meter.Stand(*r.pause)
	}
	select {
	case r.there <- struct{}{}:
	default: // a further attempt
	}
	select {
	case err := <-r.fails:
		return steps.Outcome{}, err
	case <-ctx.Done():
		return steps.Outcome{}, context.Cause(ctx)
	}
}

// reach makes a step come as far as percent and stay there.
func reach(name steps.Name, percent int64) (r reaching, change enginetest.Change) {
	r = reaching{percent: percent, there: make(chan struct{}, 1), fails: make(chan error)}
	return r, func(c *engine.Config) { r.Step = c.Steps[name]; c.Steps[name] = r }
}

// A client that polls must not see the download begin again at 0 because the updater
// was restarted; and when it fails, where it stood stays to be seen.
func TestProgressOutlivesTheProcessAndTheUpdate(t *testing.T) {
	d := enginetest.NewDevice()
	at46, change := reach(steps.Download, 46)
	first := d.Up(t, change)
	_, err := first.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err)
	<-at46.there
	require.Equal(t, 46, first.Status().Update.Progress)
	require.NoError(t, first.Stop())

	e, err := d.Engine()
	require.NoError(t, err)
	require.Equal(t, 46, e.Status().Update.Progress, "before the loop runs")

	at3, change := reach(steps.Download, 3)
	second := d.Up(t, change)
	<-at3.there
	st := second.Status()
	require.Equal(t, int64(3), st.Update.Bytes, "what is true of the bytes stays true")
	require.Equal(t, 46, st.Update.Progress)
	require.Equal(t, 46, legacy.Of(st).Progress)
	at3.fails <- &steps.Error{Class: steps.Unavailable, Code: steps.DownloadFailed, Err: errors.New("404")}
	st = second.Until(engine.Idle)
	require.Equal(t, engine.Failed, st.Last.State)
	require.Equal(t, 46, st.Last.Progress)
	require.Equal(t, 46, legacy.Of(st).Progress)
	require.NoError(t, second.Stop())

	d.Memory.Lose()
	require.Equal(t, 46, legacy.Of(d.Up(t).Status()).Progress, "the end is in the journal")
}

// Whatever way an update takes, a stage and a state never show less than before.
func TestProgressOfAStageThatIsEnteredAgain(t *testing.T) {
	d := enginetest.NewDevice()
	lacking, change := reach(steps.Extract, 40)
	r := d.Up(t, change)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err)
	<-lacking.there
	require.Equal(t, 20, legacy.Of(r.Status()).Progress)
	require.NoError(t, r.Stop())

	again, hold := reach(steps.Download, 1)
	lacks, change := reach(steps.Extract, 10)
	r = d.Up(t, change, hold)
	<-lacks.there
	lacks.fails <- &steps.Error{Class: steps.Lacking, Code: steps.InvalidPackage, Err: errors.New("a copy is damaged")}
	<-again.there
	v := legacy.Of(r.Status())
	require.Equal(t, legacy.Downloading, v.Stage)
	require.Equal(t, 100, v.Progress, "it was there already")
}

// nowhere is a download that waits for a network that never comes.
func nowhere() (reaching, enginetest.Change) {
	r, _ := reach(steps.Download, 46)
	r.pause = &steps.Pause{Why: "cannot reach host nowhere: no such host", Tries: 7, For: 40 * time.Second, Until: 1000 * time.Hour}
	return r, func(c *engine.Config) { r.Step = c.Steps[steps.Download]; c.Steps[steps.Download] = r }
}

// stranded is a device with an update whose download waits for a network that never
// comes. The downloads of other updates are well.
func stranded(t *testing.T) (d *enginetest.Device, r *enginetest.Life, id string) {
	d = enginetest.NewDevice()
	waits, change := nowhere()
	first := true
	r = d.Up(t, func(cfg *engine.Config) {
		whole := cfg.Steps[steps.Download]
		change(cfg)
		cfg.Steps[steps.Download] = either{cfg.Steps[steps.Download], whole, &first}
	})
	id, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	<-waits.there
	return d, r, id
}

// A wrong host name must not keep a device from every other update: clients of the
// legacy API cannot cancel.
func TestAnUpdateThatWaitsForTheNetworkGivesWay(t *testing.T) {
	for name, c := range map[string]struct {
		ask  enginetest.Request
		ends engine.State
	}{
		"to another bundle": {func(ctx context.Context, e *engine.Engine) (string, error) {
			return e.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: source.New("http://elsewhere/bundle")}})
		}, engine.Committed},
		"to a rollback": {func(ctx context.Context, e *engine.Engine) (string, error) {
			return e.Rollback(ctx, "0.9.0", engine.Turning{})
		}, engine.Committed},
	} {
		t.Run(name, func(t *testing.T) {
			d, r, id := stranded(t)
			st := r.Status()
			require.Contains(t, legacy.Of(st).Message, "cannot reach host nowhere: no such host; next try in ")
			require.Contains(t, st.Update.Note, "trying again in 40s (7): cannot reach host nowhere")

			_, err := r.Rollback(t.Context(), "4.4.4", engine.Turning{})
			require.ErrorIs(t, err, engine.ErrNotFound, "a request that is refused replaces nothing")
			require.Equal(t, id, r.Status().Update.ID)
			same, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
			require.NoError(t, err)
			require.Equal(t, id, same, "the same request again changes nothing")

			next, err := c.ask(t.Context(), r.Engine)
			require.NoError(t, err)
			require.NotEqual(t, id, next)
			st = r.Until(engine.Idle)
			require.Equal(t, next, st.Last.ID)
			require.Equal(t, c.ends, st.Last.State)
			require.Contains(t, d.Trace(), "supersede Downloading→Cancelled  a newer request took its place")
			require.Empty(t, d.Files, "what was downloaded is gone")
		})
	}
}

// either is one step for the first task and another for all others.
type either struct {
	steps.Step
	other steps.Step
	first *bool
}

func (e either) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if *e.first {
		*e.first = false
		return e.Step.Do(ctx, t)
	}
	return e.other.Do(ctx, t)
}

// A download that gets on is not replaced.
func TestADownloadThatGetsOnDoesNotGiveWay(t *testing.T) {
	d := enginetest.NewDevice()
	at46, change := reach(steps.Download, 46)
	r := d.Up(t, change)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0")})
	require.NoError(t, err)
	<-at46.there
	for _, s := range []steps.Source{bundleOf("1.1.0"), {URL: source.New("http://elsewhere/bundle")}} {
		_, err = r.Install(t.Context(), engine.InstallRequest{Source: s})
		require.ErrorIs(t, err, engine.ErrBusy)
	}
}

// Those who poll never see the update that was replaced as one that has failed.
func TestNobodySeesTheReplacedUpdateFail(t *testing.T) {
	_, r, _ := stranded(t)
	done, ended := make(chan struct{}), make(chan struct{})
	var seen []legacy.Stage
	go func() {
		defer close(ended)
		for {
			changed := r.Changed()
			seen = append(seen, legacy.Of(r.Status()).Stage)
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	}()
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: source.New("http://elsewhere/bundle")}, Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	close(done)
	<-ended
	require.NotContains(t, seen, legacy.Failed)
	require.NotContains(t, seen, legacy.Idle)
}
