package likeness

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Tree makes in dst, which is empty, the directories that are in src, and gives each, and
// dst itself, what the original is like. entry puts whatever else is there, by its name,
// into the directory to; an error of it ends the walk. Neither follows a link. Tree closes
// dst.
func Tree(src, dst *disk.Dir, entry func(in *disk.Dir, name string, st *unix.Stat_t, to *disk.Dir) error) error {
	way, err := disk.Begin(dst)
	if err != nil {
		return err
	}
	err = src.Walk(disk.Tour{
		Entry: func(in *disk.Dir, name string, st *unix.Stat_t) error {
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				return nil
			}
			return entry(in, name, st, way.At())
		},
		Enter: func(_ *disk.Dir, name string, _ *unix.Stat_t) error {
			if name == "" {
				return nil
			}
			// Its own mode when it is full.
			if err := way.At().Mkdir(name, 0o700); err != nil {
				return err
			}
			return way.Down(name)
		},
		// The time of a directory changes with its entries.
		Leave: func(dir *disk.Dir, st *unix.Stat_t) error {
			return Give(dir.File(), way.At(), ".", way.At().File(), st)
		},
		Left: func(*disk.Dir, string) error { return way.Up() },
	})
	return errors.Join(err, way.Close())
}
