package builttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// Version is the version of a program when the test does not care.
const Version = "v0.0.0-test"

// Updater is the path of the device program for this machine, built with that version.
func Updater(t testing.TB, version string) string {
	t.Helper()
	return Program(t, "tope-updater", version)
}

// Program is the path of a program in cmd for this machine, or for another one
// when env has GOARCH and its like.
func Program(t testing.TB, name, version string, env ...string) string {
	t.Helper()
	return filepath.Join(build(t, "-X main.version="+version, env, "./cmd/"+name), name)
}

// Services are the programs that releases are made of.
func Services(t testing.TB) fixtures.Programs {
	t.Helper()
	p, err := fixtures.Prebuilt(services(t))
	if err != nil {
		t.Fatalf("cannot read the services: %v", err)
	}
	return p
}

// Service is the path of one of these programs.
func Service(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(services(t), name)
}

func services(t testing.TB) (dir string) {
	t.Helper()
	return build(t, "", nil, "./cmd/internal/fixtures/"+fixtures.DeviceAPI, "./cmd/internal/fixtures/"+fixtures.WebServer)
}

// Top is the directory of the module's source.
func Top() string {
	_, file, _, _ := runtime.Caller(0)
	if filepath.IsAbs(file) {
		return filepath.Join(filepath.Dir(file), "../../..")
	}
	// Paths are trimmed. A test runs in its package's directory.
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	panic("builttest: not inside the source: the programs cannot be built here")
}

// made has the builds of this process: two tests that want the same program wait for one build.
var made sync.Map // of func() (string, error), by the thing built

func build(t testing.TB, ldflags string, env []string, packages ...string) (dir string) {
	t.Helper()
	key := strings.Join(append(append([]string{ldflags}, env...), packages...), " ")
	once, _ := made.LoadOrStore(key, sync.OnceValues(func() (string, error) { return compile(key, ldflags, env, packages) }))
	dir, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("cannot build %s: %v", strings.Join(packages, " and "), err)
	}
	return dir
}

func compile(key, ldflags string, env, packages []string) (dir string, err error) {
	top := Top()
	if err := watch(top); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(top + " " + key))
	dir = filepath.Join(cache, "tope-updater", "programs", hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// One process builds it; the others find it up to date.
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	flags, err := Flags(top)
	if err != nil {
		return "", err
	}
	args := slices.Concat([]string{"build"}, flags, []string{"-ldflags", "-s -w " + ldflags, "-o", dir + "/"}, packages)
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir, cmd.Env = top, append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
}

// Flags are those with which the Makefile of a source tree builds what is shipped.
func Flags(top string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(top, "tools/buildflags"))
	return strings.Fields(string(text)), err
}

// watch opens the directories of the source. The go command takes them for a part
// of the test: it does not answer from its cache of results when the name, size
// or time of any file there has changed.
func watch(top string) error {
	return filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || path == top {
			return err
		}
		if name := e.Name(); strings.HasPrefix(name, ".") || name == "bin" || name == "dist" {
			return fs.SkipDir
		}
		return nil
	})
}
