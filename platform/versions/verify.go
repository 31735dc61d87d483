package versions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"

	"github.com/tope/updater/platform/disk"
)

// Verification is what reading a whole version back from the disk showed.
type Verification struct {
	Version string `json:"version"`
	State   State  `json:"state"`
	Digest  string `json:"digest,omitempty"`
	// Files and Bytes were read.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Direct says that every file was read past the page cache; otherwise the
	// cache was dropped first, which programs that run can prevent.
	Direct   bool      `json:"direct"`
	Problems []Problem `json:"problems"`
}

// OK reports whether nothing wrong was found. For an unverified version that only
// means that its files can be read: there is nothing to compare with.
func (v Verification) OK() bool { return v.State.Usable() && len(v.Problems) == 0 }

// Verify reads every file of a version from the disk, past the page cache, and
// compares with the manifest: what is missing, extra or changed, in content,
// size, type, mode, capabilities or target, is listed. A file that cannot be read is a
// problem, not an error. ErrNotFound when there is no such version; the cause of
// ctx when it ends.
func (s *Store) Verify(ctx context.Context, version string) (Verification, error) {
	found, err := s.inspect(version)
	v := Verification{Version: version, State: found.state, Direct: true, Problems: []Problem{}}
	switch {
	case err != nil:
		return v, err
	case found.state == Missing:
		return v, fmt.Errorf("%s: %w", s.Path(version), ErrNotFound)
	case found.state == Damaged:
		v.Problems = append(v.Problems, Problem{Path: ".", Kind: Changed, Text: found.problem})
		return v, nil
	}
	// What is not written back yet cannot be read from the disk.
	if err := disk.SyncFS(ctx, s.Path(version)); err != nil {
		return v, err
	}
	root, err := os.OpenRoot(s.Path(version))
	if err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	defer root.Close()
	if m := found.manifest; m != nil {
		v.Digest = m.Digest
		err = v.against(ctx, root, m)
	} else {
		err = v.readable(ctx, root)
	}
	if err != nil {
		return v, fmt.Errorf("verify %s: %w", s.Path(version), err)
	}
	return v, nil
}

// Compare looks at every entry of a complete version without reading a content, and
// lists what is missing, extra, or of another type, size, mode, target or capabilities
// than its manifest says. ErrNotFound and ErrNoManifest as for Manifest.
func (s *Store) Compare(version string) ([]Problem, error) {
	m, err := s.Manifest(version)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(s.Path(version))
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	defer root.Close()
	return compare(root, m, published)
}

func (v *Verification) against(ctx context.Context, root *os.Root, m *Manifest) error {
	problems, err := compare(root, m, published)
	if err != nil {
		return err
	}
	v.Problems = append(v.Problems, problems...)
	bad := make(map[string]bool, len(problems))
	for _, p := range problems {
		bad[p.Path] = true
	}
	for _, f := range m.Files {
		if f.Type != TypeFile || bad[f.Path] {
			continue
		}
		sum, err := v.read(ctx, root, f.Path)
		if err != nil {
			return err
		}
		if sum != "" && sum != strings.ToLower(f.SHA256) {
			v.Problems = append(v.Problems, Problem{Path: f.Path, Kind: Changed, Text: "another content"})
		}
	}
	sort.SliceStable(v.Problems, func(i, j int) bool { return v.Problems[i].Path < v.Problems[j].Path })
	return nil
}

func (v *Verification) readable(ctx context.Context, root *os.Root) error {
	return disk.Walk(root, func(name string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return nil
		}
		_, err := v.read(ctx, root, name)
		return err
	}, nil)
}

// read hashes one file and counts it. One that cannot be read becomes a problem
// and has no sum; the only error is the end of ctx.
func (v *Verification) read(ctx context.Context, root *os.Root, name string) (string, error) {
	sum, n, direct, err := hashFile(ctx, root, name)
	v.Files++
	v.Bytes += n
	v.Direct = v.Direct && direct
	if err == nil {
		return sum, nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	v.Problems = append(v.Problems, Problem{Path: name, Kind: Unreadable, Text: err.Error()})
	return "", nil
}

// hashFile is the SHA-256 of a file as it is on the disk.
func hashFile(ctx context.Context, root *os.Root, name string) (sum string, n int64, direct bool, err error) {
	f, err := disk.OpenDirect(root, name)
	if err != nil {
		return "", 0, false, err
	}
	h := sha256.New()
	n, err = io.Copy(h, untilDone{ctx, f})
	direct = f.Bypassed()
	if err := errors.Join(err, f.Close()); err != nil {
		return "", n, direct, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, direct, nil
}

// untilDone ends a read between blocks when ctx ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(p)
}
