package figures_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pair is two consecutive releases of software that others publish. Nothing of it
// is in the repository: it is fetched from its package registry at the first use,
// and kept below the user's cache directory.
type pair struct {
	name     string
	old, new published
	// script trees change little from release to release, programs everywhere.
	script bool
}

// published is a release as in its registry; fetch writes its files to dir.
type published struct {
	version string
	fetch   func(b *testing.B, dir string)
}

func pairs() []pair {
	npm := func(name string, script bool, v1, sum1, v2, sum2 string) pair {
		return pair{name, published{v1, fromNPM(name, v1, sum1)}, published{v2, fromNPM(name, v2, sum2)}, script}
	}
	program := func(name, module, v1, v2 string) pair {
		return pair{name, published{v1, fromGo(module, v1)}, published{v2, fromGo(module, v2)}, false}
	}
	const task = "github.com/go-task/task/v3/cmd/task"
	return []pair{
		npm("typescript", true,
			"5.6.2", "6e954963e7689a13573927021cf1fe2d7f85d7808eba49f03f84cb5d77cdd6bf",
			"5.6.3", "ef67f8d8ad895858024b7339d3e34bf112cae3c5db1f538c3079038b17ae30fa"),
		npm("next", true,
			"15.1.0", "34c69a9dac143df488b2aac453e684ca0c3974a7245181298fc47d4b938aa3b7",
			"15.1.1", "c8e69c23e1f93917006ef087a6bd6a33b6aa01deef81fc28158d146786f74f71"),
		program("task", task, "3.40.0", "3.40.1"),
		// Not a patch release: the program grew by a quarter.
		program("task", task, "3.39.2", "3.40.0"),
	}
}

func (p pair) String() string {
	return fmt.Sprintf("%s %s → %s", p.name, p.old.version, p.new.version)
}

// metric names the pair in the benchmark's output.
func (p pair) metric(what string) string { return what + "-" + p.name + "-" + p.new.version }

// cache is the directory for fetched releases and things made of them.
func cache(b *testing.B) string {
	b.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "tope-figures")
	require.NoError(b, os.MkdirAll(dir, 0o755))
	return dir
}

// once makes the directory name in the cache, if it is not there. A directory
// appears under its name only when it is complete.
func once(b *testing.B, name string, fill func(dir string)) string {
	b.Helper()
	final := filepath.Join(cache(b), name)
	if _, err := os.Stat(final); err == nil {
		return final
	}
	require.NoError(b, os.MkdirAll(filepath.Dir(final), 0o755))
	tmp, err := os.MkdirTemp(filepath.Dir(final), ".making-")
	require.NoError(b, err)
	defer os.RemoveAll(tmp)
	fill(tmp)
	require.NoError(b, os.Chmod(tmp, 0o755))
	require.NoError(b, os.Rename(tmp, final))
	return final
}

// tree is the directory of a published release's files.
func (p published) tree(b *testing.B, name string) string {
	return once(b, filepath.Join("releases", name+"-"+p.version+"-"+runtime.Version()), func(dir string) { p.fetch(b, dir) })
}

func fromNPM(name, version, digest string) func(*testing.B, string) {
	return func(b *testing.B, dir string) {
		url := fmt.Sprintf("https://registry.npmjs.org/%s/-/%s-%s.tgz", name, name, version)
		packed := filepath.Join(b.TempDir(), "package.tgz")
		out, err := os.Create(packed)
		require.NoError(b, err)
		defer out.Close()
		answer, err := http.Get(url)
		require.NoError(b, err)
		defer answer.Body.Close()
		require.Equal(b, http.StatusOK, answer.StatusCode, url)
		sum := sha256.New()
		_, err = io.Copy(io.MultiWriter(out, sum), answer.Body)
		require.NoError(b, err)
		require.Equal(b, digest, hex.EncodeToString(sum.Sum(nil)), "%s is not what it was", url)
		_, err = out.Seek(0, io.SeekStart)
		require.NoError(b, err)
		require.NoError(b, untar(out, dir), url)
	}
}

// untar unpacks an npm package: plain files below one directory.
func untar(in io.Reader, dir string) error {
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, ok := strings.Cut(h.Name, "/")
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|fs.FileMode(h.Mode)&0o111) //nolint:gosec // masked
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// fromGo builds a program as a publisher does: static, stripped, no paths of
// this machine in it.
func fromGo(pkg, version string) func(*testing.B, string) {
	return func(b *testing.B, dir string) {
		cmd := exec.Command("go", "install", "-trimpath", "-ldflags=-s -w", pkg+"@v"+version)
		cmd.Dir = b.TempDir() // not in this module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+filepath.Join(dir, "bin"), "GOFLAGS=-buildvcs=false")
		text, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s: %s", cmd, text)
	}
}

// digestOfTree is the same for the same paths, modes and contents.
func digestOfTree(b *testing.B, dirs ...string) string {
	b.Helper()
	sum := sha256.New()
	for _, dir := range dirs {
		require.NoError(b, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			fmt.Fprintln(sum, strings.TrimPrefix(p, dir), info.Mode(), info.Size())
			in, err := os.Open(p)
			if err != nil {
				return err
			}
			defer in.Close()
			_, err = io.Copy(sum, in)
			return err
		}))
		fmt.Fprintln(sum)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
