package unitfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// header begins every unit file of ours, and is the only record that they are
// ours. Changing it would orphan the files that are on devices already.
const header = "# Comes with the current version (tope-updater). Changes here are lost: use a drop-in (systemctl edit).\n"

// etc is the directory of this device's own units, which take precedence over
// those of packages (see vendor).
const etc = "/etc/systemd/system"

// Config is what a Store works with.
type Config struct {
	Root disk.Root
	// Tree is the host path of a version's directory.
	Tree func(version string) string
	// Configured are the units of the configured services.
	Configured []string
	// Allow are the names of the units that releases may bring, and patterns of names
	// (path.Match); nil for any name that nobody has.
	Allow []string
	// Needs are what the updater's own units have to be told.
	Needs Needs
}

// Store is a device's unit files. Its methods may be called by several processes
// at the same time: the one that comes last decides.
type Store struct{ cfg Config }

// New returns a Store. It reads nothing yet.
func New(cfg Config) *Store { return &Store{cfg} }

// Carried returns the units of a version, by name. Other files in its systemd
// directory are left out: a version that came in a bundle has none, and one made
// by hand is taken as it is. An empty version has no units.
func (s *Store) Carried(version string) ([]Unit, error) {
	units, _, err := s.carried(version)
	if err != nil || len(units) == 0 {
		return units, err
	}
	dir, err := s.cfg.Root.Resolve(etc)
	if err != nil {
		return nil, err
	}
	for i, u := range units {
		links, err := linksTo(dir, u.Name)
		if err != nil {
			return nil, err
		}
		host := filepath.Join(dir, u.Name)
		info, err := os.Lstat(host)
		units[i].Enabled = len(links) > 0 && (err != nil || !masked(host, info))
	}
	return units, nil
}

func (s *Store) carried(version string) (units []Unit, left []Left, err error) {
	if version == "" {
		return nil, nil, nil
	}
	dir, names, err := openUnits(s.cfg.Tree(version))
	if errors.Is(err, errUnfit) {
		return nil, []Left{{Dir, errText(err)}}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the units of version %s: %w", version, err)
	}
	if dir == nil {
		return nil, nil, nil
	}
	defer func() { _ = dir.Close() }() // it was only read
	for _, name := range names {
		u, err := read(dir, name)
		if errors.Is(err, errUnfit) || err == nil && len(units) >= MaxUnits {
			left = append(left, Left{name, "not a unit a version may carry: " + errText(err)})
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read a unit of version %s: %w", version, err)
		}
		units = append(units, u)
	}
	return units, left, nil
}

// openUnits opens the directory of units in a version's tree, and lists its entries by
// name. dir is nil when the version has none. A link is not followed: what it leads to was
// not judged as units when the release came, and may be what a service writes to.
func openUnits(tree string) (dir *disk.Dir, names []string, err error) {
	top, err := disk.OpenDir(tree)
	if err == nil {
		dir, err = top.Open(Dir)
		err = errors.Join(err, top.Close())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case errors.Is(err, disk.ErrNotDirectory):
		return nil, nil, fmt.Errorf("%w: a link or a file, and not a directory of units", errUnfit)
	case err != nil:
		return nil, nil, err
	}
	if names, err = dir.File().Readdirnames(-1); err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	slices.Sort(names)
	return dir, names, nil
}

// CheckTexts refuses a version for a unit in its systemd directory that Carried would
// leave out. dir is the version's directory on disk; err says that it cannot be read.
func CheckTexts(dir string) (bad, err error) {
	units, names, err := openUnits(dir)
	if errors.Is(err, errUnfit) {
		return errors.New(Dir + ": " + errText(err)), nil
	}
	if err != nil || units == nil {
		return nil, err
	}
	defer func() { _ = units.Close() }() // it was only read
	for _, name := range names {
		if _, err := read(units, name); errors.Is(err, errUnfit) {
			return errors.New(errText(err)), nil
		} else if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

var errUnfit = errors.New("unfit")

func errText(err error) string {
	if err == nil {
		return fmt.Sprintf("more than %d", MaxUnits)
	}
	return strings.TrimPrefix(err.Error(), errUnfit.Error()+": ")
}

func read(dir *disk.Dir, name string) (Unit, error) {
	if err := CheckName(name); err != nil {
		return Unit{}, fmt.Errorf("%w: %w", errUnfit, err)
	}
	f, err := dir.OpenFile(name, os.O_RDONLY, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) { // a link, a socket
		return Unit{}, fmt.Errorf("%w: unit %s is not a regular file", errUnfit, name)
	}
	if err != nil {
		return Unit{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Unit{}, err
	}
	if !info.Mode().IsRegular() {
		return Unit{}, fmt.Errorf("%w: unit %s is not a regular file", errUnfit, name)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return Unit{}, err
	}
	if len(text) > MaxSize {
		return Unit{}, fmt.Errorf("%w: unit %s has more than the %d bytes that are allowed", errUnfit, name, MaxSize)
	}
	u, err := parse(name, text)
	if err != nil {
		return u, fmt.Errorf("%w: %w", errUnfit, err)
	}
	return u, nil
}

// Allows refuses a version that carries a forbidden file, a unit that the device's list
// does not have, or one with the name of one of the system's units. Names of an operator's
// units are the preflight's business (Collisions).
func (s *Store) Allows(files []File) error {
	if err := Check(files); err != nil {
		return err
	}
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Path, Dir+"/")
		if !ok {
			continue
		}
		why, err := s.mayBring(name)
		if err == nil && why == "" {
			var at string
			if at, err = s.systems(name); at != "" {
				why = "the system has one of this name, " + at
			}
		}
		switch {
		case err != nil:
			return err
		case why != "":
			return fmt.Errorf("unit %s: %s; a release may bring it where the device lists it, under [units] allow or as a [[service]]", name, why)
		}
	}
	return nil
}

// vendor returns the path of a package's unit of this name; "" when there is none.
func (s *Store) vendor(name string) (string, error) {
	for _, dir := range []string{"/usr/lib/systemd/system", "/lib/systemd/system"} {
		at := filepath.Join(dir, name)
		host, err := s.cfg.Root.Path(at)
		if err != nil {
			return "", err
		}
		if _, err := os.Lstat(host); err == nil {
			return at, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// linksTo lists the links by which something wants or requires a unit.
func linksTo(dir, unit string) ([]string, error) {
	var links []string
	for _, kind := range []string{".wants", ".requires"} {
		found, err := filepath.Glob(filepath.Join(globSafe(dir), "*"+kind, unit))
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			if info, err := os.Lstat(l); err == nil && info.Mode().Type() == fs.ModeSymlink {
				links = append(links, l)
			}
		}
	}
	return links, nil
}

// globSafe quotes what filepath.Glob would take for a pattern.
func globSafe(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// ours says whether a file begins with head, as our files do.
func ours(path, head string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	got := make([]byte, len(head))
	_, err = io.ReadFull(f, got)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return bytes.Equal(got, []byte(head)), err
}
