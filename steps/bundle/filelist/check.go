package filelist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/versions"
)

// ErrDiffers means that the tree on disk does not match the list.
var ErrDiffers = errors.New("the files on disk are not what was extracted")

// Summary counts the entries of a list, and their bytes.
type Summary struct {
	Files int   `json:"files"`
	Dirs  int   `json:"dirs"`
	Links int   `json:"links"`
	Bytes int64 `json:"bytes"`
}

// Count adds one entry.
func (s *Summary) Count(f versions.File) {
	switch f.Type {
	case versions.TypeDir:
		s.Dirs++
	case versions.TypeLink:
		s.Links++
	default:
		s.Files++
		s.Bytes += f.Size
	}
}

func (s *Summary) entries() int { return s.Files + s.Dirs + s.Links }

// Check compares the tree at staging with the list in dir: every listed entry is there
// with its type, size, mode, capabilities and target, and nothing else is there. It reads no
// content. It calls each for every entry; each may be nil. It returns os.ErrNotExist
// for an absent tree or list; see also ErrTorn and ErrDiffers.
func Check(ctx context.Context, dir, staging string, each func(versions.File) error) (Head, Summary, error) {
	var sum Summary
	// A link is not followed: it leads to another tree.
	info, err := os.Lstat(staging)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: %w: it is not a directory", staging, ErrDiffers)
	}
	if err != nil {
		return Head{}, sum, fmt.Errorf("look at the staged files: %w", err)
	}
	root, err := os.OpenRoot(staging)
	if err != nil {
		return Head{}, sum, fmt.Errorf("open the staged files: %w", err)
	}
	defer root.Close()
	head, err := Read(dir, func(f versions.File) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		sum.Count(f)
		if err := same(root, f); err != nil {
			return err
		}
		if each == nil {
			return nil
		}
		return each(f)
	})
	if err != nil {
		return head, sum, err
	}
	found := -1 // the root itself is not listed
	err = disk.Walk(root, func(path string, _ fs.FileInfo) error {
		// A publication that was cut may have put the manifest there already.
		if path != versions.ManifestName && path != "."+versions.ManifestName+disk.TempSuffix {
			found++
		}
		return context.Cause(ctx)
	}, nil)
	if err == nil && found != sum.entries() {
		err = fmt.Errorf("%s: %w: %d entries, not %d", staging, ErrDiffers, found, sum.entries())
	}
	return head, sum, err
}

func same(root *os.Root, f versions.File) error {
	info, err := root.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrDiffers, f.Path)
	}
	if err != nil {
		return err
	}
	differs := func(what string, is, want any) error {
		return fmt.Errorf("%w: %s: %s is %v, not %v", ErrDiffers, f.Path, what, is, want)
	}
	switch mode := info.Mode(); f.Type {
	case versions.TypeDir:
		if !mode.IsDir() {
			return differs("type", mode.Type(), f.Type)
		}
	case versions.TypeLink:
		target, err := root.Readlink(f.Path)
		if err != nil || target != f.Target {
			return differs("target", target, f.Target)
		}
	default:
		switch {
		case !mode.IsRegular():
			return differs("type", mode.Type(), f.Type)
		case info.Size() != f.Size:
			return differs("size", info.Size(), f.Size)
		case mode&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != fs.FileMode(f.Mode):
			return differs("mode", mode, fs.FileMode(f.Mode))
		}
		caps, err := filecaps.Of(filepath.Join(root.Name(), filepath.FromSlash(f.Path)))
		switch {
		case errors.Is(err, filecaps.ErrForeign):
			return fmt.Errorf("%w: %w", ErrDiffers, err)
		case err != nil:
			return err
		case caps != f.Capabilities:
			return differs("capabilities", caps, f.Capabilities)
		}
	}
	return nil
}
