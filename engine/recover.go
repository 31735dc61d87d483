package engine

import (
	"context"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// rounds bounds recovery: each round but the last moves the machine one state
// on or repairs one thing, and the longest way (Switching, RollingBack,
// FallingBack, Returning, NeedsAttention, then current itself) takes fewer.
const rounds = 12

// Report is what a recovery did, for the program's last line and its exit code.
type Report struct {
	By      By       `json:"by"`
	Actions []Action `json:"actions"`
	// State is where the open update stands afterwards; Idle when there is none.
	State State `json:"state"`
	// Committed is the version on which the journal left the device; empty when it
	// does not know. Differs says how the device is not as it was left.
	Committed string `json:"committed,omitempty"`
	Differs   string `json:"differs,omitempty"`
	// Whole is set when current leads to a whole version, or none was ever installed.
	Whole bool `json:"whole"`
}

// agree is what Recover does.
func (r *recovery) agree(ctx context.Context, by By) (Report, error) {
	rep := Report{By: by}
	if err := r.tookOver(by); err != nil {
		return rep, err
	}
	failed := false
	outOfMemory := by == Daemon && r.outOfMemory()
	for range rounds {
		o, err := r.observer.observe(by)
		if err != nil {
			return rep, err
		}
		o.Failed, o.OutOfMemory = failed, outOfMemory
		a := decide(r.book.journal.State(), o, r.budget)
		rep.Actions = append(rep.Actions, a)
		if err := r.apply(ctx, a, o); err != nil {
			return rep, err
		}
		if a.Again {
			failed = a.Fire == Fail
			continue
		}
		rep.State = r.book.state()
		rep.Whole = o.usable(o.Pointers.Current) || a.Rule == RuleEmpty
		rep.Committed = r.book.journal.State().Committed
		rep.Differs, err = r.compare(a, o)
		return rep, err
	}
	return rep, fmt.Errorf("recovery did not settle within %d rounds; the last rule was %q", rounds, rep.Actions[len(rep.Actions)-1].Rule)
}

// compare tells how the device differs from the one that the journal left. It may be an
// operator's doing, so nothing is changed about it. The same difference is journaled once:
// a device that boots every day must not fill its journal.
func (r *recovery) compare(a Action, o Observation) (string, error) {
	st := r.book.journal.State()
	current := o.Pointers.Current
	if a.Rule != RuleWhole && a.Rule != RuleFinish || st.Committed == "" || current == st.Committed {
		return "", nil
	}
	why := fmt.Sprintf("current %s, but the journal left this device on %s", o.describe(versions.Current, current), st.Committed)
	if st.Differs == current {
		return why, nil
	}
	return why, r.book.append(journal.Record{
		Phase: journal.Observed, Rule: RuleDiffers, Why: why, Differs: &journal.Differs{Current: current, Committed: st.Committed},
	})
}

// unfinished is what Unfinished does.
func (r *recovery) unfinished() error {
	if u := r.book.open(); u != nil && !u.Terminal && (u.State != Ready || !u.Hold) {
		return &BusyError{Update: u.ID, State: u.State}
	}
	o, err := r.observer.observe(Daemon)
	if err != nil {
		return err
	}
	if a := decide(r.book.journal.State(), o, r.budget); a.Fire == GateOwed {
		return fmt.Errorf("%w: %s", ErrBusy, a.Why)
	}
	return nil
}

// tookOver notes, at a daemon's start, how a takeover has ended.
func (r *recovery) tookOver(by By) error {
	u := r.book.open()
	if by != Daemon || u == nil || u.Takeover == nil || u.Takeover.Up || !Switched(u.State) {
		return nil
	}
	onTrial, err := r.programs.onTrial(u)
	if err != nil || !onTrial {
		return err
	}
	return r.book.append(journal.Record{Update: u.ID, Phase: journal.Outcome, Takeover: &journal.Takeover{Digest: u.Takeover.Digest}})
}

// noteJournalLost records that there was a journal, and that this is a new one.
func (r *recovery) noteJournalLost() error {
	return r.book.append(journal.Record{Phase: journal.Observed, Rule: RuleJournalLost, Why: "the journal is new, but the device has been updated before", Damage: &journal.Damage{
		Kind: journal.DamagedMissing, Time: r.book.clock.Now().UTC(),
		Text: "there was no journal, but this device has been updated before: what was recorded is lost, quarantine included",
	}})
}

// noteUnits records what was changed about unit files.
func (r *recovery) noteUnits(version string, changes any) error {
	return r.book.append(journal.Record{
		Phase: journal.Observed, Rule: RuleUnits, Why: "unit files did not agree with version " + version, Evidence: evidence(changes),
	})
}
