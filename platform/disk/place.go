package disk

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where a directory lies: its device, and the number of the mount that it was
// opened under, which is 0 where nobody tells.
type place struct{ dev, mount uint64 }

func (d *Dir) place() (place, error) {
	st, err := d.Stat()
	if err != nil {
		return place{}, err
	}
	return place{st.Dev, d.mount()}, nil
}

// left reports whether a way down from p that has come to o has crossed into something that
// is mounted. The device does not tell that of a directory of the same file system; and the
// device of a btrfs subvolume is another one with nothing mounted. It counts where nobody
// knows the mounts.
func (p place) left(o place) bool {
	if p.mount == 0 || o.mount == 0 {
		return p.dev != o.dev
	}
	return p.mount != o.mount
}

// Holds is ErrMounted where o, which was opened below d, is something that is mounted there.
func (d *Dir) Holds(o *Dir) error {
	above, err := d.place()
	if err != nil {
		return err
	}
	return o.isBelow(above)
}

func (d *Dir) isBelow(above place) error {
	at, err := d.place()
	if err == nil && above.left(at) {
		err = fmt.Errorf("%s: %w; unmount it", d.path, ErrMounted)
	}
	return err
}

// SameMount reports whether entries can be renamed from d to o: the two are on one file
// system, under one mount of it. A doubt is a no.
func (d *Dir) SameMount(o *Dir) bool {
	a, aerr := d.place()
	b, berr := o.place()
	return aerr == nil && berr == nil && a == b && a.mount != 0
}

// mount is the number of the mount that the directory was opened under; 0 when nobody
// tells. A kernel before 5.8 tells it in /proc only: proc_pid_fdinfo(5).
func (d *Dir) mount() uint64 {
	var st unix.Statx_t
	err := unix.Statx(d.fd(), "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &st)
	if err == nil && st.Mask&unix.STATX_MNT_ID != 0 {
		return st.Mnt_id
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", d.fd()))
	if err != nil {
		return 0
	}
	return mountIn(string(text))
}

// mountIn is the number of the mount in a descriptor's fdinfo; 0 when it is not there.
func mountIn(fdinfo string) uint64 {
	_, rest, _ := strings.Cut(fdinfo, "mnt_id:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
