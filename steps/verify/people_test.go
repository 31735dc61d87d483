package verify_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/supply"
	"github.com/tope/updater/steps/verify"
)

// Packages as people make them, and what they give in a package's place: the device takes
// it, or names cause and cure in one line, also when the line is cut to its length.
func TestAsPeopleMakeThem(t *testing.T) {
	for _, g := range bt.People(t) {
		t.Run(g.Name, func(t *testing.T) {
			w := newWorld(t, bt.Zip{})
			w.cfg.Formats = append([]bundle.Format{supply.Format{}}, w.cfg.Formats...)
			require.NoError(t, os.Remove(w.path()))
			if info, err := os.Stat(g.Path); err == nil && info.IsDir() {
				require.NoError(t, os.Mkdir(w.path(), 0o700))
				// Verify has the digest already: it is the format that refuses.
				w.task.Facts.Download.Size = info.Size()
			} else {
				require.NoError(t, os.Link(g.Path, w.path()))
				w.downloaded()
			}
			w.task.Source = steps.Source{}
			if g.Code == "" {
				_, release := w.do()
				require.Equal(t, "1.2.3", release.Version)
				return
			}
			_, err := verify.New(w.cfg).Do(t.Context(), w.task)
			e := steps.AsError(err)
			require.Equal(t, [2]any{steps.Refused, g.Code}, [2]any{e.Class, e.Code}, "%v", err)
			require.Contains(t, err.Error(), g.Says)
			line, _ := e.Tell()
			require.NotContains(t, err.Error(), "\n")
			if _, cure, ok := strings.Cut(g.Says, "; "); ok {
				require.Contains(t, line, cure, "what to do is never cut")
			}
		})
	}
}
