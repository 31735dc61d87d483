package versions

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
)

// Config says where things are. All paths are the device's.
type Config struct {
	Root disk.Root
	// Versions holds the versions and the pointers.
	Versions string
	// Services and Bin get the links to the current version's services and programs.
	Services, Bin string
	// Shared is the one place outside itself that a version may have links to.
	Shared string
	// Clock stamps manifests; the system's when nil.
	Clock clock.Clock
	// Create makes a versions directory that is missing, durably. Without it
	// a missing one reads as an empty one: at boot it may just not be mounted
	// yet, and must not be made on the file system below its mount point.
	Create bool
}

// Store is the versions directory. Every answer is read from the disk; all it
// remembers is which manifests it has found sound. Reading methods are safe for
// concurrent use; of the others one may run at a time.
type Store struct {
	cfg   Config
	dir   string // host path of versions/, symlinks resolved
	dev   string // the same as the device sees it
	sound memory
}

// Open finds the versions directory, or makes it (Config.Create).
func Open(cfg Config) (*Store, error) {
	dir, err := cfg.Root.Resolve(cfg.Versions)
	if err != nil {
		return nil, fmt.Errorf("versions directory: %w", err)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("versions directory %s: not a directory", dir)
	case errors.Is(err, fs.ErrNotExist) && cfg.Create:
		err = disk.MkdirAll(dir, 0o755)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("versions directory: %w", err)
	}
	// Links are judged by where they really lead, so Shared must be, too.
	if cfg.Shared != "" {
		shared, err := cfg.Root.Resolve(cfg.Shared)
		if err != nil {
			return nil, fmt.Errorf("shared directory: %w", err)
		}
		cfg.Shared = cfg.Root.Device(shared)
	}
	return &Store{cfg: cfg, dir: dir, dev: cfg.Root.Device(dir)}, nil
}

// Dir is the host path of the versions directory.
func (s *Store) Dir() string { return s.dir }

// Path is the host path of a version's directory, whether it exists or not.
func (s *Store) Path(version string) string { return filepath.Join(s.dir, "v"+version) }

// Info is what is known of a version without reading its files.
type Info struct {
	Version string `json:"version"`
	State   State  `json:"state"`
	// Problem says why a version is damaged.
	Problem string `json:"problem,omitempty"`
	Digest  string `json:"digest,omitempty"`
	// Files and Bytes are of regular files, as in a Verification.
	Bytes int64 `json:"bytes"`
	Files int   `json:"files"`
	Epoch int64 `json:"epoch,omitempty"`
	// Created is when it was published; the directory's own time when it was adopted.
	Created time.Time `json:"created,omitzero"`
	// Pointers that lead to it, by name.
	Pointers []string `json:"pointers"`
}

// State says what a version's directory is, by its manifest alone: Verify reads
// the files. An error means that the disk could not be read, not that the
// version is bad; the state is then Damaged.
func (s *Store) State(version string) (State, error) {
	found, err := s.inspect(version)
	return found.state, err
}

// Manifest is a complete version's manifest. ErrNotFound when there is no such
// version, ErrNoManifest when it was made by hand, ErrDamaged when it is.
func (s *Store) Manifest(version string) (*Manifest, error) {
	found, err := s.inspect(version)
	switch {
	case err != nil:
		return nil, err
	case found.state == Missing:
		return nil, fmt.Errorf("%s: %w", s.Path(version), ErrNotFound)
	case found.state == Unverified:
		return nil, fmt.Errorf("%s: %w", s.Path(version), ErrNoManifest)
	case found.state == Damaged:
		return nil, fmt.Errorf("%s: %w: %s", s.Path(version), ErrDamaged, found.problem)
	}
	return found.manifest, nil
}

type finding struct {
	state    State
	manifest *Manifest // when Complete
	problem  string    // when Damaged
}

func (s *Store) inspect(version string) (finding, error) {
	damaged := func(problem string) finding { return finding{state: Damaged, problem: problem} }
	if err := ValidVersion(version); err != nil {
		return finding{state: Missing}, err
	}
	dir := s.Path(version)
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{state: Missing}, nil
	case err != nil:
		return damaged(err.Error()), err
	case !info.IsDir():
		return damaged("not a directory"), nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return damaged(err.Error()), fmt.Errorf("open version: %w", err)
	}
	defer root.Close()
	seen, ok := stampOf(dir)
	m, err := readManifest(root)
	switch {
	case errors.Is(err, ErrDamaged):
		return damaged(err.Error()), nil
	case errors.Is(err, fs.ErrNotExist):
		return adopted(root)
	case err != nil:
		return damaged(err.Error()), err
	case m.Version != version:
		return damaged(fmt.Sprintf("its manifest is of version %s", m.Version)), nil
	}
	if ok {
		s.sound.keep(version, seen)
	}
	return finding{state: Complete, manifest: m}, nil
}

// adopted judges a version without a manifest. An empty directory is not a
// version: making it current would leave the device with nothing.
func adopted(root *os.Root) (finding, error) {
	f, err := root.Open(".")
	if err != nil {
		return finding{state: Damaged, problem: err.Error()}, err
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return finding{state: Damaged, problem: "the directory is empty"}, nil
	}
	if err != nil {
		return finding{state: Damaged, problem: err.Error()}, err
	}
	return finding{state: Unverified}, nil
}

// List is every vX.Y.Z in the versions directory, newest first.
func (s *Store) List() ([]Info, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	uses, err := s.uses()
	if err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(names))
	for _, version := range names {
		info, err := s.info(version)
		if err != nil {
			info.Problem = err.Error() // one unreadable version does not hide the others
		}
		info.Pointers = slices.DeleteFunc(append([]string{}, uses[version]...), func(u string) bool { return u == marker })
		list = append(list, info)
	}
	return list, nil
}

func (s *Store) info(version string) (Info, error) {
	found, err := s.inspect(version)
	info := Info{Version: version, State: found.state, Problem: found.problem}
	if m := found.manifest; m != nil {
		info.Digest, info.Epoch, info.Created = m.Digest, m.Epoch, m.Created
		info.Bytes, info.Files = m.Bytes(), m.regular()
	}
	if err != nil || found.state != Unverified {
		return info, err
	}
	root, err := os.OpenRoot(s.Path(version))
	if err != nil {
		return info, err
	}
	defer root.Close()
	err = disk.Walk(root, func(name string, fi fs.FileInfo) error {
		if name == "." {
			info.Created = fi.ModTime().UTC()
			return nil
		}
		if fi.Mode().IsRegular() {
			info.Files++
			info.Bytes += fi.Size()
		}
		return nil
	}, nil)
	return info, err
}

// names is the versions there are, newest first, damaged ones included.
func (s *Store) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	var names []string
	for _, e := range entries {
		if v, ok := versionName(e.Name()); ok {
			names = append(names, v)
		}
	}
	sort.Slice(names, func(i, j int) bool { return Compare(names[i], names[j]) > 0 })
	return names, nil
}

// versionName is the version a directory of this name holds.
func versionName(name string) (string, bool) {
	v, ok := strings.CutPrefix(name, "v")
	return v, ok && ValidVersion(v) == nil
}
