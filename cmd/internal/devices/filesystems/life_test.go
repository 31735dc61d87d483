package filesystems_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/claims"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
)

func TestMain(m *testing.M) { os.Exit(devicetest.Main(m)) }

// TestFileSystems plays the life of a device on each row's.
func TestFileSystems(t *testing.T) {
	roottest.Need(t, "disks and machines") // before its claims are compared
	r := newReleases(t)
	shown := make([]claims.Row, len(rows()))
	t.Run("", func(t *testing.T) {
		for i, row := range rows() {
			shown[i].Name = row.name
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				d := newDevice(t, r, row)
				for _, check := range life() {
					if t.Run(check.id, func(t *testing.T) { check.play(t, d) }) {
						shown[i].Passed = append(shown[i].Passed, check.id)
					}
				}
			})
		}
	})
	for _, row := range shown {
		claims.FileSystems().Shown(t, row)
	}
}

// check is a part of a device's life, by its id in package claims. Each begins where the
// one before ended.
type check struct {
	id   string
	play func(t *testing.T, d *device)
}

func life() []check {
	return []check{
		{"zip", func(t *testing.T, d *device) {
			d.must(t, 0, "install", d.zip("1.1.0"))
			d.runs(t, "1.1.0")
		}},
		{"tope", func(t *testing.T, d *device) {
			d.must(t, 0, "install", d.bundle("1.2.0"))
			d.runs(t, "1.2.0")
			d.holds(t, "1.2.0")
		}},
		{"bad", func(t *testing.T, d *device) {
			plant(t, d.shared(t, "db"), "the users'", 0o640)
			d.must(t, 12, "install", d.bundle("1.3.0"))
			d.runs(t, "1.2.0")
			d.holds(t, "the users'")
		}},
		{"second", func(t *testing.T, d *device) {
			d.must(t, 0, "install", d.bundle(rebuilt))
			d.runs(t, rebuilt)
		}},
		{"rollback", func(t *testing.T, d *device) {
			d.must(t, 0, "rollback")
			d.runs(t, "1.2.0")
		}},
		{"prune", func(t *testing.T, d *device) {
			d.must(t, 0, "prune", "--keep", "0")
			require.NoDirExists(t, d.Store.Path(spare))
			d.runs(t, "1.2.0")
		}},
		{"factory", func(t *testing.T, d *device) {
			d.must(t, 0, "factory", "restore")
			d.runs(t, "1.0.0")
			d.must(t, 0, "rollback")
			d.must(t, 0, "factory", "create", "--replace")
			d.runs(t, "1.2.0")
		}},
		{"killed", func(t *testing.T, d *device) {
			d.must(t, -1, "install", d.bundle("1.6.0"))
			d.must(t, 0, "recover", "--finish")
			d.runs(t, "1.6.0", "1.2.0")
		}},
		{"cut", func(t *testing.T, d *device) {
			d.must(t, -1, "install", d.bundle("1.7.0"))
			d.powerCut(t)
			plant(t, filepath.Join(d.Store.Dir(), "../../killed-1.7.0"), "", 0o600) // it was not synced
			d.boot(t)
			d.runs(t, "1.7.0", "1.6.0")
			d.must(t, 0, "install", d.bundle("1.8.0"))
			d.runs(t, "1.8.0")
		}},
		{"verify", func(t *testing.T, d *device) {
			d.must(t, 0, "versions", "--verify")
		}},
		{"capabilities", func(t *testing.T, d *device) {
			d.must(t, 0, "install", d.bundle("1.9.0"))
			d.powerCut(t)
			d.boot(t)
			at, err := d.Store.Pointers() // what the cut has left of the clean-up waits for the next one
			require.NoError(t, err)
			require.Equal(t, "1.9.0", at.Current)
			program := filepath.Join(d.Store.Path("1.9.0"), capable)
			has, err := filecaps.Of(program)
			require.NoError(t, err)
			require.Equal(t, capabilities(), has)
			d.must(t, 0, "versions", "--verify")
			taken, err := os.Open(program)
			require.NoError(t, err)
			require.NoError(t, filecaps.Set{}.Apply(taken))
			require.NoError(t, taken.Close())
			require.Contains(t, d.must(t, 10, "versions", "--verify"), capable)
		}},
	}
}
