package figures_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rivals is how many bytes other tools put on the wire for a pair; 0 when a tool
// is not on this machine, and Missing tells the reason.
type rivals struct {
	Zip, Zstd, Casync, Zchunk int64
	Missing                   []string
}

// least is the smaller number of the two tools that compare releases; 0 when
// neither is on this machine.
func (r rivals) least() int64 {
	if r.Casync == 0 || r.Zchunk != 0 && r.Zchunk < r.Casync {
		return r.Zchunk
	}
	return r.Casync
}

// measure takes all of them. They depend on nothing but their input and the
// tools, so it keeps the results.
func measure(b *testing.B, before, after string) (r rivals) {
	b.Helper()
	sum := sha256.New()
	fmt.Fprintln(sum, "2", digestOfTree(b, before, after))
	tool := func(name string) bool {
		path, err := exec.LookPath(name)
		if err != nil {
			r.Missing = append(r.Missing, name+" is not installed here")
			return false
		}
		program, err := os.ReadFile(path)
		require.NoError(b, err)
		_, _ = sum.Write(program) // never fails
		return true
	}
	zip, zstd, casync, zck := tool("zip"), tool("zstd"), tool("casync"), tool("zck")
	dir := once(b, filepath.Join("rivals", hex.EncodeToString(sum.Sum(nil))), func(dir string) {
		work := b.TempDir()
		if zip {
			// Deflate compresses each file alone and does not know the release before:
			// the whole archive counts.
			out := filepath.Join(work, "new.zip")
			run(b, after, "zip", "-9", "-q", "-r", out, ".")
			r.Zip = sizeOf(b, out)
		}
		for name, tree := range map[string]string{"old": before, "new": after} {
			require.NoError(b, writeTar(filepath.Join(work, name+".tar"), tree))
		}
		if zstd {
			out := filepath.Join(work, "new.tar.zst")
			run(b, work, "zstd", "-19", "-q", "new.tar", "-o", out)
			r.Zstd = sizeOf(b, out)
		}
		if casync {
			r.Casync = byCasync(b, work, before, after)
		}
		if zck {
			r.Zchunk = byZchunk(b, work)
		}
		data, err := json.Marshal(r)
		require.NoError(b, err)
		require.NoError(b, os.WriteFile(filepath.Join(dir, "rivals.json"), data, 0o600))
	})
	data, err := os.ReadFile(filepath.Join(dir, "rivals.json"))
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(data, &r))
	return r
}

// byCasync counts what "casync extract" of the new release downloads with the
// old one as seed: the index, and the compressed chunks that the old one's store
// does not have. Chunks are of casync's default size, 64 KiB on average.
func byCasync(b *testing.B, work, before, after string) int64 {
	for name, tree := range map[string]string{"old": before, "new": after} {
		// casync keeps times: the times of the unpacking must not make a difference.
		run(b, tree, "find", ".", "-exec", "touch", "-h", "-d", "@0", "{}", "+")
		run(b, work, "casync", "make", "--store="+name+".castr", name+".caidx", tree)
	}
	total := sizeOf(b, filepath.Join(work, "new.caidx"))
	store := filepath.Join(work, "new.castr")
	require.NoError(b, filepath.WalkDir(store, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".cacnk") {
			return err
		}
		if _, err := os.Stat(filepath.Join(work, "old.castr", strings.TrimPrefix(p, store))); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total += sizeOf(b, p)
		return nil
	}))
	return total
}

var zckSays = regexp.MustCompile(`Would download (\d+) of`)

// byZchunk counts what "zckdl" downloads for the new tar with the old one as source:
// the header, which lists the chunks, and the chunks that are missing. zck_delta_size
// counts the same without a server. It tries with and without a dictionary made of
// the old tar, which both devices and server have; the smaller result counts.
func byZchunk(b *testing.B, work string) int64 {
	size := func(dictionary ...string) int64 {
		for _, name := range []string{"old", "new"} {
			run(b, work, "zck", append(dictionary, "-o", name+".zck", name+".tar")...)
		}
		said := zckSays.FindStringSubmatch(run(b, work, "zck_delta_size", "old.zck", "new.zck"))
		require.NotNil(b, said)
		n, err := strconv.ParseInt(said[1], 10, 64)
		require.NoError(b, err)
		return n
	}
	plain := size()
	run(b, work, "zck_gen_zdict", "old.zck")
	return min(plain, size("-D", "old.zdict"))
}

// run runs a tool and returns its output.
func run(b *testing.B, dir, name string, args ...string) string {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s: %s", cmd, text)
	return string(text)
}

func sizeOf(b *testing.B, path string) int64 {
	b.Helper()
	info, err := os.Stat(path)
	require.NoError(b, err)
	return info.Size()
}

// writeTar packs a tree in the order of its paths, without times and owners.
func writeTar(path, tree string) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := tar.NewWriter(out)
	err = filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(tree, p)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()}); err != nil {
			return err
		}
		in, err := os.Open(p)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	})
	return errors.Join(err, w.Close())
}
