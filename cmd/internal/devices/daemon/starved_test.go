package daemon_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal/journaltest"
)

// A daemon that the kernel kills for want of memory is told apart from one that anybody
// kills, by the journal and by what it costs the update.
func TestADeathForWantOfMemoryIsToldApart(t *testing.T) {
	t.Parallel()
	for name, kills := range map[string]int{"out of memory": 1, "killed": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devicetest.New(t, devicetest.Options{Stable: 5 * time.Second})
			d.OutOfMemory(kills)
			d.Up()
			d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
			d.In(engine.CheckingHealth)
			before := d.Property(devicetest.Daemon, "MainPID")
			d.MustRun("systemctl", "kill", "--kill-who=main", "--signal=KILL", devicetest.Daemon)
			d.Wait("another daemon", func() bool {
				pid := d.Property(devicetest.Daemon, "MainPID")
				return pid != "0" && pid != before
			})
			d.Answers()
			u := d.Over()
			require.Equal(t, engine.Committed, u.State)
			told := 0
			for _, r := range d.Records(u.ID) {
				if r.Spend != nil && r.Spend.OutOfMemory {
					require.True(t, r.Spend.Excused)
					require.Zero(t, r.Spend.Cost)
					told++
				}
			}
			require.Equal(t, kills, told)
		})
	}
}

// The attack of issue 12: a fat journal, and 200 requests for it whose answers nobody
// reads, within the memory of the shipped unit. The daemon lives, and the update goes on.
func TestUnreadAnswersDoNotStopAnUpdate(t *testing.T) {
	t.Parallel()
	d := devicetest.New(t, devicetest.Options{Stable: 5 * time.Second})
	fat := filepath.Join(t.TempDir(), "journal.db")
	journaltest.Fat(t, fat)
	d.Put(fat, "/var/lib/tope-updater/journal.db", 0o600)
	d.Up()
	// Who may read the journal may also not read the answer.
	token := strings.TrimSpace(d.MustRun("sh", "-c", devicetest.Updater+" token create reader --scope read 2>/dev/null"))
	peak := limited(t, d, 96<<20)
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.In(engine.CheckingHealth)
	for range 200 {
		c, err := d.Dial(t.Context(), "tcp", "127.0.0.1:12315")
		if err != nil {
			continue // the daemon has closed it at once
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, "GET /api/v2/journal HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	}
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Equal(t, "0", d.Property(devicetest.Daemon, "NRestarts"))
	peak()
}
