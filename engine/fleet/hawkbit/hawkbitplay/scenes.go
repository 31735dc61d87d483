package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

func (t *table) strangers(ctx context.Context) error {
	return errors.Join(
		t.wire.wants(ctx, "GET", "", "", 401, "Authorization:"),
		t.wire.wants(ctx, "GET", "", "", 401, "Authorization: TargetToken wrong"),
		t.wire.wants(ctx, "GET", "-unknown", "", 401),
		t.wire.wants(ctx, "GET", "", "", 200),
	)
}

func (t *table) attributes(ctx context.Context) error {
	a, err := t.ask(ctx)
	if err != nil || !a.Identify {
		return fmt.Errorf("the server does not want to know the attributes: %w", err)
	}
	if err := t.source.Identify(ctx, map[string]string{"version": "1.0.0", "long": fmt.Sprintf("%0200d", 1)}); err != nil {
		return err
	}
	if a, err = t.ask(ctx); err != nil || a.Identify {
		return fmt.Errorf("the server wants to know the attributes again: %w", err)
	}
	return t.wire.wants(ctx, "PUT", "/configData", fmt.Sprintf(`{"data":{"k":"%0129d"}}`, 1), 400)
}

// forced is a whole update, told twice, with a failure later that is not told.
func (t *table) forced(ctx context.Context) error {
	if _, err := t.m.assign(ctx, t.cfg.ID, t.first, "forced", false); err != nil {
		return err
	}
	o, err := t.course(ctx)
	return errors.Join(err, t.shows(ctx, o, "finished"))
}

func (t *table) soft(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "soft", false, fleet.Install, false)
	if err != nil {
		return err
	}
	if err := t.tell(ctx, o.Origin, true, engine.Downloading, engine.RollingBack, engine.RolledBack); err != nil {
		return err
	}
	if _, code, err := t.m.state(ctx, t.cfg.ID, o.Origin.Action); err != nil || code != 12 {
		return fmt.Errorf("the operator sees code %d, not 12: %w", code, err)
	}
	return t.shows(ctx, o.Origin, "error")
}

func (t *table) downloadOnly(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "downloadonly", false, fleet.Fetch, true)
	if err != nil {
		return err
	}
	if err := t.tell(ctx, o.Origin, false, engine.Downloading, engine.Ready); err != nil {
		return err
	}
	if err := t.again(ctx, o.Origin); err != nil {
		return err // it is offered on to the device that has it
	}
	t.q.Accepted = nil
	return t.shows(ctx, o.Origin, "downloaded")
}

func (t *table) window(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "forced", true, fleet.Fetch, true)
	if err != nil {
		return err
	}
	return errors.Join(t.again(ctx, o.Origin), t.cancel(ctx, o.Origin))
}

// cancel cancels what is open, as the server wants it.
func (t *table) cancel(ctx context.Context, o journal.Origin) error {
	if err := t.m.cancel(ctx, t.cfg.ID, o.Action, false); err != nil {
		return err
	}
	if err := t.toCancel(ctx, o); err != nil {
		return err
	}
	if err := t.tell(ctx, o, true, engine.Cancelled, engine.Cancelled); err != nil {
		return err
	}
	return t.shows(ctx, o, "canceled")
}

func (t *table) cancelled(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Install, true)
	if err != nil {
		return err
	}
	if err := t.tell(ctx, o.Origin, false, engine.Downloading); err != nil {
		return err
	}
	if err := t.m.cancel(ctx, t.cfg.ID, o.Origin.Action, false); err != nil {
		return err
	}
	// The word that seems to be meant for it does nothing.
	if err := t.wire.wants(ctx, "POST", "/cancelAction/"+o.Origin.Action+"/feedback", said("canceled", "none"), 200); err != nil {
		return err
	}
	if err := t.toCancel(ctx, o.Origin); err != nil {
		return err
	}
	if err := t.tell(ctx, o.Origin, true, engine.Cancelled); err != nil {
		return err
	}
	return t.shows(ctx, o.Origin, "canceled")
}

// tooLate: the cancel is rejected, comes again, and the update ends.
func (t *table) tooLate(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Install, true)
	if err != nil {
		return err
	}
	if err := t.m.cancel(ctx, t.cfg.ID, o.Origin.Action, false); err != nil {
		return err
	}
	if err := t.toCancel(ctx, o.Origin); err != nil {
		return err
	}
	if err := t.source.Uncancel(ctx, o.Origin, "it has begun to switch"); err != nil {
		return err
	}
	if err := t.again(ctx, o.Origin); err != nil {
		return err
	}
	if err := t.m.cancel(ctx, t.cfg.ID, o.Origin.Action, false); err != nil {
		return err
	}
	if err := t.tell(ctx, o.Origin, true, engine.Switching, engine.Committed); err != nil {
		return err
	}
	return t.shows(ctx, o.Origin, "finished")
}

// newer: the assignment before is cancelled by the server, and the newer one waits for that.
func (t *table) newer(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Install, true)
	if err != nil {
		return err
	}
	action, err := t.m.assign(ctx, t.cfg.ID, t.second, "forced", false)
	if err != nil {
		return err
	}
	if err := t.toCancel(ctx, o.Origin); err != nil {
		return err
	}
	if err := t.tell(ctx, o.Origin, true, engine.Cancelled); err != nil {
		return err
	}
	next, err := t.offered(ctx)
	if err != nil || next.Origin.Action != action {
		return fmt.Errorf("action %s is not offered: %s %w", action, next.Text, err)
	}
	if err := t.tell(ctx, next.Origin, true, engine.Committed); err != nil {
		return err
	}
	return t.shows(ctx, next.Origin, "finished")
}

func (t *table) forceQuit(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Install, true)
	if err != nil {
		return err
	}
	if err := t.m.cancel(ctx, t.cfg.ID, o.Origin.Action, true); err == nil {
		return errors.New("an action that was not cancelled was forced to quit")
	}
	for _, force := range []bool{false, true} {
		if err := t.m.cancel(ctx, t.cfg.ID, o.Origin.Action, force); err != nil {
			return err
		}
	}
	if err := t.toCancel(ctx, o.Origin); err != nil {
		return err // it is not shown any more, and was accepted
	}
	if err := t.source.Tell(ctx, t.notice(o.Origin, engine.Cancelled, true)); err != nil && !errors.Is(err, fleet.ErrNever) {
		return err
	}
	t.q.Accepted = nil
	return t.shows(ctx, o.Origin, "canceled")
}

func (t *table) doesNotFit(ctx context.Context) error {
	o, err := t.assigned(ctx, t.unfit, "forced", false, fleet.Install, true)
	if err != nil || o.Unfit == "" {
		return fmt.Errorf("a set of two files fits: %w", err)
	}
	if err := t.tell(ctx, o.Origin, true, engine.Failed); err != nil {
		return err
	}
	return t.shows(ctx, o.Origin, "error")
}

// confirms: the device says no, is asked again, and says yes.
func (t *table) confirms(ctx context.Context) (err error) {
	if _, err := t.m.setting(ctx, confirmation, true); err != nil {
		return err
	}
	defer func() {
		_, last := t.m.setting(context.WithoutCancel(ctx), confirmation, false)
		err = errors.Join(err, last)
	}()
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Ask, true)
	if err != nil {
		return err
	}
	if err := t.wire.wants(ctx, "POST", "/deploymentBase/"+o.Origin.Action+"/feedback", said("proceeding", "none"), 404); err != nil {
		return err
	}
	if err := t.source.Confirm(ctx, o.Origin, false, "busy printing"); err != nil {
		return err
	}
	if err := t.again(ctx, o.Origin); err != nil {
		return err
	}
	if err := t.source.Confirm(ctx, o.Origin, true, ""); err != nil {
		return err
	}
	a, err := t.ask(ctx)
	if err != nil || a.Offer == nil || a.Offer.Do != fleet.Install || a.Offer.Origin != o.Origin {
		return fmt.Errorf("it is not offered after it was confirmed: %s %w", a.Text, err)
	}
	if err := t.tell(ctx, o.Origin, true, engine.Committed); err != nil {
		return err
	}
	return t.shows(ctx, o.Origin, "finished")
}

// thousand fills an action with entries: progress is never taken then, and the end is.
func (t *table) thousand(ctx context.Context) error {
	if !t.full {
		return nil
	}
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Install, true)
	if err != nil {
		return err
	}
	for range 1000 {
		if err = t.tell(ctx, o.Origin, false, engine.Extracting); err != nil {
			break
		}
	}
	if !errors.Is(err, fleet.ErrNever) {
		return fmt.Errorf("after 1,000 entries: %w", err)
	}
	if err := t.tell(ctx, o.Origin, true, engine.Committed); err != nil {
		return err
	}
	return t.shows(ctx, o.Origin, "finished")
}
