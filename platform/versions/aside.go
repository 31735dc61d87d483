package versions

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/likeness"
)

// moveAside gives what is at path the name kept, in the same directory. An overlay cannot
// rename a directory that is in its lower layer (EXDEV): there it gets a twin under that
// name, with the same files, and is removed.
func moveAside(ctx context.Context, path, kept string) error {
	// On disk if the power goes before the directory is synced: path or kept, whole.
	err := os.Rename(path, kept)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	if err := disk.NothingMounted(path); err != nil {
		return err
	}
	tmp := disk.TempName(kept)
	if err := disk.RemoveTree(tmp); err != nil {
		return err
	}
	// If the power goes meanwhile: path, whole, and a part of the twin under a temporary
	// name, which the next call removes.
	if err := twin(path, tmp); err != nil {
		return errors.Join(err, disk.RemoveTree(tmp))
	}
	if err := disk.SyncFS(ctx, tmp); err != nil {
		return errors.Join(err, disk.RemoveTree(tmp))
	}
	if err := disk.Publish(tmp, kept); err != nil {
		return err
	}
	// If the power goes from here on: the twin, whole, and what is left of path. The next
	// call keeps that under a name of its own.
	return disk.RemoveTree(path)
}

// twin makes the directory to, with the entries of from: directories alike, and a second
// name for everything else.
func twin(from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	src, err := disk.OpenDir(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := disk.OpenDir(to)
	if err != nil {
		return err
	}
	return likeness.Tree(src, dst, func(in *disk.Dir, name string, _ *unix.Stat_t, to *disk.Dir) error {
		return in.Link(name, to, name)
	})
}
