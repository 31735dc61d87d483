package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
)

// hangup is the context of a client that hangs up at the worst moment: just
// after the loop has found that the client is still there.
type hangup struct {
	context.Context
	hang context.CancelFunc
}

func newHangup(t *testing.T) hangup {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return hangup{ctx, cancel}
}

func (h hangup) Err() error {
	err := h.Context.Err()
	h.hang()
	return err
}

// A client that hangs up in the middle of a prune does not leave a reservation
// behind. Once it did, and each later install waited without end.
func TestAClientThatHangsUpLeavesNothingReserved(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	for range 40 {
		_ = r.Exclusive(newHangup(t), "prune", func(context.Context) error { return nil })
	}
	require.NoError(t, r.Ask(enginetest.Install))
	r.Until(engine.Idle)
	require.Equal(t, engine.Committed, r.Status().Last.State)
}

// A panic under the reservation (net/http goes on after a handler's panic) does
// not leave it behind either.
func TestAPanicLeavesNothingReserved(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	require.Panics(t, func() {
		_ = r.Exclusive(t.Context(), "prune", func(context.Context) error { panic("in a handler") })
	})
	require.NoError(t, r.Ask(enginetest.Install))
	r.Until(engine.Idle)
}

// A client's request is carried out or not, and the answer says which: a client
// that hung up too late is told of its update.
func TestAClientThatHangsUpTooLateIsToldOfItsUpdate(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t)
	for range 40 {
		id, err := enginetest.Install(newHangup(t), r.Engine)
		if err != nil {
			require.ErrorIs(t, err, engine.ErrBusy)
		} else {
			require.NotEmpty(t, id)
		}
		r.Until(engine.Idle)
		_, err = r.Rollback(t.Context(), "", engine.Turning{})
		require.NoError(t, err)
		r.Until(engine.Idle)
	}
}

// A request that comes after the loop has ended gets an answer, even when its
// context never ends.
func TestARequestAfterTheEndIsAnswered(t *testing.T) {
	d := enginetest.NewDevice()
	d.On(enginetest.Cut{})
	r, err := d.Start()
	require.NoError(t, err)
	require.NoError(t, r.Stop())
	_, err = r.Rollback(context.Background(), "", engine.Turning{})
	require.ErrorIs(t, err, context.Canceled)
}
