package unitfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
)

const unitText = "[Service]\nExecStart=/bin/%s\n[Install]\nWantedBy=multi-user.target\n"

// device is a device's root with versions that carry units.
type device struct {
	*Store
	t    *testing.T
	root string
}

func newDevice(t *testing.T, configured ...string) *device {
	t.Helper()
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	d := &device{t: t, root: root.Dir()}
	d.Store = New(Config{Root: root, Configured: configured, Tree: func(v string) string { return filepath.Join(d.root, "versions", v) }})
	return d
}

func (d *device) write(path, text string) {
	d.t.Helper()
	path = filepath.Join(d.root, path)
	require.NoError(d.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o644))
}

// carry puts units into a version; without texts they are services.
func (d *device) carry(version string, units ...string) {
	d.t.Helper()
	require.NoError(d.t, os.MkdirAll(filepath.Join(d.root, "versions", version), 0o755))
	for _, u := range units {
		name, text, own := strings.Cut(u, "=")
		if !own {
			text = fmt.Sprintf(unitText, version+"/"+name)
		}
		d.write("versions/"+version+"/systemd/"+name, text)
	}
}

// follow calls Follow, and demands that nothing is left to do.
func (d *device) follow(version string) Changes {
	d.t.Helper()
	c, err := d.Follow(version)
	require.NoError(d.t, err)
	again, err := d.Follow(version)
	require.NoError(d.t, err)
	require.Empty(d.t, again.Changes, "a second call changes nothing")
	agrees, err := d.Agrees(version)
	require.NoError(d.t, err)
	require.True(d.t, agrees)
	return c
}

// tree lists the entries below /etc/systemd/system: files with their content,
// links with their targets.
func (d *device) tree() map[string]string {
	d.t.Helper()
	out := map[string]string{}
	dir := filepath.Join(d.root, etc)
	require.NoError(d.t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if e.Type() == fs.ModeSymlink {
			target, err := os.Readlink(path)
			out[rel] = "-> " + target
			return err
		}
		text, err := os.ReadFile(path)
		out[rel] = string(text)
		return err
	}))
	return out
}

func TestUnitsFollowCurrent(t *testing.T) {
	d := newDevice(t)
	d.carry("1.0.0", "api.service", "old.service", "tick.timer=[Timer]\nOnBootSec=1\n[Install]\nWantedBy=timers.target\n")
	d.carry("1.1.0", "api.service", "new.service")

	c := d.follow("1.0.0")
	require.True(t, c.Any())
	before := d.tree()
	require.Equal(t, header+fmt.Sprintf(unitText, "1.0.0/api.service"), before["api.service"])
	require.Equal(t, "-> /etc/systemd/system/api.service", before["multi-user.target.wants/api.service"])
	require.Equal(t, "-> /etc/systemd/system/tick.timer", before["timers.target.wants/tick.timer"])
	require.Equal(t, dropIn, before["api.service.d/50-tope-updater.conf"])
	require.NotContains(t, before, "tick.timer.d/50-tope-updater.conf", "a timer runs nothing from the version")

	c = d.follow("1.1.0")
	require.Contains(t, c.Changes, Change{Removed, etc + "/old.service"})
	require.Contains(t, c.Changes, Change{Written, etc + "/api.service"})
	after := d.tree()
	require.Equal(t, header+fmt.Sprintf(unitText, "1.1.0/api.service"), after["api.service"])
	require.Contains(t, after, "multi-user.target.wants/new.service")
	for name := range after {
		require.NotContains(t, name, "old.service")
		require.NotContains(t, name, "tick.timer")
	}

	d.follow("1.0.0")
	require.Equal(t, before, d.tree(), "a rollback leaves what was there before")
	d.follow("")
	require.Empty(t, d.tree(), "no version, no units")
}

func TestAnOperatorsUnitIsKeptAndPutBack(t *testing.T) {
	d := newDevice(t)
	d.carry("1.0.0")
	d.carry("1.1.0", "api.service", "linked.service")
	d.write(etc+"/api.service", "the operator's\n")
	d.write("home/linked.service", "elsewhere\n")
	require.NoError(t, os.Symlink("/home/linked.service", filepath.Join(d.root, etc, "linked.service")))
	before := d.tree()

	d.follow("1.1.0")
	got := d.tree()
	require.Equal(t, header+fmt.Sprintf(unitText, "1.1.0/api.service"), got["api.service"])
	require.Equal(t, "the operator's\n", got[".api.service.kept"])
	require.Equal(t, "-> /home/linked.service", got[".linked.service.kept"])
	require.NotContains(t, got, "multi-user.target.wants/api.service", "whether it is enabled is the operator's word")

	d.follow("1.0.0")
	require.Equal(t, before, d.tree())
}

func TestTheOperatorsWordStands(t *testing.T) {
	d := newDevice(t)
	d.carry("1.0.0", "api.service", "masked.service", "off.service")
	d.carry("1.1.0", "api.service", "masked.service", "off.service")
	require.NoError(t, os.MkdirAll(filepath.Join(d.root, etc), 0o755))
	mask := filepath.Join(d.root, etc, "masked.service")
	require.NoError(t, os.Symlink("/dev/null", mask))
	d.write(etc+"/api.service.d/10-own.conf", "[Service]\nNice=1\n")

	c := d.follow("1.0.0")
	require.Equal(t, []Left{{"masked.service", "it is masked"}}, c.Left)
	require.NoError(t, os.Remove(filepath.Join(d.root, etc, "multi-user.target.wants/off.service")))
	d.follow("1.1.0")
	got := d.tree()
	require.Equal(t, "-> /dev/null", got["masked.service"])
	require.NotContains(t, got, "multi-user.target.wants/off.service", "what is disabled stays so")
	units, err := d.Carried("1.1.0")
	require.NoError(t, err)
	for _, u := range units {
		require.Equal(t, u.Name == "api.service", u.Enabled, u.Name)
	}
	d.follow("")
	require.Equal(t, map[string]string{"masked.service": "-> /dev/null", "api.service.d/10-own.conf": "[Service]\nNice=1\n"}, d.tree())
}

func TestTheSystemsUnitsAreNotReplaced(t *testing.T) {
	d := newDevice(t, "device-api.service")
	d.write("usr/lib/systemd/system/ssh.service", "theirs")
	d.write("usr/lib/systemd/system/device-api.service", "a package's")
	d.carry("1.0.0", "ssh.service", "device-api.service")
	require.ErrorContains(t, d.Allows([]File{{"systemd/ssh.service", true, 1, false}}), "the system has one")
	require.NoError(t, d.Allows([]File{{"systemd/device-api.service", true, 1, false}}))
	c := d.follow("1.0.0")
	require.Len(t, c.Left, 1)
	require.Equal(t, "ssh.service", c.Left[0].Unit)
	got := d.tree()
	require.Contains(t, got, "device-api.service")
	require.NotContains(t, got, "ssh.service")
	require.NotContains(t, got, "multi-user.target.wants/device-api.service", "a package's unit is enabled by whoever installed it")
}

func TestDropIns(t *testing.T) {
	d := newDevice(t, "device-api.service", "own.service")
	d.carry("1.0.0", "carried.service")
	d.write(etc+"/gone.service.d/50-tope-updater.conf", dropIn)
	d.write(etc+"/own.service.d/50-tope-updater.conf", "[Unit]\n")
	plan, err := d.Plan("1.0.0")
	require.NoError(t, err)
	c, err := d.Complete("1.0.0")
	require.NoError(t, err)
	require.Equal(t, plan, c, "a plan is what is done")
	got := d.tree()
	require.Equal(t, dropIn, got["device-api.service.d/50-tope-updater.conf"])
	require.Equal(t, dropIn, got["carried.service.d/50-tope-updater.conf"])
	require.Equal(t, "[Unit]\n", got["own.service.d/50-tope-updater.conf"], "somebody else's of the same name")
	require.Len(t, c.Left, 1)
	require.NoDirExists(t, filepath.Join(d.root, etc, "gone.service.d"))
	d.follow("1.0.0")
	require.Contains(t, d.tree(), "device-api.service.d/50-tope-updater.conf", "Follow leaves those of configured services")
}

func TestWhatAVersionMayCarry(t *testing.T) {
	for name, f := range map[string]File{
		"own":       {"systemd/tope-updater.service", true, 1, false},
		"systemd's": {"systemd/systemd-journald.service", true, 1, false},
		"a mount":   {"systemd/data.mount", true, 1, false},
		"a link":    {"systemd/a.service", false, 0, false},
		"nested":    {"systemd/a.service.d/x.conf", true, 1, false},
		"too large": {"systemd/a.service", true, MaxSize + 1, false},
		"strange":   {"systemd/-a.service", true, 1, false},
	} {
		require.Error(t, Check([]File{f}), name)
	}
	require.NoError(t, Check([]File{{"systemd/a.service", true, 1, false}, {"systemd/a.socket", true, 1, false}, {"bin/x", true, 1 << 30, false}}))
	var many []File
	for i := range MaxUnits + 1 {
		many = append(many, File{fmt.Sprintf("systemd/u%d.service", i), true, 1, false})
	}
	require.Error(t, Check(many))

	// What Carried leaves out for its content, CheckText and CheckTexts refuse.
	for text, says := range map[string]string{
		"[Unit]\nConflicts=tope-updater.service\n": "would stop the updater",
		"a\x00b":                       "not a text file",
		strings.Repeat("#", MaxSize+1): "are allowed",
	} {
		require.ErrorContains(t, CheckText("a.service", []byte(text)), says)
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, Dir), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, Dir, "a.service"), []byte("[Unit]\n"), 0o600))
		bad, err := CheckTexts(dir)
		require.NoError(t, errors.Join(bad, err))
		require.NoError(t, os.WriteFile(filepath.Join(dir, Dir, "b.service"), []byte(text), 0o600))
		bad, err = CheckTexts(dir)
		require.NoError(t, err)
		require.ErrorContains(t, bad, "b.service")
	}
	bad, err := CheckTexts(t.TempDir())
	require.NoError(t, errors.Join(bad, err), "no units at all")

	d := newDevice(t)
	d.carry("1.0.0", "tope-updater.service", "a.service")
	require.NoError(t, os.Symlink("/etc/shadow", filepath.Join(d.root, "versions/1.0.0/systemd/b.service")))
	c := d.follow("1.0.0")
	require.Len(t, c.Left, 2, "a version made by hand is taken as it is, but for these")
	require.NotContains(t, d.tree(), "b.service")
}

func TestParse(t *testing.T) {
	u, err := parse("a.service", []byte("# x\n[Service]\nType = oneshot\n[Install]\nWantedBy=gone.target\nWantedBy=\nWantedBy=a.target \\\n b.target %i.target\nRequiredBy=c.service\n"))
	require.NoError(t, err)
	require.True(t, u.Passing)
	for remains, passing := range map[string]bool{"yes": false, "On": false, "1": false, "no": true, "": true} {
		u, err := parse("a.service", []byte("[Service]\nRemainAfterExit="+remains+"\nType=oneshot\n"))
		require.NoError(t, err)
		require.Equal(t, passing, u.Passing, remains)
	}
	require.Equal(t, []string{"a.target.wants", "b.target.wants", "c.service.requires"}, u.wanted)
	u, err = parse("a@.service", []byte("[Install]\nWantedBy=a.target\n"))
	require.NoError(t, err)
	require.True(t, u.Template())
	require.Empty(t, u.wanted)
	u, err = parse("a.service", []byte("[Install]\nRequiredBy=tope-updater.service b.target\nWantedBy=tope-updater.service\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"b.target.requires", "tope-updater.service.wants"}, u.wanted)
	for _, line := range []string{"Conflicts=shutdown.target tope-updater.service", "PropagatesStopTo=tope-updater-recover.service"} {
		_, err = parse("a.service", []byte("[Unit]\n"+line+"\n"))
		require.ErrorContains(t, err, "would stop the updater")
	}
	_, err = parse("a.service", []byte("\x00"))
	require.Error(t, err)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[Service]\nType=oneshot\n[Install]\nWantedBy=../../x.target a.target\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := parse("a.service", text)
		if err != nil {
			return
		}
		for _, w := range u.wanted {
			if strings.ContainsAny(w, "/\x00") || strings.HasPrefix(w, ".") {
				t.Fatalf("a link would be made in %q", w)
			}
		}
	})
}

// TestCutAnywhere ends Follow after each of its changes, and has another call,
// to the same version or back, finish.
func TestCutAnywhere(t *testing.T) {
	for _, then := range []string{"1.0.0", "1.1.0"} {
		for cut := 0; ; cut++ {
			d := newDevice(t)
			d.carry("1.0.0", "api.service", "old.service")
			d.carry("1.1.0", "api.service", "new.service", "theirs.service")
			d.write(etc+"/theirs.service", "the operator's\n")
			d.follow("1.0.0")
			a := d.tree()
			d.follow("1.1.0")
			b := d.tree()
			d.follow("1.0.0")
			require.Equal(t, a, d.tree())

			p, err := d.plan("1.1.0", false)
			require.NoError(t, err)
			left := cut
			for _, g := range p.groups {
				for _, one := range g {
					if left--; left >= 0 {
						require.NoError(t, one.do())
					}
				}
			}
			d.follow(then)
			require.Equal(t, map[string]map[string]string{"1.0.0": a, "1.1.0": b}[then], d.tree(), "cut after %d changes, then %s", cut, then)
			if left >= 0 {
				break
			}
		}
	}
}

// Whether the unit files could be written is tried without leaving anything.
func TestProbe(t *testing.T) {
	d := newDevice(t)
	d.carry("1.0.0", "api.service")
	d.write(etc+"/masked.service", "")
	d.carry("1.1.0", "api.service", "masked.service")
	d.follow("1.0.0")
	before := d.tree()
	for _, version := range []string{"1.0.0", "1.1.0"} {
		_, err := d.Probe(version)
		require.NoError(t, err)
	}
	left, err := d.Probe("1.1.0")
	require.NoError(t, err)
	require.Equal(t, []Left{{"masked.service", "it is masked"}}, left)
	require.Equal(t, before, d.tree())

	// A cut leaves a name that the next Follow removes.
	require.NoError(t, os.Symlink(os.DevNull, filepath.Join(d.root, etc, ".tope-probe.service"+disk.TempSuffix)))
	d.follow("1.0.0")
	require.Equal(t, before, d.tree())

	require.NoError(t, os.RemoveAll(filepath.Join(d.root, etc)))
	d.write("etc/systemd/system", "a file is in the way")
	_, err = d.Probe("1.0.0")
	require.Error(t, err)
}

// What Follow would do to the units is told without doing it.
func TestUpcoming(t *testing.T) {
	d := newDevice(t, "api.service")
	d.write(etc+"/api.service", "the operator's")
	d.carry("1.0.0", "api.service", "old.service")
	d.carry("1.1.0", "new.service", "once.service=[Service]\nType=oneshot\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n", "idle.service=[Service]\nExecStart=/x\n")
	d.follow("1.0.0")
	before := d.tree()
	all, err := d.Upcoming("1.1.0")
	require.NoError(t, err)
	require.Equal(t, before, d.tree())
	require.Len(t, all, 5)
	require.Equal(t, Upcoming{Text: []byte("the operator's")}, all["api.service"], "put back")
	require.Equal(t, Upcoming{}, all["old.service"], "gone")
	require.Contains(t, string(all["new.service"].Text), "ExecStart=/bin/1.1.0/new.service")
	starts := map[string]bool{}
	for name, u := range all {
		starts[name] = u.Starts
	}
	require.Equal(t, map[string]bool{"api.service": false, "old.service": false, "new.service": true, "once.service": false, "idle.service": false}, starts)
	all, err = d.Upcoming("1.0.0")
	require.NoError(t, err)
	require.Empty(t, all)
}
