package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// held is a device on which an update waits in Ready; nobody's offer for the empty source.
func held(t *testing.T, from string) (*enginetest.Device, *enginetest.Life, string) {
	t.Helper()
	d := enginetest.NewDevice()
	r := d.Up(t)
	id, err := r.Install(t.Context(), requestOf(from, false))
	require.NoError(t, err)
	r.Until(engine.Ready)
	return d, r, id
}

// requestOf is an offer of a source, or a request of the device for the empty source.
func requestOf(from string, supersede bool) engine.InstallRequest {
	req := engine.InstallRequest{Source: steps.Source{URL: source.New("http://server/bundle")}, Hold: true, Supersede: supersede}
	if from != "" {
		req.Origin, req.Reports, req.Patience = &journal.Origin{Source: from, Action: "new"}, true, 1000*time.Hour
	}
	return req
}

// Who waits, who asks, and whether the request takes its place. An offer that waits gives
// way to nobody but its own source, unless the request says so.
func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		waits, asks string
		supersede   bool
		takes       bool
	}{
		{"", "", false, true},
		{"hawkbit", "", false, false},
		{"hawkbit", "", true, true},
		{"", "hawkbit", false, false},
		{"hawkbit", "hawkbit", false, true},
		{"hawkbit", "channel stable", false, false},
	} {
		t.Run(fmt.Sprintf("%q by %q %v", c.waits, c.asks, c.supersede), func(t *testing.T) {
			d := enginetest.NewDevice()
			r := d.Up(t)
			older := requestOf(c.waits, false)
			if older.Origin != nil {
				older.Origin.Action = "old"
			}
			id, err := r.Install(t.Context(), older)
			require.NoError(t, err)
			r.Until(engine.Ready)
			next, err := r.Install(t.Context(), requestOf(c.asks, c.supersede))
			if !c.takes {
				var busy *engine.BusyError
				require.ErrorAs(t, err, &busy)
				require.Equal(t, c.waits, busy.Offer)
				require.Equal(t, id, r.Journal().Open.ID)
				return
			}
			require.NoError(t, err)
			require.NotEqual(t, id, next)
			require.Equal(t, engine.Cancelled, r.Journal().Last.State)
		})
	}
}

func TestGoingBackByHandDoesNotTakeAnOffersPlaceUnasked(t *testing.T) {
	for name, turn := range map[string]func(*enginetest.Life, engine.Turning) (string, error){
		"rollback": func(r *enginetest.Life, how engine.Turning) (string, error) { return r.Rollback(t.Context(), "", how) },
		"factory": func(r *enginetest.Life, how engine.Turning) (string, error) {
			return r.RestoreFactory(t.Context(), how)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, id := held(t, "hawkbit")
			_, err := turn(r, engine.Turning{})
			require.ErrorIs(t, err, engine.ErrBusy)
			require.Equal(t, id, r.Journal().Open.ID)
			_, err = turn(r, engine.Turning{Supersede: true})
			require.NoError(t, err)
			require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
			n := endOf(t, r, id)
			require.Equal(t, engine.Cancelled, n.State)
			require.Equal(t, string(steps.CancelledByUser), n.Error.Code)
			require.Equal(t, "a newer request took its place", n.Error.Text)
		})
	}
}

// endOf is the end of an update as it is owed to its source.
func endOf(t *testing.T, r *enginetest.Life, id string) journal.Notice {
	t.Helper()
	for _, n := range r.Journal().Outbox {
		if n.Update == id && n.End && n.Origin != nil {
			return n
		}
	}
	require.Fail(t, "no end is owed", "%+v", r.Journal().Outbox)
	return journal.Notice{}
}

// An offer has one update until that is closed, also in another's words.
func TestAnOfferIsBegunOnce(t *testing.T) {
	_, r, id := held(t, "hawkbit")
	same := requestOf("hawkbit", true)
	same.Source.URL = source.New("http://server/elsewhere")
	got, err := r.Install(t.Context(), same)
	require.NoError(t, err)
	require.Equal(t, id, got)
	require.Equal(t, engine.Ready, r.Journal().Open.State)
	another := requestOf("hawkbit", false)
	another.Origin.Digest = "sha256:x"
	got, err = r.Install(t.Context(), another)
	require.NoError(t, err)
	require.NotEqual(t, id, got, "the same action with another digest is another offer")
}

// waitsOverABoot is a device with an offer that may wait for ten hours and has done so
// for two, after a boot for which change sets the clock.
func waitsOverABoot(t *testing.T, change func(*enginetest.Clock)) (*enginetest.Device, *enginetest.Life) {
	t.Helper()
	d := enginetest.NewDevice()
	d.On(enginetest.Cut{})
	l, err := d.Start()
	require.NoError(t, err)
	req := requestOf("hawkbit", false)
	req.Patience = 10 * time.Hour
	_, err = l.Install(t.Context(), req)
	require.NoError(t, err)
	require.NoError(t, l.Watch(func(s engine.Status) bool { return s.State == engine.Ready }))
	d.Clock.Pass(2 * time.Hour)
	require.NoError(t, l.Waits(t.Context(), l.Journal().Open.ID, journal.Wait{Reason: "window", Text: "until 22:00"}))
	l.Kill()
	d.Reboot()
	change(d.Clock)
	return d, d.Up(t)
}

func TestPatienceOverABoot(t *testing.T) {
	t.Run("the clock tells how long the power was off", func(t *testing.T) {
		d, r := waitsOverABoot(t, func(c *enginetest.Clock) { c.Jump(9 * time.Hour) })
		st := r.Until(engine.Idle)
		require.Equal(t, engine.Failed, st.Last.State)
		require.Equal(t, string(steps.OfferExpired), st.Last.Error.Code)
		require.Equal(t, "the offer has waited for 10h0m0s to be installed: until 22:00", st.Last.Error.Text)
		require.Equal(t, string(steps.OfferExpired), d.J.State().Offers[0].Code)
	})
	t.Run("it does not, and that time does not count", func(t *testing.T) {
		d, r := waitsOverABoot(t, func(c *enginetest.Clock) { c.Jump(-50 * 365 * 24 * time.Hour) })
		wake := func(text string) error {
			return r.Waits(t.Context(), r.Journal().Open.ID, journal.Wait{Reason: "clock", Text: text})
		}
		require.NoError(t, wake("no window can be told"))
		d.Clock.Pass(6 * time.Hour)
		require.NoError(t, wake("eight hours"), "two before the boot, six after it")
		require.Equal(t, engine.Ready, r.Status().State)
		d.Clock.Pass(90 * time.Minute)
		require.NoError(t, r.Remember(t.Context(), "hawkbit", nil)) // the loop looks at its timer: the rest passes at once
		require.Equal(t, engine.Failed, r.Until(engine.Idle).Last.State)
	})
}

// What was verified long ago is verified again before it is installed, for an offer; a
// request of the device has to be made again.
func TestWhatHasWaitedIsVerifiedAgain(t *testing.T) {
	rechecked := func(d *enginetest.Device) (n int) {
		for _, r := range d.J.All() {
			if r.Trigger == engine.Recheck {
				n++
			}
		}
		return n
	}
	for name, c := range map[string]struct {
		from    string
		waits   time.Duration
		proceed func(*enginetest.Life, string) error
		err     error
		again   int
	}{
		"an offer":             {"hawkbit", 25 * time.Hour, func(r *enginetest.Life, id string) error { return r.ProceedOffer(t.Context(), id) }, nil, 1},
		"an offer, soon":       {"hawkbit", 23 * time.Hour, func(r *enginetest.Life, id string) error { return r.ProceedOffer(t.Context(), id) }, nil, 0},
		"an offer, by a user":  {"hawkbit", 25 * time.Hour, func(r *enginetest.Life, _ string) error { _, err := r.Proceed(t.Context(), "1.1.0"); return err }, nil, 1},
		"a request":            {"", 25 * time.Hour, func(r *enginetest.Life, _ string) error { _, err := r.Proceed(t.Context(), "1.1.0"); return err }, engine.ErrExpired, 0},
		"a request is not one": {"", time.Minute, func(r *enginetest.Life, id string) error { return r.ProceedOffer(t.Context(), id) }, engine.ErrNotFound, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, r, id := held(t, c.from)
			d.Clock.Pass(c.waits)
			err := c.proceed(r, id)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
			require.Equal(t, c.again, rechecked(d))
		})
	}
}

func TestCancelOffer(t *testing.T) {
	_, r, id := held(t, "hawkbit")
	ctx := engine.AskedBy(t.Context(), &journal.Asker{Kind: journal.BySource, Source: "hawkbit"})
	for _, o := range []journal.Origin{{Source: "hawkbit", Action: "18"}, {Source: "channel stable", Action: "new"}} {
		require.ErrorIs(t, r.CancelOffer(ctx, o, "halted"), engine.ErrNotFound)
	}
	require.NoError(t, r.CancelOffer(ctx, journal.Origin{Source: "hawkbit", Action: "new"}, "the rollout was halted"))
	r.Until(engine.Idle)
	n := endOf(t, r, id)
	require.Equal(t, engine.Cancelled, n.State)
	require.Equal(t, "the rollout was halted", n.Error.Text)
	require.Equal(t, "hawkbit", n.By.Source)
	require.Equal(t, "1.0.0", n.Running)
	require.ErrorIs(t, r.CancelOffer(ctx, *n.Origin, "again"), engine.ErrNotFound, "it is over")
}

func TestCancelOfferComesTooLate(t *testing.T) {
	d := enginetest.NewDevice()
	began := make(chan struct{}, 1)
	r := d.Up(t, func(c *engine.Config) { c.Steps[steps.Switch] = working{c.Steps[steps.Switch], began} })
	req := requestOf("hawkbit", false)
	req.Hold = false
	_, err := r.Install(t.Context(), req)
	require.NoError(t, err)
	require.NoError(t, r.Wait(began))
	require.ErrorIs(t, r.CancelOffer(t.Context(), *req.Origin, "halted"), engine.ErrTooLate)
}

// An offer that no update is opened for has its end all the same.
func TestRefuseOffer(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	why := &steps.Error{Class: steps.Refused, Code: steps.Quarantined, Err: errors.New("it failed before")}
	refuse := func(action string, listens bool) {
		o := journal.Origin{Source: "hawkbit", Action: action}
		require.NoError(t, r.RefuseOffer(t.Context(), engine.OfferRefusal{Origin: o, Version: "1.1.0", State: engine.Failed, Why: why, Listens: listens}))
		require.Equal(t, string(steps.Quarantined), r.Journal().EndOf(o).Code)
	}
	refuse("1", false)
	require.Empty(t, r.Journal().Outbox)
	refuse("2", true)
	n := r.Journal().Outbox[0]
	require.Equal(t, []any{engine.Failed, true, "1.0.0", "1.1.0"}, []any{n.State, n.End, n.Running, n.Version})
	require.Equal(t, "it failed before", n.Error.Text)
	require.NoError(t, r.Told(t.Context(), n, ""))
	require.NoError(t, r.Told(t.Context(), n, ""), "twice is as good as once")
	require.Empty(t, r.Journal().Outbox)
	require.Nil(t, r.Status().Last)
}

// What is told names the version as soon as it is known, and at the end the one that runs.
func TestWhatIsOwedNamesTheVersions(t *testing.T) {
	d, r, id := held(t, "hawkbit")
	ready := r.Journal().Outbox[1]
	require.Equal(t, engine.Ready, ready.State)
	require.Equal(t, "1.1.0", ready.Version, "the record that enters Ready has learnt of it")
	r.Kill()
	d.Reboot()
	d.P.Current = "0.5.0" // by an operator
	d.On(enginetest.Cut{})
	require.NoError(t, d.Oneshot(func(c *engine.Config) { c.Everywhere = []string{everybody} }))
	outbox := d.J.State().Outbox
	require.Len(t, outbox, 4)
	for _, n := range outbox[2:] {
		require.Equal(t, id, n.Update)
		require.Equal(t, engine.Failed, n.State)
		require.Equal(t, "0.5.0", n.Running, "to %s", n.To)
		require.Equal(t, string(steps.TargetUnusable), n.Error.Code)
	}
}

func TestHoldAndUnhold(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t)
	require.ErrorIs(t, r.Unhold(t.Context()), engine.ErrNothingToDo)
	who := &journal.Asker{Kind: journal.ByToken, Token: "ci"}
	require.NoError(t, r.Hold(engine.AskedBy(t.Context(), who), journal.Hold{Why: "a fair"}))
	require.Equal(t, who, r.Journal().Held.By)
	_, err := r.Install(context.Background(), requestOf("", false))
	require.NoError(t, err, "requests of this device are not meant")
	require.NoError(t, r.Unhold(t.Context()))
	require.Nil(t, d.J.State().Held)
}
