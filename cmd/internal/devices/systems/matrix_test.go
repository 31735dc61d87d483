package systems_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/claims"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/engine"
)

// suites are those of TOPE_SUITES, or the oldest and the newest that the guide names.
func suites() []string {
	if named := strings.Fields(os.Getenv("TOPE_SUITES")); len(named) > 0 {
		return named
	}
	return []string{"bullseye", "trixie"}
}

// What the guide says of a system is what its machine shows.
func TestTheMatrix(t *testing.T) {
	t.Parallel()
	packages, rows := packages(t), make(chan claims.Row, len(suites()))
	t.Run("on", func(t *testing.T) {
		for _, suite := range suites() {
			t.Run(suite, func(t *testing.T) {
				t.Parallel()
				rows <- newMachine(t, suite, packages).play()
			})
		}
	})
	close(rows)
	for row := range rows {
		claims.Systems().Shown(t, row)
	}
}

// Cuts at each state of an update, spread over the suites.
func TestCutsOverTheMatrix(t *testing.T) {
	t.Parallel()
	all := suites()
	w := devicetest.Sweep{Suites: all, Lanes: 2 * len(all), Cuts: devicetest.MatrixCuts(t, 2*len(all)), Seed: devicetest.Seed(t)}
	count := w.Run(t)
	cuts := 0
	for _, n := range count {
		cuts += n
	}
	t.Logf("%d cuts over %v with seed %d, by the state in which they came: %v", cuts, all, w.Seed, count)
	require.Equal(t, w.Cuts/w.Lanes*w.Lanes, cuts)
}

// play plays the table, and returns the row that it shows.
func (m *machine) play() claims.Row {
	m.t.Helper()
	row := claims.Row{Name: m.name(), Facts: map[string]string{"systemd": m.systemd()}}
	for _, check := range claims.Systems().Checks {
		play, ok := m.checks()[check.ID]
		require.True(m.t, ok, "nothing plays the check %s", check.ID)
		began := time.Now()
		m.t.Logf("%s: %s", row.Name, check.English)
		play()
		m.t.Logf("    it took %s", time.Since(began).Round(time.Millisecond))
		row.Passed = append(row.Passed, check.ID)
	}
	return row
}

// name is what the system calls itself, for readers: "Debian 12".
func (m *machine) name() string {
	m.t.Helper()
	said := m.Read("/usr/lib/os-release")
	for _, key := range []string{"VERSION_ID", "VERSION_CODENAME"} {
		if found := regexp.MustCompile(`(?m)^` + key + `="?([^"\n]+)`).FindStringSubmatch(said); found != nil {
			return "Debian " + found[1]
		}
	}
	m.t.Fatalf("the system has no name:\n%s", said)
	return ""
}

// systemd is the number of its systemd.
func (m *machine) systemd() string {
	m.t.Helper()
	fields := strings.Fields(m.MustRun("systemctl", "--version"))
	require.Greater(m.t, len(fields), 1)
	return fields[1]
}

// ends installs a bundle, and fails the test unless the update ends like that, on a whole version.
func (m *machine) ends(path string, want engine.State, version string) {
	m.t.Helper()
	m.Begin(path)
	u := m.Over()
	require.Equal(m.t, want, u.State, "%+v", u.Error)
	m.Whole(version)
}
