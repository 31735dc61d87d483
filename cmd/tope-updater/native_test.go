package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// buildBundler compiles the publisher's program once for all scripts.
var buildBundler = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(os.TempDir(), "tope-fixtures")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tope-bundle")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../tope-bundle")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		_, _ = os.Stderr.Write(out)
	}
	return path, err
})

// publish is "publish": $BUNDLE is the publisher's program, $URL a server of
// $WORK with Range, $PLAIN the same without.
func publish(ts *testscript.TestScript, _ bool, _ []string) {
	path, err := buildBundler()
	ts.Check(err)
	files := http.FileServer(http.Dir(ts.MkAbs(".")))
	ranged := httptest.NewServer(files)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		files.ServeHTTP(w, r)
	}))
	ts.Defer(ranged.Close)
	ts.Defer(plain.Close)
	ts.Setenv("BUNDLE", path)
	ts.Setenv("URL", ranged.URL)
	ts.Setenv("PLAIN", plain.URL)
}

// damage is "damage FILE": another file with one other byte takes its place.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.Chmod(filepath.Dir(path), 0o755)) //nolint:gosec // a test's directory
	ts.Check(os.Remove(path))
	ts.Check(os.WriteFile(path, data, 0o555)) //nolint:gosec // a program
}
