package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

// flow is a way through the machine: a device, a request, and where it must end.
type flow struct {
	name    string
	device  func() *enginetest.Device
	request enginetest.Request
	end     engine.State
	// current is where the pointer must lead after an undisturbed run; with
	// cuts, any version in may.
	current string
	may     []string
}

func install(ctx context.Context, e *engine.Engine) (string, error) {
	return e.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: "http://server/bundle"}})
}

func rollback(ctx context.Context, e *engine.Engine) (string, error) {
	return e.Rollback(ctx, "", false)
}
func restore(ctx context.Context, e *engine.Engine) (string, error) { return e.RestoreFactory(ctx) }

// with makes a device and changes it.
func with(change func(*enginetest.Device)) func() *enginetest.Device {
	return func() *enginetest.Device {
		d := enginetest.NewDevice()
		change(d)
		return d
	}
}

// brings has a version carry an updater.
func brings(version, program string) func(*enginetest.Device) {
	return func(d *enginetest.Device) {
		d.Programs.Copy, d.Programs.Carried = "old", map[string]string{version: program}
	}
}

func flows() []flow {
	same := func(*enginetest.Device) {}
	return []flow{
		{"good update", with(same), install, engine.Committed, "1.1.0", []string{"1.0.0", "1.1.0"}},
		{"broken bundle", with(func(d *enginetest.Device) { d.Bundle.Broken = true }), install, engine.Failed, "1.0.0", []string{"1.0.0"}},
		{"sick version rolls back", with(func(d *enginetest.Device) { d.Sick["1.1.0"] = true }), install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"version that cannot start rolls back", with(func(d *enginetest.Device) { d.Dead["1.1.0"] = true }), install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"old version dead too: factory", with(func(d *enginetest.Device) { d.Sick["1.1.0"], d.Sick["1.0.0"] = true, true }), install, engine.FellBack, "0.5.0", []string{"1.0.0", "1.1.0", "0.5.0"}},
		{"factory dead too", with(func(d *enginetest.Device) { d.Sick["1.1.0"], d.Sick["1.0.0"], d.Sick["0.5.0"] = true, true, true }), install, engine.NeedsAttention, "0.5.0", []string{"1.0.0", "1.1.0", "0.5.0"}},
		{"no factory", with(func(d *enginetest.Device) { d.Sick["1.1.0"], d.Sick["1.0.0"], d.P.Factory = true, true, "" }), install, engine.NeedsAttention, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"rollback by hand", with(same), rollback, engine.Committed, "0.9.0", []string{"1.0.0", "0.9.0"}},
		{"rollback by hand to a sick version", with(func(d *enginetest.Device) { d.Sick["0.9.0"] = true }), rollback, engine.RolledBack, "1.0.0", []string{"1.0.0", "0.9.0"}},
		{"factory restore", with(same), restore, engine.Committed, "0.5.0", []string{"1.0.0", "0.5.0"}},
		{"update that brings an updater", with(brings("1.1.0", "new")), install, engine.Committed, "1.1.0", []string{"1.0.0", "1.1.0"}},
		{"sick version that brings an updater", with(func(d *enginetest.Device) { brings("1.1.0", "new")(d); d.Sick["1.1.0"] = true }), install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"updater that cannot be run", with(func(d *enginetest.Device) {
			brings("1.1.0", "new")(d)
			d.Programs.Unfit = map[string]bool{"new": true}
		}), install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"updater that dies at once", with(func(d *enginetest.Device) {
			brings("1.1.0", "new")(d)
			d.Programs.Dying = map[string]bool{"new": true}
		}), install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"rollback by hand to an older updater", with(brings("0.9.0", "older")), rollback, engine.Committed, "0.9.0", []string{"1.0.0", "0.9.0"}},
		{"first installation", with(func(d *enginetest.Device) {
			d.P.Current, d.P.Previous, d.P.Factory, d.Running = "", "", "", ""
			clear(d.States)
		}), install, engine.Committed, "1.1.0", []string{"", "1.1.0"}},
		{"first installation of a sick version", with(func(d *enginetest.Device) {
			d.P.Current, d.P.Previous, d.P.Factory, d.Running = "", "", "", ""
			clear(d.States)
			d.Sick["1.1.0"] = true
		}), install, engine.RolledBack, "", []string{"", "1.1.0"}},
	}
}

// story is one run of a flow with its cuts: the device and what pollers saw.
type story struct {
	*enginetest.Device
	flow flow
	// toldSuccess is set when some poller saw Committed.
	toldSuccess bool
	// forgetful is set when the journal was lost, and with it what the committed
	// updater owes to be.
	forgetful bool
}

func (s *story) watch(st engine.Status) {
	for _, u := range []*engine.UpdateStatus{st.Update, st.Last} {
		if u != nil && u.State == engine.Committed {
			s.toldSuccess = true
		}
	}
}

// run tells the story: the request, cut at cuts[0]; a boot, cut at cuts[1]; and
// so on, and a last boot that is not cut. It returns how many effects the last
// cut life had.
func (s *story) run(t *testing.T, cuts ...enginetest.Cut) (effects int) {
	s.On(cuts[0])
	err := s.Life(s.flow.request, s.watch)
	effects = len(s.Effects())
	s.afterStop(t)
	if !s.Off() {
		require.NoError(t, err)
		return effects
	}
	for _, cut := range append(cuts[1:], enginetest.Cut{}) {
		err = s.Boot(cut, s.watch)
		if cut != (enginetest.Cut{}) {
			effects = len(s.Effects())
		}
		s.afterStop(t)
		if !s.Off() {
			require.NoError(t, err)
			return effects
		}
	}
	t.Fatal("the last boot was cut, though no cut was asked for")
	return 0
}

// afterStop checks what must hold whenever the power is gone.
func (s *story) afterStop(t *testing.T) {
	t.Helper()
	require.Contains(t, s.flow.may, s.P.Current, "current leads to a version of this update:\n%s", s.Trace())
	if s.P.Current != "" {
		require.True(t, s.Whole(), "current leads to a whole version: %s", s)
	}
	if s.toldSuccess {
		s.committed(t)
	}
}

// committed checks that a success that was told is in the journal.
func (s *story) committed(t *testing.T) {
	t.Helper()
	for _, r := range s.J.All() {
		if r.To == engine.Committed {
			return
		}
	}
	t.Fatalf("success was told before the commit record was durable:\n%s", s.Trace())
}

// atEnd checks what must hold once recovery is through.
func (s *story) atEnd(t *testing.T) {
	t.Helper()
	require.Nil(t, s.J.State().Open, "recovery ends:\n%s", s.Trace())
	require.False(t, s.Marked, "the marker is gone")
	require.Empty(t, s.Files, "nothing is left behind")
	if last := s.J.State().Last; s.toldSuccess {
		require.Equal(t, engine.Committed, last.State, "a success that was told is not lost:\n%s", s.Trace())
	}
	want := cmp.Or(s.Programs.Carried[s.P.Current], "old")
	lost := s.forgetful && s.Programs.Copy == "old"
	if s.Programs.Copy != "" && !lost {
		require.Equal(t, want, s.Programs.Copy, "the committed updater follows the version that is committed:\n%s", s.Trace())
	}
	require.Equal(t, s.Programs.Copy, s.Programs.Process, "it is what runs")
	before, world := s.J.State().Seq, s.String()
	s.On(enginetest.Cut{})
	require.NoError(t, s.Oneshot())
	require.NoError(t, s.Life(nil, nil))
	require.Equal(t, world, s.String(), "a second recovery changes nothing")
	if last := s.J.State().Last; last == nil || last.State != engine.NeedsAttention {
		require.Equal(t, before, s.J.State().Seq, "a second recovery journals nothing")
	}
	// The next update works, whatever this one came to.
	s.Bundle = enginetest.Bundle{Version: "2.0.0", Digest: "md5:next"}
	require.NoError(t, s.Life(install, nil))
	require.Equal(t, "2.0.0", s.P.Current, "the next update works:\n%s", s.Trace())
	require.Equal(t, engine.Committed, s.J.State().Last.State)
}

func tell(t *testing.T, f flow, cuts ...enginetest.Cut) (*story, int) {
	t.Helper()
	s := &story{Device: f.device(), flow: f}
	n := s.run(t, cuts...)
	return s, n
}

// Every flow ends as it should when nothing is cut.
func TestFlowsUndisturbed(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			s, _ := tell(t, f, enginetest.Cut{})
			require.NotNil(t, s.J.State().Last)
			require.Equal(t, f.end, s.J.State().Last.State, s.Trace())
			require.Equal(t, f.current, s.P.Current)
			require.LessOrEqual(t, s.J.Writes, 24, "journal transactions")
			s.atEnd(t)
		})
	}
}

// Every flow is cut before and after every journal write and every effect, and
// for each of these cuts the recovery is cut again everywhere.
func TestCrashEverywhere(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			single, double := 0, 0
			for first := range everyCut(t, func(c enginetest.Cut) (bool, int) {
				s, n := tell(t, f, c)
				if !wasCut(s, c, n) {
					return false, n
				}
				again, _ := tell(t, f, c)
				require.Equal(t, s.Trace(), again.Trace(), "the same crash gives the same result")
				s.atEnd(t)
				single++
				return true, n
			}) {
				for range everyCut(t, func(second enginetest.Cut) (bool, int) {
					s := &story{Device: f.device(), flow: f}
					n := s.run(t, first, second)
					if second.N > n {
						return false, n
					}
					s.atEnd(t)
					double++
					return true, n
				}) {
				}
			}
			t.Logf("%s: %d crashes, %d crashes during recovery", f.name, single, double)
			require.Greater(t, single, 10)
			require.Greater(t, double, single)
		})
	}
}

func wasCut(_ *story, c enginetest.Cut, n int) bool { return c.N <= n }

// everyCut calls try with the cuts before and after each effect, until there
// are no more, and yields each one that came.
func everyCut(t *testing.T, try func(enginetest.Cut) (bool, int)) func(func(enginetest.Cut) bool) {
	t.Helper()
	return func(yield func(enginetest.Cut) bool) {
		for n := 1; ; n++ {
			for _, after := range []bool{false, true} {
				c := enginetest.Cut{N: n, After: after}
				came, _ := try(c)
				if !came {
					return
				}
				if !yield(c) {
					return
				}
			}
			if n > 500 {
				t.Fatal(errors.New("a flow has more than 500 effects: " + fmt.Sprint(n)))
			}
		}
	}
}
