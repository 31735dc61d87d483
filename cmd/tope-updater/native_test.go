package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// publish is "publish": $BUNDLE is the publisher's program, $URL a server of
// $WORK with Range, $PLAIN the same without.
func publish(ts *testscript.TestScript, _ bool, _ []string) {
	files := http.FileServer(http.Dir(ts.MkAbs(".")))
	ranged := httptest.NewServer(files)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		files.ServeHTTP(w, r)
	}))
	ts.Defer(ranged.Close)
	ts.Defer(plain.Close)
	ts.Setenv("BUNDLE", ts.Value("bundler").(string))
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
