package unitfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
)

// keptSuffix ends the names of files that were put aside. These begin with a
// dot; systemd does not take them for units.
const keptSuffix = ".kept"

func keptName(host string) string {
	return filepath.Join(filepath.Dir(host), "."+filepath.Base(host)+keptSuffix)
}

// pendingSuffix ends the name of a unit's file while its links are being made or
// taken away: as long as it is there, links to a unit that does not exist are ours.
const pendingSuffix = ".pending"

func pendingName(host string) string {
	return filepath.Join(filepath.Dir(host), "."+filepath.Base(host)+pendingSuffix)
}

// masked says whether the operator has masked the unit: a link to /dev/null, or
// an empty file.
func masked(host string, info fs.FileInfo) bool {
	if info.Mode().IsRegular() {
		return info.Size() == 0
	}
	target, err := os.Readlink(host)
	return err == nil && filepath.Clean(target) == os.DevNull
}

// content reads a unit file and tells whether it is ours. A link is somebody
// else's, wherever it leads.
func content(host string, info fs.FileInfo) (text []byte, mine bool, err error) {
	if !info.Mode().IsRegular() || info.Size() > 2*MaxSize {
		return nil, false, nil
	}
	if text, err = os.ReadFile(host); err != nil {
		return nil, false, fmt.Errorf("cannot read a unit file: %w", err)
	}
	return text, bytes.HasPrefix(text, []byte(header)), nil
}

func sameFile(path string, info fs.FileInfo) bool {
	other, err := os.Lstat(path)
	return err == nil && os.SameFile(info, other)
}

// keep gives a file a second name, durably, and leaves it where it is: at no
// instant is the unit gone. It replaces a file that was kept before: the operator
// has put another in its place since.
func keep(host, aside string) error {
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(host, aside); err != nil {
		return fmt.Errorf("cannot keep the file that is there: %w", err)
	}
	// If the power goes now, both names lead to the operator's file, or one does.
	return disk.SyncDir(filepath.Dir(host))
}

// rename gives a file another name, durably. If the power goes now, the file has
// one of the two names; a file that had the new name is there or replaced.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(to))
}

// removeFile removes a file durably; if the power goes now, it is there or not.
func removeFile(host string) error {
	if err := os.Remove(host); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.SyncDir(filepath.Dir(host))
}

// enable makes a link as systemctl enable does.
func enable(link, target string) error {
	if err := disk.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	return disk.SwapLink(link, target)
}
