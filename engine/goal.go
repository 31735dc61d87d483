package engine

import (
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// target is where the pointers should go in the update's present state.
func target(u *journal.Update) versions.Pointers {
	switch u.State {
	case RollingBack, Returning:
		return u.Before
	case FallingBack:
		return versions.Pointers{Current: u.Before.Factory, Previous: u.Before.Previous, Factory: u.Before.Factory}
	}
	p := versions.Pointers{Current: u.To, Previous: u.From, Factory: u.Before.Factory}
	if u.From == "" {
		p.Previous = u.Before.Previous
	}
	return p
}

// reachable leaves previous out of a target when its version is not whole: a
// pointer is never set to a version that the device cannot go back to.
func reachable(goal versions.Pointers, usable func(string) bool) versions.Pointers {
	if !usable(goal.Previous) {
		goal.Previous = ""
	}
	return goal
}

// cannotGo returns the reason to skip a target: it is not a whole version, or
// it failed in this update already. Rolling back to no version is allowed: a
// failed first installation ends that way.
func cannotGo(u *journal.Update, version string, is versions.State) string {
	s := u.State
	switch {
	case version == "" && (s == RollingBack || s == Returning):
		return ""
	case version == "" && s == FallingBack:
		return "there is no factory version"
	case !is.Usable():
		return fmt.Sprintf("version %s is %s", show(version), is)
	case s == FallingBack && (version == u.To || version == u.Before.Current):
		return fmt.Sprintf("the factory version is %s, which failed in this update already", version)
	}
	return ""
}

// wayBack is the version that the failure edge of a state leads to.
func wayBack(u *journal.Update, s State) string {
	switch s {
	case Switching, Restarting, CheckingHealth, Committing:
		return u.Before.Current
	case RollingBack:
		return u.Before.Factory
	case FallingBack:
		return u.Before.Current
	}
	return ""
}

// since is the time of the record that followed the flip. A main process that
// started later counts as started after the flip.
func since(u *journal.Update, s State) steps.Moment {
	from := s
	if s == CheckingHealth || s == Committing {
		from = Restarting
	}
	m := u.Entries[from]
	return steps.Moment{Boot: m.Boot, Mono: m.Mono}
}

func show(version string) string {
	if version == "" {
		return "no version"
	}
	return version
}
