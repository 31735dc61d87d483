package extract_test

import (
	"context"
	"io"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/extract"
)

// broken is a format that keeps no promise: it yields the entries of the test.
type broken struct{ entries []bundle.Entry }

func (b broken) Name() string                                               { return "broken" }
func (b broken) Match([]byte) bool                                          { return true }
func (b broken) Open(*os.File, int64, bundle.Limits) (bundle.Bundle, error) { return b, nil }
func (b broken) Release() bundle.Release                                    { return bundle.Release{Version: "1.2.0"} }

func (b broken) InOrder() bool         { return false }
func (b broken) Totals() bundle.Totals { return bundle.Totals{} }
func (b broken) Close() error          { return nil }

func (b broken) Entries() iter.Seq2[bundle.Entry, error] {
	return func(yield func(bundle.Entry, error) bool) {
		for _, e := range b.entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func file(path, content string) bundle.Entry {
	return bundle.Entry{Path: path, Size: int64(len(content)), Mode: 0o644, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}}
}

func link(path, target string) bundle.Entry {
	return bundle.Entry{Path: path, Type: bundle.Link, Target: target}
}

func sized(e bundle.Entry, size int64) bundle.Entry {
	e.Size = size
	return e
}

// Whatever a format lets through, nothing is written outside the staging
// directory, and the update fails.
func TestBrokenFormat(t *testing.T) {
	for name, entries := range map[string][]bundle.Entry{
		"parent":               {file("../evil", "x")},
		"parent further down":  {file("a/../../evil", "x")},
		"absolute":             {file("/evil", "x")},
		"directory outside":    {{Path: "../evil", Type: bundle.Dir}},
		"link outside":         {link("l", "../../..")},
		"absolute link":        {link("l", "/etc")},
		"link by another link": {link("a/up", ".."), link("l", "a/up/../..")},
		"file through a link":  {link("a", "../.."), file("a/evil", "x")},
		"the same file twice":  {file("a", "x"), file("a", "y")},
		"a file and a link":    {file("a", "x"), link("a", "b")},
		"two links":            {link("a", "b"), link("a", "c"), file("b", "x")},
		"file as a directory":  {file("a", "x"), file("a/b", "y")},
		"directory as a file":  {file("a/b", "y"), file("a", "x")},
		"more than declared":   {sized(file("a", strings.Repeat("x", 1<<20)), 300_000)},
		"less than declared":   {sized(file("a", "x"), 2)},
		"negative size":        {sized(file("a", "x"), -1)},
		"setuid":               {{Path: "a", Mode: 0o4755 | os.ModeSetuid, Open: file("a", "").Open}, file("a", "again")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, bt.Zip{})
			w.cfg.Formats = []bundle.Format{broken{entries}}
			before := w.picture()
			step := extract.New(w.cfg)
			_, err := step.Do(context.Background(), w.task)
			require.Error(t, err)
			require.NoFileExists(t, "/evil")
			require.NoError(t, step.Undo(context.Background(), w.task))
			require.Equal(t, before, w.picture())
		})
	}
}

func TestModesAreMasked(t *testing.T) {
	w := newWorld(t, bt.Zip{})
	e := file("a", "x")
	e.Mode = os.ModeSetuid | os.ModeSetgid | os.ModeSticky | 0o777
	w.cfg.Formats = []bundle.Format{broken{[]bundle.Entry{e}}}
	_, err := extract.New(w.cfg).Do(context.Background(), w.task)
	require.NoError(t, err)
	info, err := os.Lstat(w.in("a"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o555), info.Mode())
}

// The release is not to blame for an error of the disk that has the bundle.
func TestBundleUnreadable(t *testing.T) {
	w := newWorld(t, bt.Zip{})
	e := file("a", "x")
	e.Open = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
	w.cfg.Formats = []bundle.Format{broken{[]bundle.Entry{file("b", "y"), e}}}
	_, err := extract.New(w.cfg).Do(context.Background(), w.task)
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.Equal(t, steps.Local, steps.AsError(err).Class)
}
