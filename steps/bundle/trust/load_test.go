package trust_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/steps/bundle/trust"
)

func TestNothingThereIsOpen(t *testing.T) {
	for name, dir := range map[string]string{
		"no directory":       filepath.Join(t.TempDir(), "keys"),
		"an empty directory": t.TempDir(),
		"other files only":   dirWith(t, files{"README": "x", "a.pub.old": "x", ".keys.signed.tmp": "x"}),
	} {
		k := load(t, dir)
		require.True(t, k.Open(), name)
		require.Empty(t, k.List(), name)
	}
}

// Every file that is there and cannot be used is an error. Load does not go on with
// fewer keys, and the device never trusts anybody.
func TestMissingKeysFailClosed(t *testing.T) {
	root, p := newPair(t), newPair(t)
	text := keysJSON(t, 1, "", p.entry("p", nil))
	signed := string(root.sign(text))
	for _, tc := range []struct {
		name string
		dir  files
		do   func(*testing.T, string)
		want string
	}{
		{"a pub file of garbage", files{"a.pub": "garbage"}, nil, "a.pub"},
		{"an empty pub file", files{"a.pub": ""}, nil, "a.pub"},
		{"one good and one broken", files{"a.pub": p.pub(t), "b.pub": p.pub(t)[:60]}, nil, "b.pub"},
		{"two keys in a file", files{"a.pub": p.String() + "\n" + root.String() + "\n"}, nil, "a.pub"},
		{"trailing data", files{"a.pub": p.pub(t) + "x\n"}, nil, "a.pub"},
		{"a secret key", files{"a.pub": secret(t, p)}, nil, "a.pub"},
		{"a pub file too large", files{"a.pub": p.pub(t) + strings.Repeat("\n", 5000)}, nil, "more than 4096 bytes"},
		{"a pub that is a directory", files{"a.pub/x": ""}, nil, "not a regular file"},
		{"a pub that is a pipe", nil, func(t *testing.T, dir string) {
			require.NoError(t, unix.Mkfifo(filepath.Join(dir, "a.pub"), 0o600))
		}, "not a regular file"},
		{"a pub that leads nowhere", nil, func(t *testing.T, dir string) {
			require.NoError(t, os.Symlink("gone", filepath.Join(dir, "a.pub")))
		}, "no such file"},
		{"a directory that is a file", nil, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
		}, "not a directory"},
		{"a directory that leads nowhere", nil, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.Symlink("gone", dir))
		}, "no such file"},
		{"root without keys", files{"root/threshold": "1"}, nil, "no *.pub file"},
		{"root without anything", nil, func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "root"), 0o755))
		}, "no *.pub file"},
		{"root that is a file", files{"root": ""}, nil, "root: not a directory"},
		{"a root key of garbage", files{"root/a.pub": "garbage", "a.pub": p.pub(t)}, nil, "root/a.pub"},
		{"keys.json without root keys", files{"keys.json": text, "keys.json.minisig": signed, "a.pub": p.pub(t)}, nil, "no root keys"},
		{"keys.json without signature", files{"root/a.pub": root.pub(t), "keys.json": text}, nil, "0 of 1 needed root keys"},
		{"keys.json with an empty signature", files{"root/a.pub": root.pub(t), "keys.json": text, "keys.json.minisig": ""}, nil, "0 of 1 needed"},
		{"keys.json signed by its own key", files{"root/a.pub": root.pub(t), "keys.json": text, "keys.json.minisig": string(p.sign(text))}, nil, "is not a root key"},
		{"keys.json changed", files{"root/a.pub": root.pub(t), "keys.json": text + " ", "keys.json.minisig": signed}, nil, "did not sign this"},
		{"keys.json gone, its signature not", files{"root/a.pub": root.pub(t), "a.pub": p.pub(t), "keys.json.minisig": signed}, nil, "put both there"},
		{"a signature that is a directory", files{"root/a.pub": root.pub(t), "keys.json": text, "keys.json.minisig": signed, "keys.json.b.minisig/x": ""}, nil, "not a regular file"},
		{"keys.json that is a directory", files{"root/a.pub": root.pub(t), "keys.json/x": text}, nil, "not a regular file"},
		{"keys.json too large", files{"root/a.pub": root.pub(t), "keys.json": text + strings.Repeat(" ", 1<<20), "keys.json.minisig": signed}, nil, "more than 1048576 bytes"},
		{"keys.signed of garbage", files{"root/a.pub": root.pub(t), "keys.signed": "garbage"}, nil, "keys.signed"},
		{"keys.signed without signatures", files{"root/a.pub": root.pub(t), "keys.signed": `{"schema":1,"keys":"e30=","signatures":[]}`}, nil, "0 of 1 needed"},
		{"keys.signed without root keys", files{"a.pub": p.pub(t), "keys.signed": `{"schema":1,"keys":"e30=","signatures":[]}`}, nil, "no root keys"},
		{"two files of one serial", files{"root/a.pub": root.pub(t), "keys.json": text, "keys.json.minisig": signed}, func(t *testing.T, dir string) {
			other := keysJSON(t, 1, "", p.entry("q", nil))
			require.NoError(t, trust.Update(dir, []byte(text), [][]byte{[]byte(signed)}, today()), "no-op")
			put(t, dir, files{"keys.json": other, "keys.json.minisig": string(root.sign(other))})
			require.NoError(t, os.Rename(filepath.Join(installed(t, root, text), "keys.signed"), filepath.Join(dir, "keys.signed")))
		}, "differ"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			require.NoError(t, os.Mkdir(dir, 0o755))
			put(t, dir, tc.dir)
			if tc.do != nil {
				tc.do(t, dir)
			}
			refused(t, dir, tc.want)
		})
	}
}

func secret(t *testing.T, p pair) string {
	t.Helper()
	text, err := p.private.MarshalText()
	require.NoError(t, err)
	return string(text)
}

// installed is a directory with a keys.json that Update put there.
func installed(t *testing.T, root pair, text string) string {
	t.Helper()
	dir := dirWith(t, files{"root/a.pub": root.pub(t)})
	require.NoError(t, trust.Update(dir, []byte(text), [][]byte{root.sign(text)}, today()))
	return dir
}

func TestRootKeysWithoutKeysJSONLeaveTheFiles(t *testing.T) {
	root, p := newPair(t), newPair(t)
	dir := dirWith(t, files{"root/a.pub": root.pub(t), "p.pub": p.pub(t)})
	k := load(t, dir)
	require.False(t, k.Open())
	_, err := k.Verify([]byte(release), p.sign(release))
	require.NoError(t, err)
	require.Equal(t, &trust.Rotation{Roots: []string{root.id()}, Threshold: 1}, k.Rotation())

	require.NoError(t, os.Remove(filepath.Join(dir, "p.pub")))
	require.False(t, load(t, dir).Open(), "a root key alone is a key")
}

func TestSymlinksToFilesAreFollowed(t *testing.T) {
	p := newPair(t)
	dir := t.TempDir()
	put(t, dir, files{"elsewhere/a": p.pub(t)})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o755))
	require.NoError(t, os.Symlink("../elsewhere/a", filepath.Join(dir, "keys/a.pub")))
	require.Len(t, load(t, filepath.Join(dir, "keys")).List(), 1)
}

func TestAnExpiredKeysJSONIsRefused(t *testing.T) {
	root, p := newPair(t), newPair(t)
	dir := rotated(t, root, keysJSON(t, 3, "2026-05-31T00:00:00Z", p.entry("p", nil)))
	put(t, dir, files{"p.pub": p.pub(t)})
	refused(t, dir, "expired at 2026-05-31T00:00:00Z")
	_, err := trust.Load(dir, today().AddDate(0, -1, 0))
	require.NoError(t, err)
}

// A device without a battery must stay usable until it has the time.
func TestAnUnsetClockJudgesNoTimes(t *testing.T) {
	root, p := newPair(t), newPair(t)
	dir := rotated(t, root, keysJSON(t, 3, "2023-06-01T00:00:00Z", p.entry("p", nil)))
	for _, now := range []time.Time{{}, time.Unix(0, 0), time.Date(2023, 12, 31, 23, 59, 59, 0, time.UTC)} {
		_, err := trust.Load(dir, now)
		require.NoError(t, err, now)
	}
	_, err := trust.Load(dir, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	require.ErrorContains(t, err, "expired")
}

func TestWhatIsReturnedIsTheCallers(t *testing.T) {
	root, p := newPair(t), newPair(t)
	k := load(t, rotated(t, root, keysJSON(t, 1, "", p.entry("p", entry{"revoked": true}))))
	k.List()[0].State = trust.Valid
	k.Rotation().Roots[0] = ""
	require.Equal(t, trust.Revoked, k.List()[0].State)
	require.Equal(t, []string{root.id()}, k.Rotation().Roots)
}
