package journal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/journal/journaltest"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
)

// small is a size that makes tests fast and still never has to grow.
const small = 2 << 20

func options() journal.Options {
	return journal.Options{Clock: clocktest.New(), Create: true, Preallocate: small}
}

func open(t testing.TB, path string, opt journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// newJournal is a journal with some updates behind it and one open, closed.
func newJournal(t testing.TB, updates int) (path string, state *journal.Fold) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path, options())
	for n := range updates {
		runUpdate(t, j, updateID(n))
	}
	fleet := ofAFleet()
	fleet.Phase, fleet.Quarantine = journal.Observed, &journal.Quarantined{Version: "6.6.6", Digest: "md5:666"}
	_, err := j.Append(fleet)
	require.NoError(t, err)
	_, err = j.Append(acceptRecord("open"))
	require.NoError(t, err)
	state, err = j.Append(transition("open", 4)...)
	require.NoError(t, err)
	require.NoError(t, j.Note("open", "Download", []byte("half")))
	require.NoError(t, j.Close())
	return path, state
}

func requireWhole(t testing.TB, j *journal.Journal) {
	t.Helper()
	report, err := j.Verify()
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}

func TestConformance(t *testing.T) {
	journaltest.Conformance(t, func(t *testing.T) (journaltest.Store, func() journaltest.Store) {
		path := filepath.Join(t.TempDir(), "journal.db")
		j := open(t, path, options())
		return j, func() journaltest.Store {
			require.NoError(t, j.Close())
			j = open(t, path, options())
			return j
		}
	})
}

func TestCreate(t *testing.T) {
	t.Run("a missing journal is an error unless asked for", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal.db")
		opt := options()
		opt.Create = false
		_, err := journal.Open(path, opt)
		require.ErrorIs(t, err, journal.ErrMissing)
		require.NoFileExists(t, path)
	})
	t.Run("with its directories and room, readable by its owner only", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "var", "lib", "journal.db")
		open(t, path, options())
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
		require.EqualValues(t, small, info.Size())
		require.GreaterOrEqual(t, info.Sys().(*syscall.Stat_t).Blocks*512, int64(small))
		require.NoFileExists(t, disk.TempName(path))
	})
	t.Run("stays fresh until somebody writes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal.db")
		for range 2 {
			j := open(t, path, options())
			fresh, damage := j.Fresh()
			require.True(t, fresh)
			require.Nil(t, damage)
			require.NoError(t, j.Close())
		}
		j := open(t, path, options())
		_, err := j.Append(acceptRecord("u"))
		require.NoError(t, err)
		fresh, _ := j.Fresh()
		require.False(t, fresh)
		require.NoError(t, j.Close())
		fresh, _ = open(t, path, options()).Fresh()
		require.False(t, fresh)
	})
	for name, stale := range map[string]func(tmp string) error{
		"an empty file":    func(tmp string) error { return os.WriteFile(tmp, nil, 0o600) },
		"half a journal":   func(tmp string) error { return os.WriteFile(tmp, make([]byte, 12<<10), 0o600) },
		"even a directory": func(tmp string) error { return os.MkdirAll(filepath.Join(tmp, "in", "the", "way"), 0o700) },
	} {
		t.Run("a stale temporary does not block it: "+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			require.NoError(t, stale(disk.TempName(path)))
			requireWhole(t, open(t, path, options()))
			require.NoFileExists(t, disk.TempName(path))
			require.NoDirExists(t, disk.TempName(path))
		})
	}
}

func TestTheWayIsBlocked(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(path string) error
		says    string
	}{
		"a pipe": {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "it is a named pipe"},
		"a link": {func(p string) error {
			if err := os.WriteFile(p+".real", nil, 0o600); err != nil {
				return err
			}
			return os.Symlink(p+".real", p)
		}, "symbolic link"},
		"a file for a directory": {func(p string) error { return os.WriteFile(filepath.Dir(p), nil, 0o600) }, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "journal.db")
			if name != "a file for a directory" {
				require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
			}
			require.NoError(t, tt.prepare(path))
			before, err := os.Lstat(path)
			_, openErr := journal.Open(path, options())
			require.ErrorContains(t, openErr, tt.says)
			require.ErrorContains(t, openErr, filepath.Dir(path))
			require.NotErrorIs(t, openErr, journal.ErrDamaged)
			if err == nil {
				after, err := os.Lstat(path)
				require.NoError(t, err)
				require.True(t, os.SameFile(before, after))
			}
		})
	}
}

func TestOneWriter(t *testing.T) {
	path, _ := newJournal(t, 1)
	j := open(t, path, options())
	_, err := journal.Open(path, options())
	require.ErrorIs(t, err, journal.ErrLocked)
	require.ErrorContains(t, err, path)

	waiting := options()
	waiting.LockTimeout = time.Minute
	opened := make(chan error)
	go func() {
		k, err := journal.Open(path, waiting)
		if err == nil {
			err = k.Close()
		}
		opened <- err
	}()
	require.NoError(t, j.Close())
	require.NoError(t, <-opened)
	_, err = j.Append(acceptRecord("late"))
	require.ErrorIs(t, err, fs.ErrClosed)
	require.NoError(t, j.Close())
}

// TestTheFileVanishesUnderfoot: a fault in bbolt's memory map must be an error,
// not the end of the process, and closing must not wait for bbolt's locks.
func TestTheFileVanishesUnderfoot(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"cut short": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 2*journal.PageSize)) },
		"zeroed": func(t *testing.T, path string) {
			for _, id := range journal.Pages(t, path, journal.Buckets()[0]) {
				overwrite(t, path, int64(id)*journal.PageSize, make([]byte, journal.PageSize))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, state := newJournal(t, 3)
			j := open(t, path, options())
			harm(t, path)
			_, err := j.Append(transition("open", 5)...)
			require.ErrorIs(t, err, journal.ErrPoisoned)
			require.Equal(t, state, j.State(), "the state stays that of before")
			_, err = j.Append(transition("open", 5)...)
			require.ErrorIs(t, err, journal.ErrPoisoned)
			require.ErrorIs(t, j.Note("open", "Download", nil), journal.ErrPoisoned)
			_, err = j.Records("")
			require.ErrorIs(t, err, journal.ErrPoisoned)
			_ = j.Close()

			j = open(t, path, options())
			_, damage := j.Fresh()
			require.NotNil(t, damage)
			requireWhole(t, j)
		})
	}
}

func overwrite(t testing.TB, path string, at int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(data, at)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestNotesThatAreDamagedAreIgnored(t *testing.T) {
	path, _ := newJournal(t, 0)
	j := open(t, path, options())
	note, err := j.ReadNote("open", "Download")
	require.NoError(t, err)
	require.Equal(t, "half", string(note))
	require.NoError(t, j.Close())
	replaceBytes(t, path, "half", "calf")
	note, err = open(t, path, options()).ReadNote("open", "Download")
	require.NoError(t, err)
	require.Nil(t, note)
}

// fastDir is a directory in memory, for tests of content that sync a lot.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestAWriteFails: after a failed commit, whatever the error, the journal
// refuses to be used.
func TestAWriteFails(t *testing.T) {
	path, state := newJournal(t, 1)
	j := open(t, path, options())
	makeReadOnly(t, path)
	_, err := j.Append(transition("open", 5)...)
	require.ErrorIs(t, err, journal.ErrPoisoned)
	require.ErrorIs(t, err, syscall.EBADF)
	require.ErrorContains(t, err, path)
	require.Equal(t, state, j.State())
	require.EqualValues(t, 0, j.Transactions())
	_, err = j.Updates()
	require.ErrorIs(t, err, journal.ErrPoisoned)
	require.NoError(t, j.Close())

	j = open(t, path, options())
	require.Equal(t, state, j.State())
	requireWhole(t, j)
}

// makeReadOnly puts a file that cannot be written in the place of the one this
// process has open at path.
func makeReadOnly(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range fds {
		fd, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && to == path && fd != int(f.Fd()) {
			require.NoError(t, syscall.Dup3(int(f.Fd()), fd, syscall.O_CLOEXEC))
		}
	}
}
