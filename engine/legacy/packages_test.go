package legacy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/legacyzip"
)

// What clients of the legacy API are told of packages as people make them. The codes are
// frozen; the texts behind them name the cause and what to do.
func TestPackagesAsPeopleMakeThem(t *testing.T) {
	var b strings.Builder
	for _, g := range bundletest.People(t) {
		opened, err := bundle.Open(g.Path, bundle.Limits{}, legacyzip.Format{})
		if err == nil {
			fmt.Fprintf(&b, "%-20s taken: version %s\n", g.Name, opened.Release().Version)
			require.NoError(t, opened.Close())
			continue
		}
		e := steps.AsError(err)
		// As the journal has it, and with a path as long as a device's.
		e.Err = errors.New(strings.ReplaceAll(e.Err.Error(), g.Path, "/var/lib/tope-updater/work/20261129-101112-1a2b/bundle"))
		line, _ := e.Tell()
		st := over(engine.Failed, 0)
		st.Last.Step = "Verify"
		st.Last.Error = &engine.ErrorStatus{Code: string(e.Code), Class: string(e.Class), Text: line}
		fmt.Fprintf(&b, "%-20s %s\n", g.Name, body(st))
	}
	golden(t, "packages.golden", b.String())
}
