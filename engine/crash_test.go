package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
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

func rollback(ctx context.Context, e *engine.Engine) (string, error) {
	return e.Rollback(ctx, "", engine.Turning{})
}

func restore(ctx context.Context, e *engine.Engine) (string, error) {
	return e.RestoreFactory(ctx, engine.Turning{})
}

// with makes a device and changes it.
func with(change func(*enginetest.Device)) func() *enginetest.Device {
	return func() *enginetest.Device {
		d := enginetest.NewDevice()
		change(d)
		return d
	}
}

// brings makes a version carry an updater.
func brings(version, program string) func(*enginetest.Device) {
	return func(d *enginetest.Device) {
		d.Programs.Copy, d.Programs.Carried = "old", map[string]string{version: program}
	}
}

// unfit makes the preflight of a version find something.
func unfit(version string) func(*enginetest.Device) {
	return func(d *enginetest.Device) {
		d.Unfit[version] = []steps.Finding{{Fatal: true, Code: steps.ServiceFailed, Text: "api.service does not exist"}}
	}
}

func flows() []flow {
	same := func(*enginetest.Device) {}
	return append([]flow{
		{"good update", with(same), enginetest.Install, engine.Committed, "1.1.0", []string{"1.0.0", "1.1.0"}},
		{"URL with secrets", with(same), enginetest.Secretive, engine.Committed, "1.1.0", []string{"1.0.0", "1.1.0"}},
		{"broken bundle", with(func(d *enginetest.Device) { d.Bundle.Broken = true }), enginetest.Install, engine.Failed, "1.0.0", []string{"1.0.0"}},
		{"sick version rolls back", with(func(d *enginetest.Device) { d.Sick["1.1.0"] = true }), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"version that cannot start rolls back", with(func(d *enginetest.Device) { d.Dead["1.1.0"] = true }), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"late version rolls back", with(func(d *enginetest.Device) {
			d.Needs["1.1.0"], d.Needs["1.0.0"] = 45*time.Second, 3*time.Second
		}), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"slow device rolls back", with(func(d *enginetest.Device) {
			d.Needs["1.1.0"], d.Needs["1.0.0"] = 45*time.Second, 40*time.Second
		}), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"old version dead too: factory", with(func(d *enginetest.Device) { d.Sick["1.1.0"], d.Sick["1.0.0"] = true, true }), enginetest.Install, engine.FellBack, "0.5.0", []string{"1.0.0", "1.1.0", "0.5.0"}},
		{"factory dead too", with(func(d *enginetest.Device) { d.Sick["1.1.0"], d.Sick["1.0.0"], d.Sick["0.5.0"] = true, true, true }), enginetest.Install, engine.NeedsAttention, "1.0.0", []string{"1.0.0", "1.1.0", "0.5.0"}},
		{"no factory", with(func(d *enginetest.Device) { d.Sick["1.1.0"], d.Sick["1.0.0"], d.P.Factory = true, true, "" }), enginetest.Install, engine.NeedsAttention, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"check of a release", with(same), enginetest.CheckBundle, engine.Checked, "1.0.0", []string{"1.0.0"}},
		{"check of a release that does not fit", with(unfit("1.1.0")), enginetest.CheckBundle, engine.Failed, "1.0.0", []string{"1.0.0"}},
		{"release that does not fit", with(unfit("1.1.0")), enginetest.Install, engine.Failed, "1.0.0", []string{"1.0.0"}},
		{"check of a sick version", with(func(d *enginetest.Device) { d.Sick["1.1.0"] = true }), enginetest.CheckBundle, engine.Checked, "1.0.0", []string{"1.0.0"}},
		{"rollback by hand", with(same), rollback, engine.Committed, "0.9.0", []string{"1.0.0", "0.9.0"}},
		{"rollback by hand to a sick version", with(func(d *enginetest.Device) { d.Sick["0.9.0"] = true }), rollback, engine.RolledBack, "1.0.0", []string{"1.0.0", "0.9.0"}},
		{"factory restore", with(same), restore, engine.Committed, "0.5.0", []string{"1.0.0", "0.5.0"}},
		{"update that brings an updater", with(brings("1.1.0", "new")), enginetest.Install, engine.Committed, "1.1.0", []string{"1.0.0", "1.1.0"}},
		{"sick version that brings an updater", with(func(d *enginetest.Device) { brings("1.1.0", "new")(d); d.Sick["1.1.0"] = true }), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"updater that cannot be run", with(func(d *enginetest.Device) {
			brings("1.1.0", "new")(d)
			d.Programs.Unfit = map[string]bool{"new": true}
		}), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"updater that dies at once", with(func(d *enginetest.Device) {
			brings("1.1.0", "new")(d)
			d.Programs.Dying = map[string]bool{"new": true}
		}), enginetest.Install, engine.RolledBack, "1.0.0", []string{"1.0.0", "1.1.0"}},
		{"rollback by hand to an older updater", with(brings("0.9.0", "older")), rollback, engine.Committed, "0.9.0", []string{"1.0.0", "0.9.0"}},
		{"first installation", with(func(d *enginetest.Device) {
			d.P.Current, d.P.Previous, d.P.Factory, d.Running = "", "", "", ""
			clear(d.States)
		}), enginetest.Install, engine.Committed, "1.1.0", []string{"", "1.1.0"}},
		{"first installation of a sick version", with(func(d *enginetest.Device) {
			d.P.Current, d.P.Previous, d.P.Factory, d.Running = "", "", "", ""
			clear(d.States)
			d.Sick["1.1.0"] = true
		}), enginetest.Install, engine.RolledBack, "", []string{"", "1.1.0"}},
	}, offerFlows()...)
}

// story is one run of a flow with its cuts: the device, and whether pollers saw
// a success.
type story struct {
	*enginetest.Device
	flow flow
	// toldSuccess is set when some poller saw Committed.
	toldSuccess bool
	// forgetful is set when the journal was lost, and with it which program the
	// committed updater has to become.
	forgetful bool
	// told is what clients of the legacy API were told.
	told *client
	// cuts counts how often the power went.
	cuts int
}

// fork is an independent story that has come to the same point.
func (s *story) fork() *story {
	n := *s
	n.Device, n.told = s.Clone(), s.told.clone()
	return &n
}

func (s *story) watch(st engine.Status) {
	s.told.hear(st)
	for _, u := range []*engine.UpdateStatus{st.Update, st.Last} {
		if u != nil && u.State == engine.Committed {
			s.toldSuccess = true
		}
	}
}

// begin makes the request, with the power to go at cut. It reports whether the
// power went.
func (s *story) begin(t *testing.T, cut enginetest.Cut) bool {
	t.Helper()
	s.On(cut)
	return s.stopped(t, s.Live(s.flow.request, s.watch))
}

// boot starts the device again, with the power to go at cut. It reports whether
// the power went.
func (s *story) boot(t *testing.T, cut enginetest.Cut) bool {
	t.Helper()
	return s.stopped(t, s.Boot(cut, s.watch))
}

// stopped checks the promises that must hold whenever the power is gone, or the
// update over.
func (s *story) stopped(t *testing.T, err error) (off bool) {
	t.Helper()
	if off = s.Off(); !off {
		require.NoError(t, err)
	} else {
		s.cuts++
	}
	must(t, slices.Contains(s.flow.may, s.P.Current), s, "current leads to a version of this update")
	must(t, s.P.Current == "" || s.Whole(), s, "current leads to a whole version")
	must(t, !s.toldSuccess || s.committed(), s, "success is told after the commit record is durable")
	must(t, s.told.wrong == "", s, s.told.wrong)
	wrong := s.untold(s.cuts)
	must(t, wrong == "", s, wrong)
	return off
}

// must is require.True; it makes the text of the story only when it is needed.
func must(t *testing.T, ok bool, s *story, promise string) {
	t.Helper()
	if !ok {
		require.Failf(t, promise, "%s\n%s", s, s.Trace())
	}
}

// committed reports whether a success is in the journal.
func (s *story) committed() bool {
	return slices.ContainsFunc(s.J.All(), func(r journal.Record) bool { return r.To == engine.Committed })
}

// atEnd checks the promises that must hold once recovery is through.
func (s *story) atEnd(t *testing.T) {
	t.Helper()
	must(t, s.J.State().Open == nil, s, "recovery ends")
	must(t, !s.Marked, s, "the marker is gone")
	must(t, len(s.Files) == 0 && len(s.Sources) == 0, s, "nothing is left behind")
	told, err := json.Marshal(s.J.All())
	require.NoError(t, err)
	must(t, !strings.Contains(string(told), "secret"), s, "no record has a secret")
	last := s.J.State().Last
	tried := last != nil && last.Kind == engine.Probation && s.committed() // a version that was committed before
	must(t, !s.toldSuccess || last.State == engine.Committed || tried, s, "a success that was told is not lost")
	unheard := s.unheard()
	must(t, unheard == "", s, unheard)
	if last != nil && last.Kind == engine.Install && last.State == engine.RolledBack && last.Cause != nil && last.Cause.Class == string(steps.Late) {
		slow := s.Needs["1.0.0"] > 15*time.Second
		must(t, slow == (len(s.J.State().Quarantine) == 0), s, "a late release is in quarantine when the old version is twice as quick as was allowed")
	}
	lost := s.forgetful && s.Programs.Copy == "old"
	if s.Programs.Copy != "" && !lost {
		must(t, s.Programs.Copy == cmp.Or(s.Programs.Carried[s.P.Current], "old"), s, "the committed updater follows the version that is committed")
	}
	require.Equal(t, s.Programs.Copy, s.Programs.Process, "it is what runs")
	before, world := s.J.State().Seq, s.String()
	s.On(enginetest.Cut{})
	require.NoError(t, s.Oneshot())
	require.NoError(t, s.Live(nil, nil))
	require.Equal(t, world, s.String(), "a second recovery changes nothing")
	if last == nil || last.State != engine.NeedsAttention {
		require.Equal(t, before, s.J.State().Seq, "a second recovery journals nothing")
	}
	// The next update works, however this one ended.
	s.Bundle = enginetest.Bundle{Version: "2.0.0", Digest: "md5:next"}
	require.NoError(t, s.Live(enginetest.Install, nil))
	must(t, s.P.Current == "2.0.0", s, "the next update works")
	require.Equal(t, engine.Committed, s.J.State().Last.State)
}

func newStory(f flow) *story { return &story{Device: f.device(), flow: f, told: newClient()} }

// Every flow ends as it should when nothing is cut.
func TestFlowsUndisturbed(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			s := newStory(f)
			s.begin(t, enginetest.Cut{})
			require.NotNil(t, s.J.State().Last)
			require.Equal(t, f.end, s.J.State().Last.State, s.Trace())
			require.Equal(t, f.current, s.P.Current)
			if s.Fleet == nil {
				require.LessOrEqual(t, s.J.Writes, 24, "journal transactions")
			}
			s.atEnd(t)
		})
	}
}

// sweep is one flow, cut everywhere.
type sweep struct {
	flow flow
	// every is 1 to play all second cuts, or n to play each n-th.
	every int
	// single counts the crashes, double the second crashes, in a recovery.
	single, double int
	// played counts the second crashes that were played, because their state was new.
	played int
	// known are the states from which recovery was seen to end as it should;
	// cut, the states from which it was cut everywhere; ended, the states that
	// it ended in.
	known, cut, ended map[string]bool
}

// everyPair is for a reader who doubts that devices in the same state have one future.
var everyPair = flag.Bool("everypair", false, "play every pair of cuts, from states that are known as well")

// state is all that the future of a story depends on.
func state(s *story) string { return fmt.Sprint(s.toldSuccess, s.Alike()) }

// recovers lets recovery run to its end from where the power went. Two cuts
// that leave a device in the same state have one future, so recovery is played
// for one of them only.
func (w *sweep) recovers(t *testing.T, s *story) {
	t.Helper()
	found := state(s)
	if w.known[found] && !*everyPair {
		return
	}
	w.known[found] = true
	s.boot(t, enginetest.Cut{})
	if end := state(s); !w.ended[end] || *everyPair {
		w.ended[end] = true
		s.atEnd(t)
	}
}

// first cuts the flow once, and then each recovery from that.
func (w *sweep) first(t *testing.T, cut enginetest.Cut) {
	s, again := newStory(w.flow), newStory(w.flow)
	require.True(t, s.begin(t, cut))
	again.begin(t, cut)
	w.single++
	one := s.fork()
	one.boot(t, enginetest.Cut{})
	again.boot(t, enginetest.Cut{})
	require.Equal(t, one.Trace(), again.Trace(), "the same crash gives the same result")
	cuts := everyCut(one.Count())
	one.atEnd(t)
	w.double += len(cuts)
	found := state(s)
	if w.cut[found] && !*everyPair {
		return
	}
	w.cut[found] = true
	for i, second := range cuts {
		if (w.single+i)%w.every != 0 {
			continue
		}
		two := s.fork()
		require.True(t, two.boot(t, second))
		w.played++
		w.recovers(t, two)
	}
}

// Every flow is cut before and after every journal write and every effect, and
// for each of these cuts the recovery is cut again everywhere.
//
// All the first cuts are played. A cut after one effect and one before the next
// mostly leave a device in the same state, to the last bit that a boot looks at;
// such a state has one future, which is played once (-everypair plays them all).
// With -short the second cuts are a sample: each 17th, another one after each
// first cut; of a device of a fleet it is each third.
func TestCrashEverywhere(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := &sweep{flow: f, every: 1, known: map[string]bool{}, cut: map[string]bool{}, ended: map[string]bool{}}
			if testing.Short() {
				w.every = 17
			}
			whole := newStory(f)
			if whole.Fleet != nil && !*everyPair {
				w.every = max(w.every, 3) // they have twice the effects
			}
			require.False(t, whole.begin(t, enginetest.Cut{}))
			for _, c := range everyCut(whole.Count()) {
				w.first(t, c)
			}
			t.Logf("%s: %d crashes, %d crashes during recovery from %d states (%d played), which leave %d states and end in %d", f.name, w.single, w.double, len(w.cut), w.played, len(w.known), len(w.ended))
			require.Greater(t, w.single, 10)
			require.Greater(t, w.double, w.single)
			require.Greater(t, w.played*w.every, w.single)
		})
	}
}

// everyCut returns the cuts before and after each of so many effects.
func everyCut(effects int) []enginetest.Cut {
	var cuts []enginetest.Cut
	for n := range effects {
		cuts = append(cuts, enginetest.Cut{N: n + 1}, enginetest.Cut{N: n + 1, After: true})
	}
	return cuts
}
