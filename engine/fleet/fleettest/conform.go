package fleettest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// Conform proves what fleet.Source promises, of a source whose server start starts anew:
//
//   - Ask changes nothing at the server, may be repeated and gives the same answer. The
//     same offer has the same Origin, another one has another.
//   - With the facts that were returned, a source of the next start answers the same.
//   - What is not the server's own word is an error: it loses nothing, and neither offers
//     nor cancels anything. Retry-After is a *fleet.Wait, and fleet.ErrHeard says whether
//     anybody has answered.
//   - What was accepted and is taken back is cancelled, and not offered.
//   - A notice is told, and told again after a lost answer, without harm; one that nobody
//     will ever take is fleet.ErrNever.
//   - Every method ends with its context. No secret gets out.
func Conform(t *testing.T, start func(t *testing.T) *Server) {
	t.Helper()
	for _, c := range []struct {
		name string
		do   func(t *testing.T, d *device)
	}{
		{"names", names},
		{"asking changes nothing", asking},
		{"another offer is another", another},
		{"stop", stopped},
		{"tell", tell},
		{"a lost answer", lost},
		{"poison", poison},
		{"identify", identify},
		{"busy", busy},
		{"slow", slow},
		{"context", ends},
	} {
		t.Run(c.name, func(t *testing.T) { c.do(t, newDevice(t, start(t))) })
	}
	for _, trouble := range []Trouble{Down, Lost, Half, Portal, Login, Empty, Nothing, Forbidden, Broken, Busy, Closed, Endless} {
		t.Run("outage/"+string(trouble), func(t *testing.T) { outage(t, newDevice(t, start(t)), trouble) })
	}
}

// device asks as the loop does: it keeps the facts.
type device struct {
	*Server
	source fleet.Source
	q      fleet.Question
}

func newDevice(t *testing.T, s *Server) *device {
	d := &device{Server: s, q: fleet.Question{Version: "1.0.0", Uptime: time.Hour}}
	d.restart(t)
	return d
}

// restart is one of the updater: the facts stay, as they were written down.
func (d *device) restart(t *testing.T) { d.source = d.Source(t) }

func (d *device) ask(t *testing.T) (fleet.Answer, error) {
	t.Helper()
	return d.askWithin(t.Context(), t)
}

func (d *device) askWithin(ctx context.Context, t *testing.T) (fleet.Answer, error) {
	t.Helper()
	d.q.Clock = d.Clock.Now()
	a, err := d.source.Ask(ctx, d.q)
	if a.Facts != nil {
		require.True(t, json.Valid(a.Facts))
		d.q.Facts = append(json.RawMessage(nil), a.Facts...)
	}
	text, jsonErr := json.Marshal(a)
	require.NoError(t, jsonErr)
	d.requireNoSecret(t, string(text))
	d.requireSound(t, err)
	return a, err
}

// requireSound requires of an error that it is one line without secrets.
func (d *device) requireSound(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.NotContains(t, err.Error(), "\n")
		require.NotEmpty(t, err.Error())
		d.requireNoSecret(t, err.Error())
	}
}

func (d *device) requireNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, s := range d.Secrets {
		require.NotContains(t, text, s)
	}
}

// offered asks, and requires an offer.
func (d *device) offered(t *testing.T) fleet.Offer {
	t.Helper()
	a, err := d.ask(t)
	require.NoError(t, err)
	require.NotNil(t, a.Offer, a.Text)
	require.Nil(t, a.Cancel)
	require.Empty(t, a.Offer.Unfit)
	require.Equal(t, d.source.Name(), a.Offer.Origin.Source)
	require.NotEmpty(t, a.Offer.Origin.Action)
	require.NotEmpty(t, a.Offer.Text)
	require.NotContains(t, a.Offer.Text, "\n")
	require.False(t, a.Offer.Source.URL.Empty())
	require.Positive(t, a.Offer.Source.Size)
	require.NotEmpty(t, a.Offer.Do)
	return *a.Offer
}

// notice is what the loop tells of an offer that is carried out.
func (d *device) notice(o journal.Origin, state journal.State, end bool) journal.Notice {
	return journal.Notice{
		ID: 1, To: d.source.Name(), Update: "u-1", Origin: &o, State: state, End: end,
		From: "1.0.0", Version: "2.0.0", Running: "2.0.0", Time: d.Clock.Now(),
	}
}

func names(t *testing.T, d *device) {
	require.NotEmpty(t, d.source.Name())
	require.NotEmpty(t, d.source.Place())
	d.requireNoSecret(t, d.source.Name()+" "+d.source.Place())
	a, err := d.ask(t)
	require.NoError(t, err)
	require.Nil(t, a.Offer, "nothing is offered yet")
	require.Nil(t, a.Cancel)
}

func asking(t *testing.T, d *device) {
	d.Offer(t)
	first := d.offered(t)
	was := d.Picture()
	for range 3 {
		require.Equal(t, first, d.offered(t))
	}
	d.restart(t)
	require.Equal(t, first, d.offered(t), "after a restart")
	// An offer that is being carried out is not cancelled.
	d.q.Accepted = &first.Origin
	for range 2 {
		a, err := d.ask(t)
		require.NoError(t, err)
		require.Nil(t, a.Cancel)
		d.restart(t)
	}
	require.Equal(t, was, d.Picture())
	// A start that has lost the facts gets the same offer.
	d.q.Facts, d.q.Accepted = nil, nil
	d.restart(t)
	require.Equal(t, first.Origin, d.offered(t).Origin)
}

func another(t *testing.T, d *device) {
	d.Offer(t)
	first := d.offered(t)
	d.Stop(t)
	d.Offer(t)
	a, err := d.ask(t)
	require.NoError(t, err)
	if a.Cancel != nil { // a server that waits for the end of the first one
		require.NoError(t, d.source.Tell(t.Context(), cancelled(d.notice(first.Origin, "Cancelled", true))))
	}
	require.NotEqual(t, first.Origin, d.offered(t).Origin)
}

// cancelled is a notice of an update that the source has cancelled.
func cancelled(n journal.Notice) journal.Notice {
	n.By, n.Running, n.Version = &journal.Asker{Kind: journal.BySource}, "1.0.0", ""
	return n
}

func stopped(t *testing.T, d *device) {
	d.Offer(t)
	first := d.offered(t)
	d.q.Accepted = &first.Origin
	d.Stop(t)
	for range 2 {
		a, err := d.ask(t)
		require.NoError(t, err)
		require.Nil(t, a.Offer)
		require.NotNil(t, a.Cancel)
		require.Equal(t, first.Origin.Source, a.Cancel.Source)
		require.Equal(t, first.Origin.Action, a.Cancel.Action)
		require.NotEmpty(t, a.CancelWhy)
		d.restart(t)
	}
	require.NoError(t, d.source.Tell(t.Context(), cancelled(d.notice(first.Origin, "Cancelled", true))))
	d.q.Accepted = nil
	a, err := d.ask(t)
	require.NoError(t, err)
	require.Nil(t, a.Offer)
	require.Nil(t, a.Cancel)
}

// course is what is told of an update that succeeds.
func (d *device) course(o journal.Origin) []journal.Notice {
	return []journal.Notice{
		d.notice(o, "Downloading", false), d.notice(o, "Ready", false), d.notice(o, "Switching", false), d.notice(o, "Committed", true),
	}
}

func tell(t *testing.T, d *device) {
	d.Offer(t)
	o := d.offered(t)
	for _, n := range d.course(o.Origin) {
		require.NoError(t, d.source.Tell(t.Context(), n), n.State)
	}
	d.requireOver(t, o)
	d.restart(t)
	d.requireOver(t, o)
}

// requireOver requires that an offer which was carried out is not made again.
func (d *device) requireOver(t *testing.T, o fleet.Offer) {
	t.Helper()
	d.q.Version, d.q.Accepted = "2.0.0", nil
	if o.Version != "" {
		d.q.Version = o.Version
	}
	a, err := d.ask(t)
	require.NoError(t, err)
	require.Nil(t, a.Offer)
	require.Nil(t, a.Cancel)
}

func lost(t *testing.T, d *device) {
	d.Offer(t)
	o := d.offered(t)
	for _, n := range d.course(o.Origin) {
		d.Network.Trouble(Lost)
		err := d.source.Tell(t.Context(), n)
		d.requireSound(t, err)
		if d.source.Listens() {
			require.Error(t, err)
			require.NotErrorIs(t, err, fleet.ErrNever)
		}
		d.Network.Trouble(Honest)
		d.restart(t)
		require.NoError(t, d.source.Tell(t.Context(), n), n.State)
	}
	d.requireOver(t, o)
}

func poison(t *testing.T, d *device) {
	d.Offer(t)
	o := d.offered(t).Origin
	o.Action = "4711"
	err := d.source.Tell(t.Context(), d.notice(o, "Committed", true))
	d.requireSound(t, err)
	if d.source.Listens() {
		require.ErrorIs(t, err, fleet.ErrNever)
		return
	}
	require.NoError(t, err)
}

func identify(t *testing.T, d *device) {
	a, err := d.ask(t)
	require.NoError(t, err)
	if a.Identify {
		d.Network.Trouble(Down)
		require.Error(t, d.source.Identify(t.Context(), map[string]string{"version": "1.0.0"}))
		d.Network.Trouble(Honest)
	}
	require.NoError(t, d.source.Identify(t.Context(), map[string]string{"version": "1.0.0"}))
	a, err = d.ask(t)
	require.NoError(t, err)
	require.False(t, a.Identify)
}

func outage(t *testing.T, d *device, trouble Trouble) {
	fails := func() {
		t.Helper()
		d.Network.Trouble(trouble)
		a, err := d.ask(t)
		require.Error(t, err)
		require.Nil(t, a.Offer)
		require.Nil(t, a.Cancel)
		var wait *fleet.Wait
		require.Equal(t, trouble == Busy || trouble == Closed, errors.As(err, &wait))
		switch trouble {
		case Down, Lost, Half:
			require.NotErrorIs(t, err, fleet.ErrHeard)
		case Endless: // who sends it, nobody knows
		default:
			require.ErrorIs(t, err, fleet.ErrHeard)
		}
		d.Network.Trouble(Honest)
	}
	fails() // at the first contact
	d.Offer(t)
	first := d.offered(t)
	fails()
	require.Equal(t, first, d.offered(t))
	fails()
	d.restart(t)
	fails()
	require.Equal(t, first, d.offered(t))
	d.q.Accepted = &first.Origin
	fails()
	a, err := d.ask(t)
	require.NoError(t, err)
	require.Nil(t, a.Cancel)
}

func busy(t *testing.T, d *device) {
	d.Offer(t)
	o := d.offered(t)
	for _, trouble := range []Trouble{Busy, Closed} {
		d.Network.Trouble(trouble)
		var wait *fleet.Wait
		_, err := d.ask(t)
		require.ErrorAs(t, err, &wait)
		require.Equal(t, RetryAfter*time.Second, wait.For)
		if d.source.Listens() {
			require.ErrorAs(t, d.source.Tell(t.Context(), d.notice(o.Origin, "Downloading", false)), &wait)
			require.Equal(t, RetryAfter*time.Second, wait.For)
		}
	}
}

// slow: a server that does not answer, or not to the end, keeps nobody for long.
func slow(t *testing.T, d *device) {
	d.Offer(t)
	first := d.offered(t)
	for _, trouble := range []Trouble{Silent, Stuck} {
		d.Network.Trouble(trouble)
		waits := d.Clock.Waiting()
		done := make(chan error)
		go func() {
			_, err := d.source.Ask(t.Context(), d.q)
			done <- err
		}()
		d.Clock.Await(waits + 1)
		d.Clock.Advance(5 * time.Minute)
		err := <-done
		require.Error(t, err, trouble)
		d.requireSound(t, err)
		d.Network.Trouble(Honest)
		require.Equal(t, first, d.offered(t))
	}
}

// ends: each method ends with its context, whatever the server does.
func ends(t *testing.T, d *device) {
	d.Offer(t)
	o := d.offered(t).Origin
	for name, do := range map[string]func(ctx context.Context) error{
		"ask": func(ctx context.Context) error {
			_, err := d.source.Ask(ctx, d.q)
			return err
		},
		"identify": func(ctx context.Context) error { return d.source.Identify(ctx, map[string]string{"a": "b"}) },
		"confirm":  func(ctx context.Context) error { return d.source.Confirm(ctx, o, true, "") },
		"uncancel": func(ctx context.Context) error { return d.source.Uncancel(ctx, o, "too late") },
		"tell":     func(ctx context.Context) error { return d.source.Tell(ctx, d.notice(o, "Downloading", false)) },
	} {
		d.Network.Trouble(Silent)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- do(ctx) }()
		var err error
		select {
		case <-d.Network.Heard():
			cancel()
			err = <-done
			require.Error(t, err, name)
		case err = <-done: // it asks nobody
		}
		cancel()
		d.requireSound(t, err)
		require.NotErrorIs(t, err, fleet.ErrNever, name)
	}
}
