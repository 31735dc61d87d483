package trust_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/trust"
)

// prehash signs as minisign does without -l.
func prehash(p pair, message string) []byte {
	r := minisign.NewReader(strings.NewReader(message))
	_, _ = io.Copy(io.Discard, r)
	return r.Sign(p.private)
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(dir, name)))
}

// snapshot is every file below dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

func TestUpdatePutsANewerOneInForce(t *testing.T) {
	root, p, q := newPair(t), newPair(t), newPair(t)
	first := keysJSON(t, 1, "", p.entry("p", nil))
	second := keysJSON(t, 2, "", p.entry("p", entry{"revoked": true}), q.entry("q", nil))
	third := keysJSON(t, 3, "", q.entry("q", nil))
	dir := rotated(t, root, first)
	for i, text := range []string{second, third} {
		require.NoError(t, trust.Update(dir, []byte(text), [][]byte{root.sign(text)}, today()))
		k := load(t, dir)
		require.Equal(t, int64(i+2), k.Rotation().Serial)
		_, err := k.Verify([]byte(release), q.sign(release))
		require.NoError(t, err)
		_, err = k.Verify([]byte(release), p.sign(release))
		require.Error(t, err)
		before := snapshot(t, dir)
		require.NoError(t, trust.Update(dir, []byte(text), [][]byte{root.sign(text)}, today()), "again")
		require.Equal(t, before, snapshot(t, dir))
	}
	require.Equal(t, first, snapshot(t, dir)[filepath.Join(dir, "keys.json")], "what was placed by hand stays")

	fourth := keysJSON(t, 4, "", p.entry("p", nil))
	put(t, dir, files{"keys.json": fourth, "keys.json.minisig": string(root.sign(fourth))})
	require.Equal(t, int64(4), load(t, dir).Rotation().Serial, "and wins when it is newer")
}

func TestUpdateRefuses(t *testing.T) {
	root, p := newPair(t), newPair(t)
	signed := func(text string) [][]byte { return [][]byte{root.sign(text)} }
	same := keysJSON(t, 5, "", p.entry("p", nil))
	for _, tc := range []struct {
		name, text string
		sign       func(string) [][]byte
		want       error
		says       string
	}{
		{"a lower serial", keysJSON(t, 4, "", p.entry("p", nil)), signed, trust.ErrOldSerial, "4, where 5 is in force"},
		{"the same serial with other bytes", keysJSON(t, 5, "", p.entry("q", nil)), signed, trust.ErrOldSerial, "5, where 5"},
		{"an expired one", keysJSON(t, 6, "2020-01-01T00:00:00Z", p.entry("p", nil)), signed, trust.ErrRefused, "expired"},
		{"no signature", keysJSON(t, 6, "", p.entry("p", nil)), func(string) [][]byte { return nil }, trust.ErrRefused, "0 of 1 needed"},
		{"an empty signature", keysJSON(t, 6, "", p.entry("p", nil)), func(string) [][]byte { return [][]byte{nil} }, trust.ErrRefused, "0 of 1 needed"},
		{"a signing key's signature", keysJSON(t, 6, "", p.entry("p", nil)), func(s string) [][]byte { return [][]byte{p.sign(s)} }, trust.ErrRefused, "not a root key"},
		{"a signature of the present one", keysJSON(t, 6, "", p.entry("p", nil)), func(string) [][]byte { return signed(same) }, trust.ErrRefused, "did not sign"},
		{"the present one unsigned", same, func(string) [][]byte { return nil }, trust.ErrRefused, "0 of 1 needed"},
		{"garbage", "garbage", signed, trust.ErrRefused, "JSON"},
		{"nothing", "", signed, trust.ErrRefused, "JSON"},
		{"a huge one", same + strings.Repeat(" ", 1<<20), signed, trust.ErrRefused, "more than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for form, dir := range map[string]string{"by hand": rotated(t, root, same), "by Update": installed(t, root, same)} {
				before := snapshot(t, dir)
				err := trust.Update(dir, []byte(tc.text), tc.sign(tc.text), today())
				require.ErrorIs(t, err, tc.want, form)
				require.ErrorIs(t, err, trust.ErrRefused, form)
				require.ErrorContains(t, err, tc.says, form)
				require.Equal(t, before, snapshot(t, dir), form)
			}
		})
	}
}

// An expired keys.json has to be replaceable, or the device is lost.
func TestUpdateReplacesAnExpiredOne(t *testing.T) {
	root, p := newPair(t), newPair(t)
	dir := rotated(t, root, keysJSON(t, 1, "2025-01-01T00:00:00Z", p.entry("p", nil)))
	refused(t, dir, "expired")
	text := keysJSON(t, 2, "2027-01-01T00:00:00Z", p.entry("p", nil))
	require.NoError(t, trust.Update(dir, []byte(text), [][]byte{root.sign(text)}, today()))
	require.Equal(t, int64(2), load(t, dir).Rotation().Serial)
}

// A present file that cannot be read might have had any serial.
func TestUpdateOverWhatCannotBeReadIsRefused(t *testing.T) {
	root, p := newPair(t), newPair(t)
	text := keysJSON(t, 9, "", p.entry("p", nil))
	for name, dir := range map[string]string{
		"keys.signed":    dirWith(t, files{"root/a.pub": root.pub(t), "keys.signed": "torn"}),
		"keys.json":      dirWith(t, files{"root/a.pub": root.pub(t), "keys.json": "torn"}),
		"the root keys":  dirWith(t, files{"root/a.pub": "torn"}),
		"no root keys":   t.TempDir(),
		"no directory":   filepath.Join(t.TempDir(), "gone"),
		"root that is 0": dirWith(t, files{"root/threshold": "0"}),
	} {
		before := snapshot(t, filepath.Dir(dir))
		require.Error(t, trust.Update(dir, []byte(text), [][]byte{root.sign(text)}, today()), name)
		require.Equal(t, before, snapshot(t, filepath.Dir(dir)), name)
	}
}

// A temporary file that a power cut left behind is not a key, and does no harm.
func TestUpdateAfterAPowerCut(t *testing.T) {
	root, p := newPair(t), newPair(t)
	first, second := keysJSON(t, 1, "", p.entry("p", nil)), keysJSON(t, 2, "", p.entry("p", nil))
	dir := installed(t, root, first)
	put(t, dir, files{".keys.signed.tmp": "torn"})
	require.Equal(t, int64(1), load(t, dir).Rotation().Serial)
	require.NoError(t, trust.Update(dir, []byte(second), [][]byte{root.sign(second)}, today()))
	require.Equal(t, int64(2), load(t, dir).Rotation().Serial)
	require.NoFileExists(t, filepath.Join(dir, ".keys.signed.tmp"))
}

func TestUpdatesAtTheSameTimeEndWithTheHighest(t *testing.T) {
	root, p := newPair(t), newPair(t)
	dir := dirWith(t, files{"root/a.pub": root.pub(t)})
	const n = 20
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		text := keysJSON(t, i+1, "", p.entry(fmt.Sprint(i), nil))
		all.Go(func() { errs[i] = trust.Update(dir, []byte(text), [][]byte{root.sign(text)}, today()) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, trust.ErrOldSerial)
		}
	}
	require.Equal(t, int64(n), load(t, dir).Rotation().Serial)
}
