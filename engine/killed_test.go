package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
)

// keepsItsWord checks, at the moment at which the power has gone, that the pointers
// which the disk has are those of which the journal tells, and what is owed and was told.
func (s *story) keepsItsWord(t *testing.T) {
	t.Helper()
	wrong := s.untold(s.cuts)
	must(t, wrong == "", s, wrong)
	u := s.J.State().Open
	if u == nil {
		u = s.J.State().Last
	}
	if u == nil {
		return
	}
	switch u.State {
	case engine.Restarting, engine.CheckingHealth, engine.Committing, engine.Committed:
		must(t, s.P.Current == u.To, s, "the journal says that the update has switched")
	case engine.RolledBack:
		must(t, s.P.Current == u.Before.Current, s, "the journal says that the update is rolled back")
	case engine.FellBack:
		must(t, s.P.Current == u.Before.Factory, s, "the journal says that the device has fallen back")
	}
}

// next are the ways in which a device goes on in the boot in which a process was killed.
func next() []func(*story) error {
	daemon := func(s *story) error { return s.Live(nil, nil) }
	return []func(*story) error{daemon, func(s *story) error {
		if err := s.Oneshot(); err != nil {
			return err
		}
		return daemon(s)
	}}
}

// A process is killed at every effect of every flow, so that the pointers it has set may
// be in the page cache only. The next process finds them right and goes on, as a
// daemon or by way of recover. Then the power goes, at each of its effects: what the
// journal tells is on the disk.
func TestWhatAKilledProcessLeftIsKeptBeforeItIsTold(t *testing.T) {
	every := 3 // each third effect of the next process, another one after each kill
	if testing.Short() {
		every = 17
	}
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			whole := newStory(f)
			require.False(t, whole.begin(t, enginetest.Cut{}))
			for n := range whole.Count() {
				killed := newStory(f)
				killed.begin(t, enginetest.Cut{N: n + 1, After: true})
				killed.Forgetful = true
				for _, goOn := range next() {
					undisturbed := killed.fork()
					undisturbed.On(enginetest.Cut{})
					require.NoError(t, goOn(undisturbed))
					unheard := undisturbed.unheard()
					must(t, unheard == "", undisturbed, unheard)
					for m := n % every; m < undisturbed.Count(); m += every {
						s := killed.fork()
						s.On(enginetest.Cut{N: m + 1, After: true})
						err := goOn(s)
						require.True(t, s.Off(), "%v", err) // tidying does not tell its errors
						s.cuts++
						s.Reboot()
						s.keepsItsWord(t)
					}
				}
			}
		})
	}
}
