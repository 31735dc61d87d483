// Package toy is a small program with known weaknesses, which tests the laboratory
// itself. It replaces a file through a temporary one, in a right way and in wrong ways.
package toy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Arg is the first argument that makes a test binary run the toy.
const Arg = "crashlab-toy"

// Env is for the environment of a test binary that runs the toy: a binary with
// the race detector would sleep for a second before it exits.
const Env = "GORACE=atexit_sleep_ms=0"

// File is the file that the toy replaces, Old and New its contents.
const (
	File = "settings"
	Old  = "old settings, whole"
)

// New is longer than a page, so that a torn write shows.
func New() string { return strings.Repeat("new settings, whole. ", 400) }

// Main runs the toy when the arguments ask for it, and does not return then:
// crashlab-toy DIR [bug…]. Bugs: nofsync, nodirsync, inplace, unlink, early, trusting.
func Main() {
	if len(os.Args) < 3 || os.Args[1] != Arg {
		return
	}
	bugs := map[string]bool{}
	for _, b := range os.Args[3:] {
		bugs[b] = true
	}
	if err := Replace(os.Args[2], bugs); err != nil {
		fmt.Fprintln(os.Stderr, "toy:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Replace replaces dir's File by New and says so on standard output.
func Replace(dir string, bugs map[string]bool) error {
	path := filepath.Join(dir, File)
	if bugs["inplace"] {
		return os.WriteFile(path, []byte(New()), 0o644)
	}
	if bugs["early"] {
		fmt.Println("replaced")
	}
	if done, err := os.ReadFile(path); bugs["trusting"] && err == nil && string(done) == New() {
		fmt.Println("replaced") // as the page cache has it
		return nil
	}
	tmp := path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(New()); err != nil {
		return err
	}
	if !bugs["nofsync"] {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	if bugs["unlink"] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	if !bugs["nodirsync"] {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	if !bugs["early"] {
		fmt.Println("replaced")
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
