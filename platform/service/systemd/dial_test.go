package systemd

import (
	"context"
	"errors"
	"testing"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

func TestRootTalksToSystemdItself(t *testing.T) {
	overBus, direct := new(sd.Conn), new(sd.Conn)
	works := func(c *sd.Conn) dialer { return func(context.Context) (*sd.Conn, error) { return c, nil } }
	fails := func(text string) dialer {
		return func(context.Context) (*sd.Conn, error) { return nil, errors.New(text) }
	}
	got, err := either(t.Context(), works(direct), fails("not asked"))
	require.NoError(t, err)
	require.Same(t, direct, got)
	got, err = either(t.Context(), fails("no socket"), works(overBus))
	require.NoError(t, err)
	require.Same(t, overBus, got)
	_, err = either(t.Context(), fails("no socket"), fails("no bus"))
	require.ErrorContains(t, err, "no bus")
	require.ErrorContains(t, err, "no socket")
}

func TestAConnectionThatCannotBeMadeIsUnavailable(t *testing.T) {
	m := New(Config{Dial: func(context.Context) (*sd.Conn, error) { return nil, errors.New("refused") }})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	err := m.Start(t.Context(), service.Service{Name: "api"})
	require.ErrorIs(t, err, service.ErrUnavailable)
	require.ErrorContains(t, err, "refused")
}
