package supply_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/supply"
)

// A head that is admitted tells which release it is of, and who has signed it; another one
// tells nothing.
func TestAdmit(t *testing.T) {
	file := nativetest.New(t).Make(t, nativetest.Edit{})
	var no error
	p := &supply.Planner{Judge: &supply.Judge{Verify: func(_, _ []byte) (string, error) { return "somebody", no }, Clock: clock.System()}}
	need, done := int64(512), false
	for !done {
		var err error
		need, done, err = p.HeadSize(file[:need])
		require.NoError(t, err)
	}
	r, by, err := p.Admit(file[:need])
	require.NoError(t, err)
	require.Equal(t, "somebody", by)
	require.NotEmpty(t, r.Version)
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", r.Digest)

	no = &steps.Error{Class: steps.Refused, Code: steps.BadSignature, Err: errors.New("no")}
	r, by, err = p.Admit(file[:need])
	require.Equal(t, steps.BadSignature, steps.AsError(err).Code)
	require.Empty(t, by)
	require.Zero(t, r)
}
