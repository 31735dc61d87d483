package journal_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/roottest"
)

// smallDisk is a file system of its own, of 16 MiB. Needs root.
func smallDisk(t *testing.T) string {
	t.Helper()
	roottest.Need(t, "a loop device")
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 16<<20))
	require.NoError(t, os.Mkdir(mount, 0o700))
	run(t, "mkfs.ext4", "-q", "-m", "0", image)
	run(t, "mount", "-o", "loop", image, mount)
	t.Cleanup(func() { run(t, "umount", mount) })
	return mount
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}

// fillUp fills the disk to the last block, and returns a function that makes
// room again.
func fillUp(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "full")
	f, err := os.Create(name)
	require.NoError(t, err)
	for size := 1 << 20; size >= 512; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			size /= 2
		}
	}
	_ = f.Sync()
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// TestAFullDiskStopsNothing: the journal's blocks are its own from the start.
func TestAFullDiskStopsNothing(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "journal.db")
	opt := options()
	opt.KeepUpdates = 20
	j := open(t, path, opt)
	fillUp(t, dir)
	require.ErrorIs(t, os.WriteFile(filepath.Join(dir, "more"), make([]byte, 64<<10), 0o600), syscall.ENOSPC)
	for n := range 30 {
		runUpdate(t, j, updateID(n))
	}
	requireWhole(t, j)
	require.NoError(t, j.Close())
	j = open(t, path, opt)
	runUpdate(t, j, "again")
	requireWhole(t, j)
	require.NoError(t, j.Close())
}

func TestCreatingOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "journal.db")
	free := fillUp(t, dir)
	_, err := journal.Open(path, options())
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, path)
	require.NoFileExists(t, path)
	require.NoFileExists(t, disk.TempName(path))
	free()
	j := open(t, path, options())
	runUpdate(t, j, "a")
	requireWhole(t, j)
	require.NoError(t, j.Close())
}

// TestWithoutRoomOfItsOwn: a journal that was made when the disk was nearly
// full may be stopped. It then says so, is whole afterwards, and sets its room
// aside as soon as it can.
func TestWithoutRoomOfItsOwn(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "journal.db")
	free := fillUp(t, dir)
	require.NoError(t, os.Truncate(filepath.Join(dir, "full"), size(t, filepath.Join(dir, "full"))-200<<10))
	j := open(t, path, options())
	var err error
	for n := 0; err == nil; n++ {
		if _, err = j.Append(acceptRecord(updateID(n))); err == nil {
			_, err = j.Append(transition(updateID(n), n)...)
		}
	}
	require.ErrorIs(t, err, journal.ErrPoisoned)
	require.Truef(t, disk.OutOfSpace(err) || errors.Is(err, journal.ErrDamaged), "%v", err)
	before := j.State()
	_ = j.Close()

	free()
	j = open(t, path, options())
	require.Nil(t, j.State().Damage)
	require.GreaterOrEqual(t, j.State().Seq, before.Seq)
	requireWhole(t, j)
	fillUp(t, dir)
	for n := range 10 {
		runUpdate(t, j, updateID(1000+n))
	}
	require.NoError(t, j.Close())
}

func TestAReadOnlyFileSystem(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "journal.db")
	require.NoError(t, open(t, path, options()).Close())
	run(t, "mount", "-o", "remount,ro", dir)
	_, err := journal.Open(path, options())
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "mount it read-write")
	_, err = journal.Open(path+"2", options())
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorContains(t, err, path+"2")
	openReader(t, path)
}

// A journal that is deleted on a full disk is put back when there is room again: until then
// the process that has it open has all of it.
func TestARemovedJournalOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "journal.db")
	j, err := journal.Open(path, options())
	require.NoError(t, err)
	state, err := j.Append(acceptRecord("u1"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	free := fillUp(t, dir)
	for range 2 {
		err = j.PutBack()
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	require.Equal(t, state, j.State())
	free()
	require.NoError(t, j.PutBack())
	require.NoError(t, j.Close())
	j = open(t, path, options())
	require.Equal(t, "u1", j.State().Open.ID)
	require.NoError(t, j.Close())
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
