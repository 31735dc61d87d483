package versions_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

func TestPublish(t *testing.T) {
	ctx := context.Background()
	d := newDevice(t)
	r := plain("1.0.0")
	r["lib/libx.so"] = "->libx.so.1"
	r["data/log"] = "->../../../shared/log"
	r["data/cache"] = "->/opt/tope/shared/cache"
	m := d.stage("u1", "1.0.0", r)
	m.Services = []string{"device-api"}
	require.NoError(t, d.Publish(ctx, "u1", m))
	d.has("v1.0.0")
	require.Equal(t, map[string]fs.FileMode{
		".": 0o555, versions.ManifestName: 0o444,
		"bin": 0o555, "bin/device-api": 0o555,
		"services": 0o555, "services/device-api": 0o555, "services/device-api/run": 0o555,
		"data": 0o555, "data/config.json": 0o444, "data/log": 0o777, "data/cache": 0o777,
		"lib": 0o555, "lib/libx.so": 0o777,
	}, modes(t, d.Path("1.0.0")))

	have, err := d.Manifest("1.0.0")
	require.NoError(t, err)
	require.Equal(t, 1, have.Schema)
	require.Equal(t, "u1", have.Update)
	require.Equal(t, []string{"device-api"}, have.Services)
	require.Len(t, have.Files, 11, "with the directories that paths imply")
	require.False(t, have.Created.IsZero())
	require.True(t, m.Created.IsZero(), "the caller's manifest is not changed")
	v, err := d.Verify(ctx, "1.0.0")
	require.NoError(t, err)
	require.True(t, v.OK(), "%v", v.Problems)
	require.Equal(t, 3, v.Files)
	require.Equal(t, have.Bytes(), v.Bytes)
}

func TestPublishChecksEveryEntry(t *testing.T) {
	for _, c := range []struct {
		name  string
		wreck func(t *testing.T, dir string, m *versions.Manifest)
		says  string
	}{
		{"a file is missing", func(t *testing.T, dir string, _ *versions.Manifest) {
			require.NoError(t, os.Remove(dir+"/data/config.json"))
		}, "data/config.json is missing"},
		{"a file too many", func(t *testing.T, dir string, _ *versions.Manifest) { put(t, dir+"/data/x", "x") }, "data/x is extra"},
		{"a directory too many", func(t *testing.T, dir string, _ *versions.Manifest) {
			require.NoError(t, os.Mkdir(dir+"/x", 0o755))
		}, "x is extra"},
		{"a file cut short", func(t *testing.T, dir string, _ *versions.Manifest) {
			disktest.Cut(t, dir+"/data/config.json", 1)
		}, "1 bytes, not 19"},
		{"an execute bit lost", func(t *testing.T, dir string, _ *versions.Manifest) {
			require.NoError(t, os.Chmod(dir+"/bin/device-api", 0o644))
		}, "mode"},
		{"setuid", func(t *testing.T, dir string, _ *versions.Manifest) {
			require.NoError(t, os.Chmod(dir+"/bin/device-api", 0o755|fs.ModeSetuid))
		}, "mode"},
		{"a link for a file", func(t *testing.T, dir string, _ *versions.Manifest) {
			require.NoError(t, os.Remove(dir+"/data/config.json"))
			symlink(t, "/etc/passwd", dir+"/data/config.json")
		}, "a link, not a file"},
		{"a pipe for a file", func(t *testing.T, dir string, _ *versions.Manifest) {
			require.NoError(t, os.Remove(dir+"/data/config.json"))
			require.NoError(t, unix.Mkfifo(dir+"/data/config.json", 0o644))
		}, "a special file, not a file"},
		{"a link elsewhere", func(t *testing.T, dir string, m *versions.Manifest) {
			symlink(t, "a", dir+"/l")
			m.Files = append(m.Files, versions.File{Path: "l", Type: versions.TypeLink, Target: "b"})
		}, "leads to a, not b"},
		{"a link out of the version", func(t *testing.T, dir string, m *versions.Manifest) {
			symlink(t, "../../x", dir+"/l")
			m.Files = append(m.Files, versions.File{Path: "l", Type: versions.TypeLink, Target: "../../x"})
		}, "leads out"},
		{"a link to a sibling of shared", func(t *testing.T, dir string, m *versions.Manifest) {
			symlink(t, "/opt/tope/shared-not/x", dir+"/l")
			m.Files = append(m.Files, versions.File{Path: "l", Type: versions.TypeLink, Target: "/opt/tope/shared-not/x"})
		}, "leads out"},
		{"a link through shared and out", func(t *testing.T, dir string, m *versions.Manifest) {
			symlink(t, "/opt/tope/shared/../../x", dir+"/l")
			m.Files = append(m.Files, versions.File{Path: "l", Type: versions.TypeLink, Target: "/opt/tope/shared/../../x"})
		}, "leads out"},
		{"a path that escapes", func(_ *testing.T, _ string, m *versions.Manifest) { m.Files[0].Path = "../x" }, "not a path inside"},
		{"no digest of the release", func(_ *testing.T, _ string, m *versions.Manifest) { m.Digest = "" }, "no digest"},
		{"no version", func(_ *testing.T, _ string, m *versions.Manifest) { m.Version = "" }, "not a version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			m := d.stage("u1", "1.0.0", plain("1.0.0"))
			c.wreck(t, d.Staging("u1"), m)
			require.ErrorContains(t, d.Publish(context.Background(), "u1", m), c.says)
			d.has(".staging-u1")
			require.NoError(t, d.DropStaging("u1"))
			d.has()
		})
	}
}

func TestPublishWithoutStaging(t *testing.T) {
	d := newDevice(t)
	m := d.stage("u1", "1.0.0", plain("1.0.0"))
	require.NoError(t, d.DropStaging("u1"))
	require.ErrorIs(t, d.Publish(context.Background(), "u1", m), fs.ErrNotExist)
	require.Error(t, d.Publish(context.Background(), "../u1", m))
	require.Error(t, d.DropStaging(""))
}

// Wherever Publish was cut, calling it again ends in the same whole version.
func TestPublishAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  func(t *testing.T, d *device)
	}{
		{"before anything", func(*testing.T, *device) {}},
		{"with half a manifest", func(t *testing.T, d *device) { put(t, d.Staging("u1")+"/"+versions.ManifestName, `{"sch`) }},
		{"when all but the name was done", func(t *testing.T, d *device) {
			d.again(t)
			require.NoError(t, os.Rename(d.Path("1.0.0"), d.Staging("u1")))
		}},
		{"when it was named", func(t *testing.T, d *device) { d.again(t) }},
		{"when it was named, and staged anew since", func(t *testing.T, d *device) {
			d.again(t)
			d.stage("u1", "1.0.0", plain("1.0.0"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			disktest.AsNobody(t, d.root, func() {
				d.stage("u1", "1.0.0", plain("1.0.0"))
				c.cut(t, d)
				d.open()
				d.again(t)
				d.again(t)
			})
			d.has("v1.0.0")
			v, err := d.Verify(context.Background(), "1.0.0")
			require.NoError(t, err)
			require.True(t, v.OK(), "%v", v.Problems)
		})
	}
}

// again publishes what update u1 has staged.
func (d *device) again(t *testing.T) {
	t.Helper()
	scratch := d.root + "/scratch"
	require.NoError(t, os.RemoveAll(scratch))
	described := d.write(scratch, plain("1.0.0"))
	m := &versions.Manifest{Version: "1.0.0", Digest: "md5:x", Files: described}
	require.NoError(t, d.Publish(context.Background(), "u1", m))
}

func TestPublishOverAnExistingVersion(t *testing.T) {
	const same, other = "md5:same", "md5:other"
	for _, c := range []struct {
		name, digest string
		change       func(t *testing.T, d *device)
		err          error
	}{
		{"the same release", same, nil, nil},
		{"another release", other, nil, versions.ErrExists},
		{"the same, changed since", same, func(t *testing.T, d *device) {
			put(t, d.Path("1.0.0")+"/data/config.json", `{"version":"6.6.6"}`)
		}, versions.ErrExists},
		{"a damaged one", same, func(t *testing.T, d *device) {
			put(t, d.Path("1.0.0")+"/"+versions.ManifestName, `{`)
		}, versions.ErrExists},
		{"one made by hand", same, func(t *testing.T, d *device) {
			disktest.In(t, d.Path("1.0.0"), func() { require.NoError(t, os.Remove(d.Path("1.0.0")+"/"+versions.ManifestName)) })
		}, versions.ErrExists},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			m := d.stage("u1", "1.0.0", plain("1.0.0"))
			m.Digest = same
			require.NoError(t, d.Publish(context.Background(), "u1", m))
			if c.change != nil {
				c.change(t, d)
			}
			m = d.stage("u2", "1.0.0", plain("1.0.0"))
			m.Digest = c.digest
			err := d.Publish(context.Background(), "u2", m)
			if c.err == nil {
				require.NoError(t, err)
				d.has("v1.0.0")
				return
			}
			require.ErrorIs(t, err, c.err)
			d.has("v1.0.0", ".staging-u2")
			require.NoError(t, d.Trash("1.0.0"), "nothing needs it")
			require.NoError(t, d.Publish(context.Background(), "u2", m))
			d.has("v1.0.0")
			have, err := d.Manifest("1.0.0")
			require.NoError(t, err)
			require.Equal(t, "u2", have.Update)
		})
	}
}

func TestPublishOnAFullDisk(t *testing.T) {
	ext4 := disktest.NewExt4(t, 4<<20)
	d := &device{t: t, root: ext4.Dir}
	d.open()
	r := plain("1.0.0")
	for i := range 200 { // a manifest of several blocks
		r["data/"+strings.Repeat("long", 20)+string(rune('a'+i%26))+strings.Repeat("x", i/26)] = "->x"
	}
	m := d.stage("u1", "1.0.0", r)
	release := ext4.Fill(t, 0)
	err := d.Publish(context.Background(), "u1", m)
	require.ErrorIs(t, err, unix.ENOSPC)
	d.has(".staging-u1")
	release()
	require.NoError(t, d.Publish(context.Background(), "u1", m))
	d.has("v1.0.0")
}

func TestVerifyFindsEveryChange(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   []versions.Problem
	}{
		{"none", func(*testing.T, string) {}, []versions.Problem{}},
		{
			"a content", func(t *testing.T, dir string) { put(t, dir+"/data/config.json", `{"version":"6.6.6"}`) },
			[]versions.Problem{{Path: "data/config.json", Kind: versions.Changed, Text: "another content"}},
		},
		{
			"a size", func(t *testing.T, dir string) { put(t, dir+"/data/config.json", `{}`) },
			[]versions.Problem{{Path: "data/config.json", Kind: versions.Changed, Text: "2 bytes, not 19"}},
		},
		{
			"a mode", func(t *testing.T, dir string) { require.NoError(t, os.Chmod(dir+"/bin/device-api", 0o444)) },
			[]versions.Problem{{Path: "bin/device-api", Kind: versions.Changed, Text: "mode -r--r--r--, not -r-xr-xr-x", Rights: true}},
		},
		{
			"a write bit", func(t *testing.T, dir string) { require.NoError(t, os.Chmod(dir, 0o755)) },
			[]versions.Problem{{Path: ".", Kind: versions.Changed, Text: "the directory has write bits", Rights: true}},
		},
		{"one gone, one new", func(t *testing.T, dir string) {
			disktest.In(t, dir+"/data", func() { require.NoError(t, os.Rename(dir+"/data/config.json", dir+"/data/a")) })
		}, []versions.Problem{{Path: "data/a", Kind: versions.Extra}, {Path: "data/config.json", Kind: versions.Gone}}},
		{
			"the manifest", func(t *testing.T, dir string) { put(t, dir+"/"+versions.ManifestName, "{") },
			[]versions.Problem{{Path: ".", Kind: versions.Changed, Text: "manifest: unexpected end of JSON input"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			d.publish("1.0.0")
			c.change(t, d.Path("1.0.0"))
			v, err := d.Verify(context.Background(), "1.0.0")
			require.NoError(t, err)
			require.Equal(t, c.want, v.Problems)
			require.Equal(t, len(c.want) == 0, v.OK())
		})
	}
}

func TestVerifyOfAVersionMadeByHand(t *testing.T) {
	d := newDevice(t)
	d.byHand("1.0.0")
	v, err := d.Verify(context.Background(), "1.0.0")
	require.NoError(t, err)
	require.True(t, v.OK())
	require.Equal(t, versions.Unverified, v.State)
	require.Equal(t, 3, v.Files)
	_, err = d.Verify(context.Background(), "2.0.0")
	require.ErrorIs(t, err, versions.ErrNotFound)
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	why := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	_, err := d.Verify(ctx, "1.0.0")
	require.ErrorIs(t, err, why)
}

// The disk below has changed, the page cache has not: Verify reports what a reboot
// would find.
func TestVerifyReadsTheDiskNotTheCache(t *testing.T) {
	const text = "text that is on this disk in one place only"
	ext4 := disktest.NewExt4(t, 8<<20)
	d := &device{t: t, root: ext4.Dir}
	d.open()
	require.NoError(t, d.Publish(context.Background(), "u1", d.stage("u1", "1.0.0", release{"data/f": text})))
	ext4.Corrupt(t, text)
	cached, err := os.ReadFile(d.Path("1.0.0") + "/data/f")
	require.NoError(t, err)
	require.Equal(t, text, string(cached))
	v, err := d.Verify(context.Background(), "1.0.0")
	require.NoError(t, err)
	require.True(t, v.Direct)
	require.Equal(t, []versions.Problem{{Path: "data/f", Kind: versions.Changed, Text: "another content"}}, v.Problems)
}

func TestACreatedTimeThatIsGivenIsKept(t *testing.T) {
	d := newDevice(t)
	m := d.stage("u1", "1.0.0", plain("1.0.0"))
	m.Created = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, d.Publish(context.Background(), "u1", m))
	have, err := d.Manifest("1.0.0")
	require.NoError(t, err)
	require.Equal(t, m.Created, have.Created)
}
