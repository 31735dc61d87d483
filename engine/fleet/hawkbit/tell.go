package hawkbit

import (
	"context"
	"fmt"
	"slices"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/steps"
)

// keepEnds bounds what is remembered of ends. Facts have the newest success.
const keepEnds = 32

// Tell tells one notice. What comes after an end is known to be of no use and counts as
// told: hawkBit would answer 410, and goosebit would believe it, or count it once more.
func (s *Source) Tell(ctx context.Context, n journal.Notice) error {
	if n.Origin == nil || n.Origin.Source != s.name {
		return fmt.Errorf("%w: it is not about an offer of %s", fleet.ErrNever, s.name)
	}
	o, state := *n.Origin, s.state(n)
	was := s.ends[mark(o)]
	if s.done == mark(o) {
		was = ddi.Succeeded
	}
	known := s.facts.find(id(o))
	switch {
	case was == ddi.Succeeded && state == ddi.Failed:
		s.log.Warn("the server has been told of a success, and cannot be told what came later", "source", s.name, "action", id(o), "state", string(n.State))
		return nil
	case was != "" && (was == state || !n.End):
		return nil
	case known != nil && before(o, *known):
		// The server would take it for the later offer.
		return fmt.Errorf("%w: the server has used the name of action %s again", fleet.ErrNever, id(o))
	case known != nil && known.Fetch && known.Over && n.State != engine.Ready:
		return nil // it was over when it was downloaded
	case stopped(n, s.name):
		return s.took(n, state, s.client.Cancelled(ctx, id(o), details(n)...))
	}
	feedback := ddi.Feedback{Action: id(o), State: state, Details: details(n), Code: code(n)}
	if !s.build.IsZero() && n.Time.Year() >= s.build.Year() {
		feedback.Time = n.Time
	}
	err := s.took(n, state, s.client.Feedback(ctx, feedback))
	if err == nil && state == ddi.Downloaded {
		s.ready = mark(o)
	}
	return err
}

// took notes an end that the server has heard of.
func (s *Source) took(n journal.Notice, state ddi.State, told error) error {
	err := judged(told)
	if err != nil || !n.End {
		return err
	}
	if len(s.ends) >= keepEnds {
		clear(s.ends)
	}
	s.ends[mark(*n.Origin)] = state
	if state == ddi.Succeeded {
		s.done = mark(*n.Origin)
	}
	return nil
}

// stopped reports whether the notice is that an action has ended as its server wanted.
func stopped(n journal.Notice, name string) bool {
	return n.End && n.State == engine.Cancelled && n.By != nil && n.By.Kind == journal.BySource && (n.By.Source == "" || n.By.Source == name)
}

// state is what a notice is in the server's words.
func (s *Source) state(n journal.Notice) ddi.State {
	switch {
	case n.State == engine.Committed && n.End:
		return ddi.Succeeded
	case n.End && n.Error != nil && n.Error.Code == string(steps.AlreadyCurrent):
		// The device runs the very release that it was offered: after a reinstall, say. A
		// failure would stop a rollout for a device that is as it should be.
		return ddi.Succeeded
	case n.State == engine.Ready && s.ready == mark(*n.Origin) && !n.End:
		return ddi.Scheduled
	case n.State == engine.Ready:
		return ddi.Downloaded
	case n.End:
		return ddi.Failed
	case n.State == engine.Downloading:
		return ddi.Downloading
	}
	return ddi.Proceeding
}

// details are what the server's people read, the most important first: the client sends ten.
func details(n journal.Notice) []string {
	var all []string
	if e := n.Error; e != nil {
		all = append(all, e.Code+": "+e.Text)
	}
	state := string(n.State)
	switch {
	case n.From != "" && n.Version != "":
		state += ", from " + n.From + " to " + n.Version
	case n.Version != "":
		state += ", to " + n.Version
	}
	all = append(all, state)
	if n.Running != "" {
		all = append(all, "running "+n.Running)
	}
	if by := n.By.String(); by != "" {
		all = append(all, "by "+by)
	}
	return all
}

// code is the number of an end's failure: its code's place here, where new ones go to the
// end. 99 is one that is not here, and 0 none. Operators filter by it.
func code(n journal.Notice) int {
	if !n.End || n.Error == nil {
		return 0
	}
	i := slices.Index([]steps.Code{
		steps.MD5Mismatch, steps.SizeMismatch, steps.DiskFull, steps.IOError, steps.SandboxDenied, steps.InvalidManifest, steps.InvalidPackage,
		steps.DownloadFailed, steps.PackageExpired, steps.DeploymentFailed, steps.ServiceFailed, steps.HealthFailed, steps.VersionConflict,
		steps.BudgetSpent, steps.InterruptedTooOften, steps.OutOfMemory, steps.CancelledByUser, steps.TargetUnusable, steps.Quarantined,
		steps.AlreadyCurrent, steps.BadSignature, steps.WrongDevice, steps.EpochTooLow, steps.ReleaseExpired, steps.TakeoverFailed,
		steps.CopyDamaged, steps.Internal, steps.SHA256Mismatch, steps.OfferMismatch, steps.OfferExpired, steps.FailedProbation,
	}, steps.Code(n.Error.Code))
	if i < 0 {
		return 99
	}
	return i + 1
}
