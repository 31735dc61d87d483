package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/tope/updater"
	// maxLines is what a file may have at most; most have 150.
	maxLines = 400
)

// source is a package as go list tells of it.
type source struct {
	ImportPath, Dir, Doc, Export                       string
	GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
	CgoFiles, Imports, TestImports, XTestImports, Deps []string
}

// path is the package's below the module's: "" for another module's.
func path(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return rest
}

// isTest: a package for tests, by its name.
func isTest(path string) bool { return strings.HasSuffix(path, "test") }

func list(t *testing.T, args ...string) []source {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the device program is built
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s", errs.String())
	var all []source
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var s source
		err := dec.Decode(&s)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, s)
	}
}

// layers from the top to the bottom: a package may import its own and those below.
func layers() []string { return []string{"cmd", "engine", "steps", "journal", "platform"} }

func layer(path string) int {
	top, _, _ := strings.Cut(path, "/")
	return slices.Index(layers(), top)
}

// TestImportsPointDown holds for tests too: a test that tries parts together
// lives in the layer above the parts.
func TestImportsPointDown(t *testing.T) {
	for _, s := range list(t, "./...") {
		me := path(s.ImportPath)
		require.NotEqual(t, -1, layer(me), "%s is in no layer: there are no other folders of code", s.ImportPath)
		for _, imported := range slices.Concat(s.Imports, s.TestImports, s.XTestImports) {
			if it := path(imported); it != "" {
				require.LessOrEqual(t, layer(me), layer(it), "%s imports %s", me, it)
			}
		}
		for _, imported := range s.Imports {
			if it := path(imported); it != "" {
				require.Empty(t, stranger(me, it), "%s imports %s", me, it)
			}
		}
	}
}

// stranger says why a package may not import another of its own layer, or below.
func stranger(me, it string) string {
	within := func(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
	switch {
	case within(me, "steps") && within(it, "journal"):
		return "a step knows no journal"
	case me == "engine/fleet/static" && within(it, "steps/bundle"):
		return "" // it reads a channel, and knows who may sign it
	case within(me, "engine") && within(it, "steps") && it != "steps":
		return "the engine knows steps by their contract"
	case within(me, "steps/bundle") || !within(me, "steps") || !within(it, "steps") || it == "steps" || isTest(me):
		return ""
	case within(it, "steps/bundle") && !isTest(it), within(it, me):
		return ""
	case it == "steps/running" && slices.Contains([]string{"steps/download", "steps/verify", "steps/extract", "steps/stage"}, me):
		return "steps/running is what the steps from Switch on share"
	case it == "steps/running":
		return ""
	case me == "steps":
		return "the contract knows no step"
	case within(it, "steps"):
		return "a step knows no other step"
	}
	return ""
}

// TestShipped: a program for devices contains no package for tests.
func TestShipped(t *testing.T) {
	for _, s := range list(t, "./cmd/tope-updater") {
		require.Empty(t, s.CgoFiles)
		for _, dep := range s.Deps {
			require.NotContains(t, []string{"testing", "net/http/pprof", "runtime/cgo"}, dep)
			require.False(t, strings.HasPrefix(dep, "github.com/stretchr/testify"), dep)
			it := path(dep)
			require.False(t, isTest(it) || strings.HasPrefix(it, "cmd/crashlab"), "the device program has %s in it", dep)
		}
	}
	// Of the shipped programs, only the demo may have the fixtures' real services.
	for _, s := range list(t, "-deps", "./cmd/tope-updater") {
		if slices.Contains(s.Imports, module+"/cmd/internal/fixtures") {
			require.Equal(t, "cmd/internal/demo", path(s.ImportPath))
		}
	}
}

// TestPackagesPresentThemselves: a newcomer learns from a package's
// comment what the package is for.
func TestPackagesPresentThemselves(t *testing.T) {
	for _, s := range list(t, "./...") {
		require.NotEmpty(t, s.Doc, "%s has no package comment", s.ImportPath)
	}
}

func TestFilesAreShortAndFinished(t *testing.T) {
	for _, s := range list(t, "./...") {
		for _, name := range slices.Concat(s.GoFiles, s.IgnoredGoFiles, s.TestGoFiles, s.XTestGoFiles) {
			file := filepath.Join(s.Dir, name)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if n := bytes.Count(text, []byte("\n")); n > maxLines {
				t.Errorf("%s has %d lines, %d are allowed: it has more than one idea", file, n, maxLines)
			}
			for _, word := range []string{"TO" + "DO", "FIX" + "ME", "X" + "XX"} {
				if bytes.Contains(text, []byte(word)) {
					t.Errorf("%s says %s: do it, or open an issue", file, word)
				}
			}
		}
	}
}
