package filecaps_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
)

const (
	bind = 1 << 10 // cap_net_bind_service
	raw  = 1 << 13 // cap_net_raw
)

func TestText(t *testing.T) {
	for text, s := range map[string]filecaps.Set{
		"cap_net_bind_service=ep":                {Permitted: bind, Effective: true},
		"cap_net_bind_service,cap_net_raw=ep":    {Permitted: bind | raw, Effective: true},
		"cap_net_raw=p":                          {Permitted: raw},
		"cap_net_raw=i":                          {Inheritable: raw},
		"cap_net_raw=eip":                        {Permitted: raw, Inheritable: raw, Effective: true},
		"cap_net_bind_service=ep cap_net_raw=ei": {Permitted: bind, Inheritable: raw, Effective: true},
		"cap_chown,63=p":                         {Permitted: 1 | 1<<63},
		"cap_checkpoint_restore,41=ep":           {Permitted: 1<<40 | 1<<41, Effective: true},
	} {
		require.Equal(t, text, s.String())
		got, err := filecaps.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, s, got)
	}
	require.Empty(t, filecaps.Set{}.String())
	for _, text := range []string{
		"", "=", "=ep", "cap_net_raw", "cap_net_raw=", "cap_net_raw=e", "cap_net_raw=pe", "cap_net_raw=pi", "cap_net_raw+ep", "cap_nothing=ep",
		"cap_net_raw,cap_net_bind_service=ep", "cap_net_raw,cap_net_raw=ep", "cap_net_raw=ep ", " cap_net_raw=ep", "cap_net_raw=ep cap_net_raw=ep",
		"13=ep", "64=ep", "-1=ep", "041=ep", "CAP_NET_RAW=ep", "cap_net_raw=ep cap_chown=p", "cap_net_raw=ep=ep", strings.Repeat("cap_net_raw,", 1000) + "=ep",
	} {
		_, err := filecaps.Parse(text)
		require.Error(t, err, text)
	}
}

// setcap and getcap understand the same by each text.
func TestTextsAreThoseOfSetcap(t *testing.T) {
	roottest.Need(t, "file capabilities")
	for text, s := range map[string]filecaps.Set{
		"cap_net_bind_service=ep":                {Permitted: bind, Effective: true},
		"cap_net_bind_service,cap_net_raw=eip":   {Permitted: bind | raw, Inheritable: bind | raw, Effective: true},
		"cap_net_raw=p":                          {Permitted: raw},
		"cap_checkpoint_restore=ep":              {Permitted: 1 << 40, Effective: true},
		"cap_net_bind_service=ep cap_net_raw=ei": {Permitted: bind, Inheritable: raw, Effective: true},
	} {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		out, err := exec.CommandContext(t.Context(), "setcap", text, path).CombinedOutput()
		require.NoError(t, err, "%s: %s", text, out)
		got, err := filecaps.Of(path)
		require.NoError(t, err)
		require.Equal(t, s, got, text)

		other := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(other, nil, 0o600))
		apply(t, other, s)
		ours, theirs := getcap(t, other), getcap(t, path)
		require.Equal(t, theirs, ours, text)
		require.NotEmpty(t, ours)
	}
}

func getcap(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "getcap", path).Output()
	require.NoError(t, err)
	return strings.TrimSpace(strings.TrimPrefix(string(out), path))
}

func apply(t *testing.T, path string, s filecaps.Set) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, s.Apply(f))
	require.NoError(t, f.Close())
}

// They are set on a file that cannot be written, outlive a change of mode, are taken
// away by Apply of none, and go when the file is written to: so they are set last.
func TestApply(t *testing.T) {
	roottest.Need(t, "file capabilities")
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o400))
	want := filecaps.Set{Permitted: bind, Effective: true}
	has := func(want filecaps.Set) {
		t.Helper()
		got, err := filecaps.Of(path)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	has(filecaps.Set{})
	apply(t, path, want)
	has(want)
	require.NoError(t, os.Chmod(path, 0o755))
	has(want)
	apply(t, path, filecaps.Set{})
	has(filecaps.Set{})
	apply(t, path, filecaps.Set{})
	apply(t, path, want)
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o755))
	has(filecaps.Set{})
}

func TestOf(t *testing.T) {
	dir := t.TempDir()
	_, err := filecaps.Of(filepath.Join(dir, "nothing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Symlink("nothing", filepath.Join(dir, "link")))
	s, err := filecaps.Of(filepath.Join(dir, "link"))
	require.NoError(t, err, "the link itself")
	require.True(t, s.None())
	s, err = filecaps.Of("/proc/version")
	require.NoError(t, err, "a file system without capabilities")
	require.True(t, s.None())
}

func TestApplyWhereThereAreNone(t *testing.T) {
	f, err := os.Open("/proc/version")
	require.NoError(t, err)
	defer f.Close()
	err = filecaps.Set{Permitted: raw}.Apply(f)
	require.True(t, errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission), err)
	require.ErrorContains(t, err, "/proc/version")
}

// A container's capabilities count in its user namespace only.
func TestCapabilitiesOfANamespace(t *testing.T) {
	roottest.Need(t, "file capabilities")
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	raw, err := hex.DecodeString("01000003" + "00200000" + "00000000" + "00000000" + "00000000" + "e8030000")
	require.NoError(t, err)
	require.NoError(t, unix.Setxattr(path, filecaps.Attribute, raw, 0))
	_, err = filecaps.Of(path)
	require.ErrorIs(t, err, filecaps.ErrForeign)
	require.ErrorContains(t, err, "user 1000")
}

func TestJSON(t *testing.T) {
	type file struct {
		Caps filecaps.Set `json:"caps,omitzero"`
	}
	data, err := json.Marshal([]file{{}, {filecaps.Set{Permitted: raw, Effective: true}}})
	require.NoError(t, err)
	require.JSONEq(t, `[{},{"caps":"cap_net_raw=ep"}]`, string(data))
	var got []file
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, raw, int(got[1].Caps.Permitted))
	require.Error(t, json.Unmarshal([]byte(`[{"caps":"root"}]`), &got))
}

func FuzzParse(f *testing.F) {
	f.Add("cap_net_bind_service,cap_net_raw=ep")
	f.Add("cap_chown=ep cap_net_raw=ei 41=eip")
	f.Add("=ep")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := filecaps.Parse(text)
		if err != nil {
			require.Equal(t, filecaps.Set{}, s)
			return
		}
		require.False(t, s.None())
		require.Equal(t, text, s.String(), "one text for one set")
	})
}
