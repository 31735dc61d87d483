package versions_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func manifest(files string) string {
	return `{"schema":1,"version":"1.0.0","digest":"md5:x","files":[` + files + `]}`
}

func TestParseManifestRefuses(t *testing.T) {
	entry := func(p string) string {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		return manifest(`{"path":` + string(text) + `,"type":"dir","mode":365}`)
	}
	for name, c := range map[string]struct{ text, says string }{
		"nothing":                  {"", "unexpected end"},
		"half of one":              {manifest("")[:20], "unexpected end"},
		"zeros, as a torn write":   {strings.Repeat("\x00", 100), "invalid character"},
		"something behind it":      {manifest("") + "{}", "after top-level value"},
		"another kind of JSON":     {`[]`, "cannot unmarshal"},
		"no schema":                {`{"version":"1.0.0"}`, "schema 0"},
		"no version":               {`{"schema":1}`, "not a version"},
		"a version that escapes":   {`{"schema":1,"version":"../../etc"}`, "not a version"},
		"a negative epoch":         {`{"schema":1,"version":"1.0.0","epoch":-1}`, "epoch"},
		"an absolute path":         {entry("/etc/passwd"), "not a path inside"},
		"a path that climbs":       {entry("a/../../b"), "not a path inside"},
		"the version itself":       {entry("."), "not a path inside"},
		"an empty path":            {entry(""), "not a path inside"},
		"a path that is not clean": {entry("a//b"), "not a path inside"},
		"NUL":                      {entry("a\x00b"), "not a path inside"},
		"a path of 2,000":          {entry(strings.Repeat("a", 2000)), "not a path inside"},
		"the manifest itself":      {entry(versions.ManifestName), "cannot list itself"},
		"twice":                    {manifest(`{"path":"a","type":"dir"},{"path":"a","type":"dir"}`), "twice"},
		"out of order":             {manifest(`{"path":"b","type":"dir"},{"path":"a","type":"dir"}`), "not in order"},
		"a device":                 {manifest(`{"path":"a","type":"char"}`), "unknown type"},
		"setuid":                   {manifest(`{"path":"a","type":"dir","mode":2541}`), "mode"},
		"write bits":               {manifest(`{"path":"a","type":"dir","mode":493}`), "mode"},
		"a file without digest":    {manifest(`{"path":"a","type":"file","size":1}`), "SHA-256"},
		"a digest cut short":       {manifest(`{"path":"a","type":"file","sha256":"abcd"}`), "SHA-256"},
		"a negative size":          {manifest(`{"path":"a","type":"file","size":-1,"sha256":"` + sum + `"}`), "not a valid file"},
		"a size beyond 64 bits":    {manifest(`{"path":"a","type":"file","size":9223372036854775808}`), "cannot unmarshal"},
		"a link to nowhere":        {manifest(`{"path":"a","type":"link"}`), "not a valid link"},
		"a file with a target":     {manifest(`{"path":"a","type":"file","target":"b","sha256":"` + sum + `"}`), "not a valid file"},
		"a directory with a size":  {manifest(`{"path":"a","type":"dir","size":4}`), "not a valid directory"},
		"too many bytes":           {manifest(strings.Repeat(" ", versions.MaxManifest)), "at most"},
		"too many files":           {manifest(`{}` + strings.Repeat(`,{}`, versions.MaxFiles)), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := versions.ParseManifest([]byte(c.text))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestParseManifestReadsNewerOnes(t *testing.T) {
	m, err := versions.ParseManifest([]byte(`{"schema":2,"version":"1.0.0","digest":"md5:x","delta":{"from":"0.9.0"},
		"files":[{"path":"a","type":"file","size":0,"mode":365,"sha256":"` + sum + `","blocks":[1,2]}]}`))
	require.NoError(t, err)
	require.Equal(t, "a", m.Files[0].Path)
}

// FuzzParseManifest: whatever is accepted keeps to the rules, and nothing
// makes it panic.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(manifest(`{"path":"a","type":"dir","mode":365},{"path":"a/b","type":"file","mode":292,"sha256":"` + sum + `"}`)))
	f.Add([]byte(manifest(`{"path":"a","type":"file","mode":365,"capabilities":"cap_net_raw=ep","sha256":"` + sum + `"}`)))
	f.Add([]byte(manifest(`{"path":"l","type":"link","target":"../x"}`)))
	f.Add([]byte(`{"schema":1,"version":"1.0.0-rc.1+b"}`))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := versions.ParseManifest(data)
		if err != nil {
			return
		}
		require.NoError(t, versions.ValidVersion(m.Version))
		require.GreaterOrEqual(t, m.Bytes(), int64(0), "sizes do not overflow")
		for i, file := range m.Files {
			require.Equal(t, path.Clean(file.Path), file.Path)
			require.True(t, filepath.IsLocal(file.Path), file.Path)
			require.Zero(t, file.Mode&^0o555)
			require.True(t, file.Type == versions.TypeFile || file.Capabilities.None())
			require.True(t, i == 0 || m.Files[i-1].Path < file.Path)
		}
	})
}

func TestStateIsWhatTheDirectoryTurnsOutToBe(t *testing.T) {
	text := manifest(`{"path":"f","type":"file","mode":292,"sha256":"` + sum + `"}`)
	for _, c := range []struct {
		name  string
		build func(t *testing.T, dir string)
		want  versions.State
	}{
		{"nothing", nil, versions.Missing},
		{"a whole one", func(t *testing.T, dir string) { put(t, dir+"/f", ""); put(t, dir+"/.tope-manifest.json", text) }, versions.Complete},
		{"made by hand", func(t *testing.T, dir string) { put(t, dir+"/f", "") }, versions.Unverified},
		{"empty", func(t *testing.T, dir string) { require.NoError(t, os.Mkdir(dir, 0o755)) }, versions.Damaged},
		{"a file", func(t *testing.T, dir string) { put(t, dir, "x") }, versions.Damaged},
		{"a link", func(t *testing.T, dir string) { put(t, dir+".d/f", "x"); symlink(t, filepath.Base(dir)+".d", dir) }, versions.Damaged},
		{"an empty manifest", func(t *testing.T, dir string) { put(t, dir+"/.tope-manifest.json", "") }, versions.Damaged},
		{"a torn manifest", func(t *testing.T, dir string) { put(t, dir+"/.tope-manifest.json", text[:30]) }, versions.Damaged},
		{"another version's manifest", func(t *testing.T, dir string) {
			put(t, dir+"/.tope-manifest.json", strings.Replace(text, "1.0.0", "2.0.0", 1))
		}, versions.Damaged},
		{"a directory for a manifest", func(t *testing.T, dir string) { put(t, dir+"/.tope-manifest.json/x", "") }, versions.Damaged},
		{"a link for a manifest", func(t *testing.T, dir string) {
			put(t, dir+"/m", text)
			symlink(t, "m", dir+"/.tope-manifest.json")
		}, versions.Damaged},
		{"a link out for a manifest", func(t *testing.T, dir string) { symlink(t, "/dev/zero", dir+"/.tope-manifest.json") }, versions.Damaged},
		{"a pipe for a manifest", func(t *testing.T, dir string) {
			put(t, dir+"/f", "")
			require.NoError(t, unix.Mkfifo(dir+"/.tope-manifest.json", 0o644))
		}, versions.Damaged},
		{"a manifest without end", func(t *testing.T, dir string) {
			put(t, dir+"/.tope-manifest.json", "")
			disktest.Cut(t, dir+"/.tope-manifest.json", 1<<40)
		}, versions.Damaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			if c.build != nil {
				c.build(t, d.Path("1.0.0"))
			}
			got, err := d.State("1.0.0")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			if !got.Usable() {
				require.Error(t, d.Point(versions.Current, "1.0.0"), "no pointer may lead there")
			}
		})
	}
	_, err := newDevice(t).State("../1.0.0")
	require.Error(t, err)
}

func TestManifestSaysWhyThereIsNone(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	d.byHand("1.1.0")
	put(t, d.Path("1.2.0")+"/.tope-manifest.json", "{")
	m, err := d.Manifest("1.0.0")
	require.NoError(t, err)
	require.Equal(t, "md5:u-1001.0.0", m.Digest)
	_, err = d.Manifest("1.1.0")
	require.ErrorIs(t, err, versions.ErrNoManifest)
	_, err = d.Manifest("1.2.0")
	require.ErrorIs(t, err, versions.ErrDamaged)
	_, err = d.Manifest("1.3.0")
	require.ErrorIs(t, err, versions.ErrNotFound)
}

// A check that is refused in a release today may be in a version that was
// installed before the refusal was introduced. The version still counts as whole:
// it can be run, and rolled back to.
func TestAManifestWithABadHealthCheckIsRead(t *testing.T) {
	text := manifest(``)
	text = strings.Replace(text, `"files"`, `"health":[{"service":"my web","kind":"http","url":"http://"},{"service":"x","kind":"newer"}],"files"`, 1)
	m, err := versions.ParseManifest([]byte(text))
	require.NoError(t, err)
	require.Len(t, m.Health, 2)
}
