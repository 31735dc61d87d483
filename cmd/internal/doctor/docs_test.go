package doctor_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/doctor"
)

// The guide has a row for each check, in the order of the answer, in both languages.
func TestTheGuideHasEveryCheck(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z -]+)` \\| .+ \\| .+ \\|$")
	for _, page := range []string{"docs/DEPLOYMENT.md", "docs/zh/DEPLOYMENT.md"} {
		text, err := os.ReadFile(filepath.Join(builttest.Top(), page))
		require.NoError(t, err)
		var rows []string
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			rows = append(rows, m[1])
		}
		require.Equal(t, doctor.Checks(), rows, page)
	}
}

// An answer has every check, so that a program can look for one.
func TestEveryCheckAnswers(t *testing.T) {
	var names []string
	for _, f := range examined(t, t.TempDir(), quiet) {
		if len(names) == 0 || names[len(names)-1] != f.Check {
			names = append(names, f.Check)
		}
	}
	require.Equal(t, doctor.Checks(), names)
}
