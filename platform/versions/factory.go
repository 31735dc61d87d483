package versions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/filecaps"
)

// FactoryReport says what CreateFactory found and did.
type FactoryReport struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
	// Adopted: the version was made by hand and has its manifest only now.
	Adopted bool `json:"adopted"`
	// Replaced is the version the pointer led to before; empty when there was
	// none or it was the same.
	Replaced string `json:"replaced,omitempty"`
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
	// Programs were found startable.
	Programs int `json:"programs"`
	// Problems are why it was refused: files that changed, programs that
	// cannot be started.
	Problems []Problem `json:"problems"`
}

// CreateFactory makes a version the one that a device falls back to when all
// else has failed. Before the pointer is set, the version's write bits are cleared,
// every file is read back from the disk (ErrMismatch), and its programs are
// checked to be startable (ErrNotExecutable): a factory version that cannot run
// is worse than none. So is one with a link out of it into the tree (ErrStrayLink). A
// version made by hand with setuid, setgid or sticky files is refused (ErrSpecialBits);
// another one gets a manifest and is complete from then on. When a factory version is
// set already, another one needs replace (ErrFactorySet).
func (s *Store) CreateFactory(ctx context.Context, version string, replace bool) (FactoryReport, error) {
	report := FactoryReport{Version: version, Problems: []Problem{}}
	if err := s.usable(version); err != nil {
		return report, err
	}
	pointers, err := s.Pointers()
	if err != nil {
		return report, err
	}
	if pointers.Factory != version {
		leads, taken, err := s.Raw(Factory)
		if err != nil {
			return report, err
		}
		if taken && !replace {
			return report, fmt.Errorf("%w: %s; use --replace to replace it", ErrFactorySet, leads)
		}
		report.Replaced = pointers.Factory
	}
	if err := s.fitForFactory(ctx, version, &report); err != nil {
		return report, fmt.Errorf("version %s as factory: %w", version, err)
	}
	return report, s.Point(Factory, version)
}

func (s *Store) fitForFactory(ctx context.Context, version string, report *FactoryReport) error {
	dir := s.Path(version)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// Before anything is sealed: the manifest of a version made by hand would have it.
	problems, err := s.withoutStrayLinks(version)
	if err != nil {
		report.Problems = append(report.Problems, problems...)
		return err
	}
	if report.Programs, problems, err = s.programs(root); err != nil {
		return err
	}
	if len(problems) > 0 {
		report.Problems = problems
		return fmt.Errorf("%s: %w: %s", dir, ErrNotExecutable, problems[0])
	}
	state, err := s.State(version)
	if err != nil {
		return err
	}
	if state == Unverified {
		// A manifest cannot tell of these bits, and clearing them takes from the
		// programs what somebody gave them.
		if problems, err = specialBits(root); err != nil {
			return err
		}
		if len(problems) > 0 {
			report.Problems = problems
			return fmt.Errorf("%s: %w: %s; chmod them away, and give the program capabilities instead (setcap)", dir, ErrSpecialBits, problems[0])
		}
	}
	// If the power goes while write bits are cleared, nothing is lost: the next
	// call clears the rest.
	if err := seal(root); err != nil {
		return err
	}
	if state == Unverified {
		if err := s.adopt(ctx, root, version); err != nil {
			return err
		}
		report.Adopted = true
	}
	v, err := s.Verify(ctx, version)
	if err != nil {
		return err
	}
	report.Digest, report.Files, report.Bytes = v.Digest, v.Files, v.Bytes
	if !v.OK() {
		report.Problems = v.Problems
		return mismatch(dir, v.Problems)
	}
	return nil
}

// specialBits lists the files that are setuid, setgid or sticky.
func specialBits(root *os.Root) (problems []Problem, err error) {
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		if info.Mode().IsRegular() && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			problems = append(problems, Problem{Path: name, Kind: Changed, Text: fmt.Sprintf("mode %v", info.Mode())})
		}
		return nil
	}, nil)
	return problems, err
}

// adopt gives a version that was made by hand a manifest of what is in it now.
func (s *Store) adopt(ctx context.Context, root *os.Root, version string) error {
	dir := s.Path(version)
	manifest := filepath.Join(dir, ManifestName)
	// A sealed directory takes no new file. If the power goes before it is
	// sealed again, the version is as usable as before, and the next
	// CreateFactory seals it.
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	if err := disk.RemoveTree(disk.TempName(manifest)); err != nil {
		return err
	}
	m := &Manifest{Version: version, Created: s.cfg.Clock.Now().UTC()}
	var err error
	if m.Files, err = describe(ctx, root); err != nil {
		return err
	}
	m.normalise()
	text, err := json.Marshal(m.Files)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	m.Digest = "tree:" + hex.EncodeToString(sum[:])
	data, err := m.encode()
	if err != nil {
		return err
	}
	// Files first: were the manifest on disk before them, a cut could leave a
	// version that calls itself complete and is not.
	if err := disk.SyncFS(ctx, dir); err != nil {
		return err
	}
	// From here on it is complete, or, if the power goes, still adopted.
	if err := disk.WriteFile(manifest, data, 0o444); err != nil {
		return err
	}
	if err := root.Chmod(".", 0o555); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

// describe lists what is in a tree, with digests, as a manifest has it.
func describe(ctx context.Context, root *os.Root) ([]File, error) {
	var files []File
	err := disk.Walk(root, func(name string, info fs.FileInfo) error {
		if name == "." {
			return nil
		}
		f := File{Path: name, Type: typeOf(info), Mode: uint32(info.Mode().Perm())}
		var err error
		switch f.Type {
		case TypeDir:
		case TypeLink:
			f.Mode = 0
			f.Target, err = root.Readlink(name)
		case TypeFile:
			if f.Capabilities, err = filecaps.Of(filepath.Join(root.Name(), name)); err == nil {
				f.SHA256, f.Size, _, err = hashFile(ctx, root, name)
			}
		default:
			err = errors.New("neither a file, a directory nor a link; remove it")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", strings.TrimPrefix(name, "./"), err)
		}
		files = append(files, f)
		return nil
	}, nil)
	return files, err
}
