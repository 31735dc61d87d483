package figures_test

import (
	"archive/zip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
)

// The roles this program can play as another process.
const (
	roleEnv      = "FIGURES_ROLE"
	roleBare     = "bare"
	roleConstant = "constant"
	rolePoller   = "poller"
	roleCrowd    = "crowd"
	roleUnpack   = "unpack"
)

// role is this program in a role.
func role(name string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), roleEnv+"="+name), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// staged: the time from the request to a published version, against the same work done bare.
func staged(b *testing.B, l *lab) []row {
	src := l.offer(b, ordinary())
	var ours, floor []time.Duration
	for range 7 {
		d := l.boot(b, nobody(), fixtures.Release{})
		ours = append(ours, took(b, d.install(b, src), engine.Staging))
		d.scrap(b)
		floor = append(floor, bare(b, l, src))
	}
	return []row{against("staged", "Requested → Staged, 100 MB in 20 files, against GET, MD5, unzip, syncfs", median(ours), median(floor), 1.3)}
}

// bare has another process do the work of an update up to Staged, with nothing but
// Go's library; it tells how long that took, without the start of the process.
func bare(b *testing.B, l *lab, src steps.Source) time.Duration {
	dir, err := os.MkdirTemp(l.dir, "bare-")
	require.NoError(b, err)
	out, err := role(roleBare, "FIGURES_URL="+src.URL.Unredacted(), "FIGURES_MD5="+src.MD5, "FIGURES_DIR="+dir).Output()
	require.NoError(b, err)
	d, err := time.ParseDuration(string(out))
	require.NoError(b, err)
	require.NoError(b, os.RemoveAll(dir))
	require.NoError(b, disk.SyncFS(b.Context(), l.dir))
	return d
}

func playBare() int {
	began := time.Now()
	if err := fetchAndUnzip(os.Getenv("FIGURES_URL"), os.Getenv("FIGURES_MD5"), os.Getenv("FIGURES_DIR")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Print(time.Since(began))
	return 0
}

func fetchAndUnzip(url, digest, dir string) error {
	packed := filepath.Join(dir, "package")
	if err := fetch(url, digest, packed); err != nil {
		return err
	}
	z, err := zip.OpenReader(packed)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return err
		}
		if err := errors.Join(save(filepath.Join(dir, "tree", f.Name), f.Mode(), in), in.Close()); err != nil {
			return err
		}
	}
	return disk.SyncFS(context.Background(), dir)
}

func fetch(url, digest, path string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	sum := md5.New()
	if err := save(path, 0o600, io.TeeReader(answer.Body, sum)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("%s has the MD5 %s, not %s", url, got, digest)
	}
	return nil
}

func save(path string, mode os.FileMode, in io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Close())
}
