package plant_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/plant"
)

// Every bug still has its place in the source. crashlab plant shows that the bug
// compiles and is found, which takes minutes.
func TestBugsApply(t *testing.T) {
	copied := t.TempDir()
	require.NoError(t, plant.Copy("../../../..", copied))
	require.NoDirExists(t, filepath.Join(copied, ".git"))
	names := map[string]bool{}
	for _, b := range plant.Bugs() {
		require.False(t, names[b.Name], "two bugs are called %s", b.Name)
		names[b.Name] = true
		before, err := os.ReadFile(filepath.Join(copied, b.File))
		require.NoError(t, err)
		restore, err := b.Plant(copied)
		require.NoError(t, err)
		after, err := os.ReadFile(filepath.Join(copied, b.File))
		require.NoError(t, err)
		require.NotEqual(t, string(before), string(after))
		require.NoError(t, restore())
		again, err := os.ReadFile(filepath.Join(copied, b.File))
		require.NoError(t, err)
		require.Equal(t, string(before), string(again))
	}
	require.GreaterOrEqual(t, len(names), 6)
}

func TestABugThatDoesNotApplyIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.go"), []byte(strings.Repeat("line\n", 2)), 0o644))
	_, err := plant.Bug{Name: "b", File: "x.go", Old: "gone\n", New: ""}.Plant(dir)
	require.ErrorContains(t, err, "0 places")
	_, err = plant.Bug{Name: "b", File: "x.go", Old: "line\n", New: ""}.Plant(dir)
	require.ErrorContains(t, err, "2 places")
}
