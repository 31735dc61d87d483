package healthcheck_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/stepstest"
)

func TestAPreflightThatGetsNoAnswer(t *testing.T) {
	s := newScene(t, nil, versions.Brought{})
	s.manager.Unreachable(true)
	_, err := healthcheck.New(s.cfg).Preflight(t.Context(), s.task)
	require.ErrorIs(t, err, service.ErrUnavailable)
	require.Equal(t, steps.Transient, steps.AsError(err).Class)
	s.manager.Unreachable(false)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stepstest.ErrStopped)
	_, err = healthcheck.New(s.cfg).Preflight(ctx, s.task)
	require.ErrorIs(t, err, stepstest.ErrStopped)
}
