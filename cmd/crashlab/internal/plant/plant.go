package plant

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Copy copies the source files of the tree at from to to, and no others.
func Copy(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || rel == "bin" || rel == "dist"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
}

// Plant makes the bug's edit in the source tree; restore takes it back.
func (b Bug) Plant(source string) (restore func() error, err error) {
	path := filepath.Join(source, b.File)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("plant %q: %w", b.Name, err)
	}
	if n := strings.Count(string(data), b.Old); n != 1 {
		return nil, fmt.Errorf("plant %q: %s has %d places for it, not one; the source has changed, change the bug with it", b.Name, b.File, n)
	}
	text := strings.Replace(string(data), b.Old, b.New, 1)
	restore = func() error { return os.WriteFile(path, data, 0o644) }
	return restore, os.WriteFile(path, []byte(text), 0o644)
}

// Build builds the updater of a source tree as the Makefile does, so that Go's cache has
// all but what a bug has changed.
func Build(ctx context.Context, source, to string) error {
	flags, err := os.ReadFile(filepath.Join(source, "tools/buildflags"))
	if err != nil {
		return err
	}
	args := slices.Concat([]string{"build"}, strings.Fields(string(flags)), []string{"-o", to, "./cmd/tope-updater"})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return nil
}
