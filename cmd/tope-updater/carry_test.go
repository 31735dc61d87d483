package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
)

// carried is a file of a release: what it is made from, who may do what with it, and
// what its program may do, as setcap and getcap write it.
type carried struct {
	content []byte
	mode    fs.FileMode
	caps    string
}

// noise is a script that cannot be compressed, so that each is worth a patch.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return append([]byte("#!/bin/sh\n"), b...)
}

// edited is data with one byte changed.
func edited(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)/2] ^= 1
	return data
}

// publisher makes signed bundles in a directory that is served.
type publisher struct{ dir, bundler string }

func newPublisher(t *testing.T) publisher {
	t.Helper()
	p := publisher{t.TempDir(), builttest.Program(t, "tope-bundle", builttest.Version)}
	p.run(t, "keygen", "k")
	return p
}

func (p publisher) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.bundler, append([]string{"-q"}, args...)...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", args, out)
}

// pack makes VERSION.tope of the files.
func (p publisher) pack(t *testing.T, version string, files map[string]carried, more ...string) {
	t.Helper()
	tree := filepath.Join(t.TempDir(), version)
	for path, f := range files {
		at := filepath.Join(tree, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, f.content, f.mode))
		require.NoError(t, os.Chmod(at, f.mode))
		if f.caps != "" {
			require.NoError(t, exec.CommandContext(t.Context(), "setcap", f.caps, at).Run())
		}
	}
	p.run(t, append([]string{"pack", tree, "--product", "printer", "--version", version, "--level", "3", "-o", version + ".tope"}, more...)...)
}

// trusting is a device that knows the publisher and allows it file capabilities.
func trusting(t *testing.T, p publisher, configuration string) (d *fixtures.Device, on []string) {
	t.Helper()
	d = newDevice(t, "0.1.0")
	keys := filepath.Join(d.Root, "etc/tope-updater/keys")
	require.NoError(t, os.Mkdir(keys, 0o755))
	require.NoError(t, os.Link(filepath.Join(p.dir, "k.pub"), filepath.Join(keys, "k.pub")))
	f, err := os.OpenFile(d.Config, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("\n" + configuration)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return d, []string{"--config", d.Config, "--root", d.Root}
}

// requireCarried compares a version on the device with what was packed.
func requireCarried(t *testing.T, dir string, files map[string]carried) {
	t.Helper()
	for path, f := range files {
		at := filepath.Join(dir, path)
		got, err := os.ReadFile(at)
		require.NoError(t, err)
		require.True(t, bytes.Equal(f.content, got), path)
		info, err := os.Stat(at)
		require.NoError(t, err)
		require.Equal(t, f.mode&^0o222, info.Mode(), path)
		out, err := exec.CommandContext(t.Context(), "getcap", at).Output()
		require.NoError(t, err)
		require.Equal(t, f.caps, strings.TrimSpace(strings.TrimPrefix(string(out), at)), path)
	}
}

// What a file may do and who may read it come with a release, whichever way its content
// comes: all files at once, one by one, by patch, or from a copy on the device that has
// other capabilities. Both were lost in silence.
func TestModesAndCapabilitiesComeWithARelease(t *testing.T) {
	roottest.Need(t, "file capabilities")
	const bind, raw = "cap_net_bind_service=ep", "cap_net_raw=ep"
	first := map[string]carried{
		"bin/same":    {noise(9000, 1), 0o755, bind},
		"bin/changed": {noise(9000, 2), 0o755, bind},
		"bin/loses":   {noise(9000, 3), 0o755, bind},
		"bin/gains":   {noise(9000, 4), 0o755, ""},
		"etc/key.pem": {noise(9000, 5), 0o600, ""},
		"etc/group":   {nil, 0o640, ""},
		"data/opens":  {noise(9000, 6), 0o600, ""},
		"data/closes": {noise(9000, 7), 0o664, ""},
	}
	second := map[string]carried{
		"bin/same":    first["bin/same"],
		"bin/changed": {edited(first["bin/changed"].content), 0o755, raw},
		"bin/loses":   {first["bin/loses"].content, 0o755, ""},
		"bin/gains":   {first["bin/gains"].content, 0o711, "cap_net_admin,cap_net_raw=eip"},
		"bin/new":     {noise(9000, 8), 0o700, raw},
		"etc/key.pem": {edited(first["etc/key.pem"].content), 0o400, ""},
		"data/opens":  {first["data/opens"].content, 0o644, ""},
		"data/closes": {first["data/closes"].content, 0o440, ""},
	}
	p := newPublisher(t)
	p.pack(t, "1.0.0", first, "--key", "k.key")
	p.pack(t, "1.1.0", second, "--key", "k.key", "--from", "1.0.0.tope")
	files := http.FileServer(http.Dir(p.dir))
	ranged := httptest.NewServer(files)
	defer ranged.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		files.ServeHTTP(w, r)
	}))
	defer plain.Close()
	d, on := trusting(t, p, "[trust]\nfile_capabilities = true\n")
	install := func(source string) *steps.Wire {
		var u engine.UpdateStatus
		require.NoError(t, json.Unmarshal([]byte(perform(t, 0, append(on, "install", "--json", "--force", source)...)), &u))
		return u.Wire
	}
	require.True(t, install(plain.URL+"/1.0.0.tope").Solid, "all files at once")
	requireCarried(t, d.Store.Path("1.0.0"), first)
	wire := install(ranged.URL + "/1.1.0.tope")
	require.Equal(t, []int{5, 2, 1}, []int{wire.Local, wire.Patched, wire.Alone}, "copied, patched, fetched")
	requireCarried(t, d.Store.Path("1.1.0"), second)
	requireCarried(t, d.Store.Path("1.0.0"), first)

	// The factory version keeps them, and each look finds what somebody has changed.
	perform(t, 0, append(on, "factory", "create", "--replace", "1.1.0")...)
	perform(t, 0, append(on, "factory", "verify")...)
	require.NotContains(t, perform(t, 0, append(on, "doctor")...), "as it was published")
	require.NoError(t, exec.CommandContext(t.Context(), "setcap", "-r", d.Store.Path("1.1.0")+"/bin/same").Run())
	require.NoError(t, exec.CommandContext(t.Context(), "setcap", "cap_sys_admin=ep", d.Store.Path("1.1.0")+"/bin/loses").Run())
	require.NoError(t, os.Chmod(d.Store.Path("1.1.0")+"/etc/key.pem", 0o444))
	require.NoError(t, os.Chmod(d.Store.Path("1.1.0")+"/bin/new", 0o500|fs.ModeSetuid))
	for _, verb := range [][]string{{"versions", "--verify", "1.1.0"}, {"factory", "verify"}} {
		out := perform(t, 10, append(on, verb...)...)
		require.Contains(t, out, "bin/same is changed: capabilities none, not cap_net_bind_service=ep")
		require.Contains(t, out, "bin/loses is changed: capabilities cap_sys_admin=ep, not none")
		require.Contains(t, out, "etc/key.pem is changed: mode -r--r--r--, not -r--------")
		require.Contains(t, out, "bin/new is changed: mode ur-x------, not -r-x------")
	}
	require.Contains(t, perform(t, 0, append(on, "doctor")...), "4 files of version 1.1.0 are not as they were published, the first: bin/loses is changed: capabilities cap_sys_admin=ep, not none")
	// What was changed on the device does not go into the next version.
	install(ranged.URL + "/1.0.0.tope")
	requireCarried(t, d.Store.Path("1.0.0"), first)
}

// A program with capabilities may do what only root may do, whoever starts it: somebody
// has to allow that, and somebody else to answer for it.
func TestCapabilitiesNeedTheConfigurationAndASignature(t *testing.T) {
	roottest.Need(t, "file capabilities")
	p := newPublisher(t)
	files := map[string]carried{"bin/app": {noise(100, 1), 0o755, "cap_net_raw=ep"}}
	p.pack(t, "1.0.0", files, "--key", "k.key")
	p.pack(t, "1.1.0", files, "--unsigned")
	for _, c := range []struct{ configuration, version, says string }{
		{"", "1.0.0", "set file_capabilities under [trust]"},
		{"[trust]\nallow_unsigned = true\n", "1.1.0", "set file_capabilities under [trust]"},
		{"[trust]\nfile_capabilities = true\nallow_unsigned = true\n", "1.1.0", "have to be signed"},
		{"[trust]\nfile_capabilities = true\n", "1.1.0", "BAD_SIGNATURE"},
	} {
		d, on := trusting(t, p, c.configuration)
		perform(t, 10, append(on, "install", filepath.Join(p.dir, c.version+".tope"))...)
		require.Contains(t, perform(t, 0, append(on, "journal", "show")...), c.says)
		require.NoDirExists(t, d.Store.Path(c.version))
	}
}

// Modes come with a release that nobody has signed, too, and with a legacy package.
func TestModesComeWithEveryKindOfRelease(t *testing.T) {
	files := map[string]carried{
		"bin/app":     {[]byte("#!/bin/sh\n"), 0o755, ""},
		"etc/key.pem": {[]byte("secret"), 0o600, ""},
		"etc/group":   {[]byte("group"), 0o640, ""},
	}
	p := newPublisher(t)
	p.pack(t, "1.0.0", files, "--unsigned")
	d := newDevice(t, "0.1.0")
	on := []string{"--config", d.Config, "--root", d.Root}
	perform(t, 0, append(on, "install", filepath.Join(p.dir, "1.0.0.tope"))...)
	require.Equal(t, map[string]fs.FileMode{"bin/app": 0o555, "etc/key.pem": 0o400, "etc/group": 0o440}, modesBelow(t, d.Store.Path("1.0.0"), files))
}

func modesBelow(t *testing.T, dir string, files map[string]carried) map[string]fs.FileMode {
	t.Helper()
	got := map[string]fs.FileMode{}
	for path := range files {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		got[path] = info.Mode()
	}
	return got
}
