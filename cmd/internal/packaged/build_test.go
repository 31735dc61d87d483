package packaged_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// Versions of the updater itself; those of the device's software are others.
const (
	older = "v1.0.0"
	newer = "v1.1.0"
)

// built is what all tests share.
type built struct {
	fixtures.Programs
	dir string
}

var build = sync.OnceValues(func() (*built, error) {
	dir, err := os.MkdirTemp("", "packaged-")
	if err != nil {
		return nil, err
	}
	b := &built{dir: dir}
	for _, version := range []string{older, newer} {
		cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath",
			"-ldflags", "-s -w -X main.version="+version, "-o", b.updater(version), "./cmd/tope-updater")
		cmd.Dir, cmd.Env = top(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("cannot build the updater: %w\n%s", err, out)
		}
	}
	b.Programs, err = fixtures.Build(context.Background(), dir)
	return b, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := build(); err == nil {
		_ = os.RemoveAll(b.dir) // in the directory for temporary files
	}
	os.Exit(code)
}

func programs(t *testing.T) *built {
	t.Helper()
	b, err := build()
	require.NoError(t, err)
	return b
}

// updater is the program of a version, where build.sh looks for it too.
func (b *built) updater(version string) string {
	return filepath.Join(b.dir, version, "tope-updater-linux-"+runtime.GOARCH)
}

// pack builds the package of a version with the project's script.
func (b *built) pack(t *testing.T, version string) (deb string) {
	t.Helper()
	dist := t.TempDir()
	require.NoError(t, os.Symlink(b.updater(version), filepath.Join(dist, filepath.Base(b.updater(version)))))
	return packInto(t, dist, "tope-updater", version)
}

func packInto(t *testing.T, dist, name, version string) (deb string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "deploy/deb/build.sh", name, runtime.GOARCH, version)
	cmd.Dir, cmd.Env = top(), append(os.Environ(), "DIST="+dist, "COMPRESSION=none")
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// top is the project's directory.
func top() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../..")
}
