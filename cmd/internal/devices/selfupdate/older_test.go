package selfupdate_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// before is the newest revision that does not know of updaters in releases.
const before = "dc0f8878cc9697a3f6b8fe5cd9eb2de0a76e5951"

// older builds the updater of that revision.
func older(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	sh := func(script string) {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "DIR="+dir, "REVISION="+before)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	sh(`cd "$(git rev-parse --show-toplevel)" && git archive "$REVISION" | tar -x -C "$DIR"`)
	sh(`cd "$DIR" && go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$DIR/updater" ./cmd/tope-updater`)
	program, err := os.ReadFile(filepath.Join(dir, "updater"))
	require.NoError(t, err)
	return program
}

// By a rescue or a rollback by hand, an updater of that revision may meet a
// journal that has takeovers in it. It can use the journal, installs and rolls
// back; and the newer updater can use the records that the older one has written.
func TestAnOlderUpdaterFollowsTheJournal(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{})
	program := older(t)
	d.Up()
	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	require.Equal(t, engine.Committed, d.Over().State)
	d.is(d.fresh)
	d.Begin(d.Offer(updater("1.2.0", pretender("exit 1"))))
	require.Equal(t, engine.RolledBack, d.Over().State)
	d.MustRun(devicetest.Updater, "rollback", "--to", "1.0.0")

	become := func(program []byte) {
		path := "/usr/lib/tope-updater/.incoming"
		d.Write(path, string(program), 0o755)
		d.MustRun("mv", path, devicetest.Updater)
		d.MustRun("systemctl", "restart", devicetest.Daemon)
		d.Answers()
		d.is(program)
		d.MustRun(devicetest.Updater, "journal", "verify")
	}
	// The older one does not know this word of the configuration, and needs none.
	const file, word = "/etc/tope-updater/config.toml", "unsigned_brings = [\"updater\"]\n"
	config, err := os.ReadFile(d.Disk(file))
	require.NoError(t, err)
	require.Contains(t, string(config), word)
	d.Write(file, strings.Replace(string(config), word, "", 1), 0o644)
	become(program)
	st := d.Answers()
	require.False(t, st.Journal.Damaged)
	require.Equal(t, "1.0.0", st.Pointers.Current)
	require.Len(t, st.Quarantine, 1)
	d.MustRun(devicetest.Updater, "rollback", "--to", "1.1.0")
	d.Whole("1.1.0")
	d.is(program)
	d.Begin(d.Offer(fixtures.Release{Version: "1.3.0"}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Kill()
	d.Up()
	d.Whole("1.3.0")
	d.is(program)

	d.Write(file, string(config), 0o644)
	become(d.fresh)
	// A version that carries the older updater keeps it to itself: it could not take over.
	d.Begin(d.Offer(updater("1.4.0", program)))
	require.Equal(t, engine.Committed, d.Over().State)
	d.is(d.fresh)
	d.MustRun(devicetest.Updater, "rollback", "--to", "1.3.0")
	d.Whole("1.3.0")
	require.Empty(t, d.Failed())
}
