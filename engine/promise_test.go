package engine_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// attentive is a device that notes whose source was kept and whose directory was removed.
type attentive struct {
	*enginetest.Device
	full error         // of KeepSource
	tidy chan struct{} // what a Tidy waits for once a source was kept; nil for nothing

	mu            sync.Mutex
	kept, dropped []string
}

func (k *attentive) KeepSource(update string, url source.URL) error {
	k.mu.Lock()
	k.kept = append(k.kept, update)
	k.mu.Unlock()
	if k.full != nil {
		return k.full
	}
	return k.Device.KeepSource(update, url)
}

func (k *attentive) DropWorkDir(update string) error {
	k.mu.Lock()
	k.dropped = append(k.dropped, update)
	k.mu.Unlock()
	return k.Device.DropWorkDir(update)
}

func (k *attentive) Tidy(ctx context.Context, n engine.Needs) ([]string, error) {
	k.mu.Lock()
	waits := k.tidy != nil && len(k.kept) > 0
	k.mu.Unlock()
	if waits {
		<-k.tidy
	}
	return k.Device.Tidy(ctx, n)
}

// ready is a device on which an update waits for its install request.
func ready(t *testing.T, k *attentive) (r *enginetest.Life, waits string) {
	t.Helper()
	k.Device = enginetest.NewDevice()
	r = k.Up(t, func(c *engine.Config) { c.Keeper = k })
	waits, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	return r, waits
}

// A request whose secrets find no room takes nothing's place, and leaves nothing behind.
func TestARequestWithoutRoomForItsSecretsReplacesNothing(t *testing.T) {
	k := &attentive{full: unix.ENOSPC}
	r, waits := ready(t, k)
	_, err := enginetest.Secretive(t.Context(), r.Engine)
	require.Equal(t, steps.DiskFull, steps.AsError(err).Code, "%v", err)
	require.NotContains(t, err.Error(), "secret")
	require.Equal(t, engine.Ready, r.Status().State)
	require.Equal(t, waits, r.Status().Update.ID)
	require.Equal(t, k.kept, k.dropped)
}

// What was kept before an update gave way is there after its clean-up.
func TestSecretsOutlastTheUpdateThatGaveWay(t *testing.T) {
	k := &attentive{}
	r, waits := ready(t, k)
	url := source.New("https://me:secret@server/bundle?token=secret")
	id, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: url}, Hold: true})
	require.NoError(t, err)
	require.NotEqual(t, waits, id)
	r.Until(engine.Ready)
	require.Equal(t, []string{id}, k.kept)
	require.True(t, k.Sources[id].Equal(url))
	_, err = r.Cancel(t.Context())
	require.NoError(t, err)
	r.Until(engine.Idle)
	require.Empty(t, k.Sources)
}

// A client that hangs up while the update that gave way is cleaned up leaves no secrets.
func TestAWithdrawnRequestLeavesNoSecrets(t *testing.T) {
	k := &attentive{tidy: make(chan struct{})}
	r, _ := ready(t, k)
	ctx, hangUp := context.WithCancel(t.Context())
	asked := make(chan error)
	go func() { _, err := enginetest.Secretive(ctx, r.Engine); asked <- err }()
	r.Until(engine.Cancelled)
	hangUp()
	require.ErrorIs(t, <-asked, context.Canceled)
	close(k.tidy)
	r.Until(engine.Idle)
	require.Len(t, k.kept, 1)
	require.Equal(t, k.kept, k.dropped)
	require.Empty(t, k.Sources)
	require.NoError(t, r.Ask(enginetest.Secretive))
	r.Until(engine.Idle)
	require.Equal(t, engine.Committed, r.Status().Last.State)
}

// patient is the context of a client. It tells when the engine has taken the client's request:
// it is asked for its end a first time until then, and a second time until the answer.
type patient struct {
	context.Context
	asked int
	waits chan struct{}
}

func (p *patient) Done() <-chan struct{} {
	if p.asked++; p.asked == 2 {
		close(p.waits)
	}
	return p.Context.Done()
}

// Nor when another request waits behind it, and is the one that is accepted.
func TestAWithdrawnRequestLeavesNoSecretsToTheNext(t *testing.T) {
	k := &attentive{tidy: make(chan struct{})}
	r, _ := ready(t, k)
	ctx, hangUp := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { _, err := enginetest.Secretive(ctx, r.Engine); first <- err }()
	r.Until(engine.Cancelled)
	url := source.New("https://me:secret@server/bundle?token=secret")
	taken := &patient{Context: t.Context(), waits: make(chan struct{})}
	go func() {
		_, err := r.Install(taken, engine.InstallRequest{Source: steps.Source{URL: url}, Hold: true})
		second <- err
	}()
	<-taken.waits
	hangUp()
	require.ErrorIs(t, <-first, context.Canceled)
	close(k.tidy)
	require.NoError(t, <-second)
	r.Until(engine.Ready)
	require.Len(t, k.kept, 2)
	require.Equal(t, k.kept[:1], k.dropped)
	require.Len(t, k.Sources, 1)
}
