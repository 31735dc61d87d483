package claims

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
)

var update = flag.Bool("update", false, "write the tables into the guides")

func kinds() []Kind { return []Kind{Systems(), FileSystems()} }

// replaced is a page with text in the place of that name.
func replaced(t *testing.T, page, path, name, text string) string {
	t.Helper()
	begin, end := "<!-- "+name+": made by go test ./cmd/internal/claims -update -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	require.True(t, ok, "%s has no place for %s", path, name)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s: %s has no end", path, name)
	return before + begin + text + end + after
}

// What the guides claim is what the data says, in each language.
func TestTheGuidesSayWhatWasShown(t *testing.T) {
	for _, g := range tongues() {
		for path, make := range map[string]func(string, string) string{
			filepath.Join(g.dir, "DEPLOYMENT.md"): func(page, path string) string {
				for _, k := range kinds() {
					page = replaced(t, page, path, k.Name, g.table(k, k.Rows(t)))
				}
				return page
			},
			"README" + g.suffix + ".md": func(page, path string) string {
				for _, k := range kinds() {
					page = replaced(t, page, path, k.Name, g.line(k, k.Rows(t)))
				}
				return page
			},
		} {
			file := filepath.Join(builttest.Top(), path)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			fresh := make(string(text), path)
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(fresh), 0o644))
				continue
			}
			require.Equal(t, fresh, string(text), "%s is stale: go test ./cmd/internal/claims -update", path)
		}
	}
}

// The package asks for no older systemd than one that was tried.
func TestThePackageDependsOnWhatWasTried(t *testing.T) {
	var tried []int
	for _, r := range Systems().Rows(t) {
		n, err := strconv.Atoi(r.Facts["systemd"])
		require.NoError(t, err)
		tried = append(tried, n)
	}
	script, err := os.ReadFile(filepath.Join(builttest.Top(), "deploy/deb/build.sh"))
	require.NoError(t, err)
	require.Contains(t, string(script), fmt.Sprintf("depends='systemd (>= %d)'", slices.Min(tried)))
}

// The data has no check and no fact that nobody knows, and lacks none of the facts.
func TestTheDataIsSound(t *testing.T) {
	for _, k := range kinds() {
		rows := k.Rows(t)
		require.NotEmpty(t, rows, k.Name)
		ids := map[string]bool{}
		for _, c := range k.Checks {
			ids[c.ID] = true
		}
		for _, r := range rows {
			require.Len(t, r.Facts, len(k.Facts), r.Name)
			for _, f := range k.Facts {
				require.NotEmpty(t, r.Facts[f.ID], "%s: %s", r.Name, f.ID)
			}
			for _, id := range r.Passed {
				require.True(t, ids[id], "%s: nobody knows the check %s", r.Name, id)
			}
		}
	}
}

func TestShownFailsWhenTheTableClaimsMore(t *testing.T) {
	row := Systems().Rows(t)[0]
	for name, change := range map[string]func(*Row){
		"a check that was not played": func(r *Row) { r.Passed = r.Passed[1:] },
		"another systemd":             func(r *Row) { r.Facts = map[string]string{"systemd": "1"} },
	} {
		less := row
		change(&less)
		probe := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			Systems().Shown(probe, less)
		}()
		require.True(t, probe.failed, name)
	}
	Systems().Shown(t, row)
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) FailNow()              { panic("failed") }
