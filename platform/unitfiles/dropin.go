package unitfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// dropInName is the file in NAME.service.d; dropInHeader begins it, and says
// that it is ours to change and remove.
const (
	dropInName   = "50-tope-updater.conf"
	dropInHeader = "# Written by tope-updater (see its verb units). Changes here are lost.\n"
)

// dropIn makes a service start after recovery. Wants, never Requires: a recovery
// that failed must not keep the services from starting.
const dropIn = dropInHeader + `[Unit]
Wants=tope-updater-recover.service
After=tope-updater-recover.service
`

// dropIns plans the drop-ins of the version's services and, when asked to, of the
// configured ones and of the updater's own units. It also plans the removal of drop-ins that
// nothing needs any more. Those of the updater's own units are left as they are unless
// asked for: the sandbox in which the caller runs was made with them.
func (s *Store) dropIns(p *plan, entries []fs.DirEntry, services []string, configured bool) error {
	wanted := map[string]string{}
	for _, unit := range services {
		wanted[unit] = dropIn
	}
	own := s.cfg.Needs.dropIns()
	if configured {
		for _, unit := range s.cfg.Configured {
			wanted[unit] = dropIn
		}
		for unit, text := range own {
			if text != "" {
				wanted[unit] = text
			}
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(wanted)) {
		if err := s.writeDropIn(p, unit, wanted[unit]); err != nil {
			return err
		}
	}
	for _, e := range entries {
		unit, ok := strings.CutSuffix(e.Name(), ".d")
		_, isOwn := own[unit]
		_, isWanted := wanted[unit]
		if !ok || !e.IsDir() || isWanted || slices.Contains(s.cfg.Configured, unit) || isOwn && !configured {
			continue
		}
		file := filepath.Join(p.dir, e.Name(), dropInName)
		if tmp := disk.TempName(file); exists(tmp) {
			p.groups = append(p.groups, group{{Swept, tmp, func() error { return sweepDropIn(tmp) }}})
		}
		mine, err := ours(file, dropInHeader)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read a drop-in: %w", err)
		}
		if mine {
			p.groups = append(p.groups, group{{NoDropIn, file, func() error { return removeDropIn(file) }}})
		}
	}
	return nil
}

// writeDropIn plans a drop-in of a unit, unless it is there.
func (s *Store) writeDropIn(p *plan, unit, text string) error {
	file := filepath.Join(p.dir, unit+".d", dropInName)
	have, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read a drop-in: %w", err)
	}
	switch {
	case string(have) == text:
	case err == nil && !strings.HasPrefix(string(have), dropInHeader):
		p.left = append(p.left, Left{unit, file + " is not the updater's; it must say: " + strings.Join(strings.Fields(strings.TrimPrefix(text, dropInHeader)), " ")})
	default:
		p.groups = append(p.groups, group{{DropIn, file, func() error { return placeDropIn(file, text) }}})
	}
	return nil
}

// placeDropIn writes a drop-in durably, with its directory. On disk if the power
// goes now: an empty directory, or the drop-in, the old one or the new one, whole.
func placeDropIn(file, text string) error {
	if err := disk.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return disk.WriteFile(file, []byte(text), 0o644)
}

// removeDropIn removes a drop-in, and its directory when nothing else is in it.
func removeDropIn(file string) error {
	if err := removeFile(file); err != nil {
		return err
	}
	return removeEmpty(filepath.Dir(file))
}

// sweepDropIn removes the temporary of a drop-in whose writing was cut.
func sweepDropIn(tmp string) error {
	if err := disk.RemoveTree(tmp); err != nil {
		return err
	}
	return removeEmpty(filepath.Dir(tmp))
}

// removeEmpty removes a directory, unless somebody else's drop-ins are in it.
func removeEmpty(dir string) error {
	err := os.Remove(dir)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(dir))
}

func exists(host string) bool {
	_, err := os.Lstat(host)
	return err == nil
}
