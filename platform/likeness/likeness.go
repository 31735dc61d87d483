// Package likeness makes a copy of a file or directory like its original in all but the
// content: owner, mode, extended attributes, time of last change.
//
// Nothing here is synced: the caller syncs the copy.
package likeness

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Give gives an entry of in, which is open as dst, the owner, mode, attributes and time of
// the open file src, whose state st is. It is for files and directories, and goes by
// descriptors: nobody can lead it elsewhere. Without root's rights the owner stays: only
// root can give files to other users. A directory gets its time when all that it holds is
// in it.
func Give(src *os.File, in *disk.Dir, name string, dst *os.File, st *unix.Stat_t) error {
	if os.Geteuid() == 0 {
		if err := dst.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	// After the owner, whose change clears set-id bits.
	if err := unix.Fchmod(int(dst.Fd()), st.Mode&0o7777); err != nil {
		return fmt.Errorf("chmod %s: %w", dst.Name(), err)
	}
	if err := attributes(src, dst); err != nil {
		return err
	}
	return in.Chtimes(name, st.Mtim, st.Mtim)
}
