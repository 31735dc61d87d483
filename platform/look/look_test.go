package look_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
)

func TestChangedFilesAndStrayLinks(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0", "bin/api", "bin/web")
	odd, err := look.Changed(d.Store, "1.0.0")
	require.NoError(t, err)
	require.Empty(t, odd)
	for _, path := range []string{d.Path("1.0.0"), d.Path("1.0.0") + "/bin", d.Path("1.0.0") + "/bin/web"} {
		require.NoError(t, os.Chmod(path, 0o755))
	}
	require.NoError(t, os.WriteFile(d.Path("1.0.0")+"/bin/cache.db", nil, 0o644))
	require.NoError(t, os.WriteFile(d.Path("1.0.0")+"/bin/web", []byte("longer than it was"), 0o755))
	odd, err = look.Changed(d.Store, "1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{"bin/cache.db is new", "bin/web has another size"}, odd)
	odd, err = look.Changed(d.Store, "2.0.0")
	require.NoError(t, err)
	require.Empty(t, odd)

	require.Empty(t, look.StrayLinks(d.Store, "1.0.0"))
	for name, target := range map[string]string{"v1.0.0": "v1.0.0", "data": "/opt/tope/shared/data", "vim": "x"} {
		require.NoError(t, os.Symlink(target, filepath.Join(d.Path("1.0.0"), name)))
	}
	require.Equal(t, []string{"v1.0.0"}, look.StrayLinks(d.Store, "1.0.0"))
}

func TestConditionsOfServices(t *testing.T) {
	m := servicetest.NewFake(clocktest.New(), "api")
	for _, c := range []struct {
		status service.Status
		want   look.Condition
		says   string
	}{
		{service.Status{}, look.Unknown, "the service manager knows no unit api.service"},
		{service.Status{Loaded: true, Active: service.Stopped, Result: "masked"}, look.Unusable, "api.service is masked"},
		{service.Status{Loaded: true, Active: service.Running, Sub: "running", Result: "success"}, look.Up, "api is active (running)"},
		{service.Status{Loaded: true, Active: service.Reloading}, look.Up, "api is reloading"},
		{service.Status{Loaded: true, Active: service.Starting}, look.Down, "api is activating"},
		{service.Status{Loaded: true, Active: service.Broken, Sub: "failed", Result: "exit-code", ExitStatus: 3, Restarts: 5}, look.Down, "api is failed (failed): exit status 3, restarted 5 times by itself"},
	} {
		m.Set("api", func(st *service.Status) { *st = c.status })
		s, err := look.ServiceAt(t.Context(), m, service.Service{Name: "api"})
		require.NoError(t, err)
		require.Equal(t, c.want, s.Condition(), "%+v", c.status)
		require.Contains(t, s.String(), c.says)
	}
	m.Unreachable(true)
	_, err := look.ServiceAt(t.Context(), m, service.Service{Name: "api"})
	require.ErrorIs(t, err, service.ErrUnavailable)
}

// Units hide each other as systemd has it: the first directory that has the
// unit counts, drop-ins come from all, and the last setting wins.
func TestUnitFilesAndWhatTheySet(t *testing.T) {
	d := newDevice(t)
	dirs := []string{"/etc/units", "/run/units", "/usr/units"}
	host := func(paths ...string) (all []string) {
		for _, p := range paths {
			all = append(all, d.root.Dir()+p)
		}
		return all
	}
	require.Empty(t, look.UnitFiles(d.root, dirs, "api.service"))
	d.file("/usr/units/api.service", "[Service]\nWorkingDirectory=/usr\nUser=tope\n")
	require.Equal(t, host("/usr/units/api.service"), look.UnitFiles(d.root, dirs, "api.service"))
	d.file("/etc/units/api.service", "[Service]\nWorkingDirectory = /etc \n# User=root\n;Group=root\n")
	d.file("/usr/units/api.service.d/10-a.conf", "WorkingDirectory=/hidden\n")
	d.file("/etc/units/api.service.d/10-a.conf", "WorkingDirectory=/a\n")
	d.file("/usr/units/api.service.d/20-b.conf", "WorkingDirectory=/b\n")
	d.file("/etc/units/api.service.d/30-c", "WorkingDirectory=/c\n") // not a drop-in
	files := look.UnitFiles(d.root, dirs, "api.service")
	require.Equal(t, host("/etc/units/api.service", "/etc/units/api.service.d/10-a.conf", "/usr/units/api.service.d/20-b.conf"), files)
	require.Equal(t, map[string]string{"WorkingDirectory": "/b"}, look.Settings(files))
	require.Equal(t, map[string]string{"WorkingDirectory": "/etc"}, look.Settings(append(files[:1], "/nowhere")))
}

func TestOwners(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/bin", 0o755))
	require.NoError(t, os.WriteFile(dir+"/bin/api", nil, 0o555))
	require.NoError(t, os.Symlink("api", dir+"/bin/link"))
	for _, d := range []string{dir, dir + "/bin"} {
		require.NoError(t, os.Chmod(d, 0o555))
		t.Cleanup(func() { require.NoError(t, os.Chmod(d, 0o755)) }) // so that it can be removed without root
	}
	tree, err := look.TreeAt(dir)
	require.NoError(t, err)
	require.Equal(t, look.Tree{}, tree)
	o, err := look.OwnerOf(dir + "/bin/link")
	require.NoError(t, err)
	require.False(t, o.Stranger() || o.Everybody() || o.Group())

	require.NoError(t, os.Chmod(dir+"/bin/api", 0o757))
	require.NoError(t, os.Chmod(dir+"/bin", 0o777|os.ModeSticky))
	tree, err = look.TreeAt(dir)
	require.NoError(t, err)
	require.Equal(t, look.Some{Count: 2, First: "bin"}, tree.Writable)
	o, err = look.OwnerOf(dir + "/bin/link")
	require.NoError(t, err)
	require.True(t, o.Everybody())
	o, err = look.OwnerOf(dir + "/bin")
	require.NoError(t, err)
	require.False(t, o.Everybody(), "the sticky bit keeps others from replacing what is there")

	if os.Geteuid() == 0 {
		require.NoError(t, os.Lchown(dir+"/bin/api", 12345, 54321))
		require.NoError(t, os.Lchown(dir+"/bin/link", 12345, 54321))
		require.NoError(t, os.Chmod(dir+"/bin/api", 0o575))
		tree, err = look.TreeAt(dir)
		require.NoError(t, err)
		require.Equal(t, look.Some{Count: 2, First: "bin/api"}, tree.Strangers)
		o, err = look.OwnerOf(dir + "/bin/api")
		require.NoError(t, err)
		require.True(t, o.Stranger() && o.Group() && !o.Everybody())
	}
	_, err = look.OwnerOf(dir + "/none")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = look.TreeAt(dir + "/none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWhoListensOnAPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	holder, held := look.Listener(port)
	require.True(t, held)
	require.Equal(t, os.Getpid(), holder.PID)
	require.NoError(t, l.Close())
	for _, free := range []string{port, "http"} {
		_, held = look.Listener(free)
		require.False(t, held)
	}
}

func TestWriters(t *testing.T) {
	roottest.Need(t, "writing to files without write bits")
	d := newDevice(t)
	d.publish("1.0.0", "services/device-api/run")
	found, err := look.Writers(d.root, d.Store, "1.0.0")
	require.NoError(t, err)
	require.Empty(t, found)

	const dir = "/opt/tope/versions/v1.0.0/services/device-api"
	start := func(cmd *exec.Cmd) int {
		cmd.Args[0] = "writer"
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait() // it was killed
		})
		return cmd.Process.Pid
	}
	inside := exec.CommandContext(t.Context(), "sleep", "1000")
	inside.Dir = d.root.Dir() + dir
	first := start(inside)

	f, err := os.OpenFile(d.root.Dir()+dir+"/run", os.O_WRONLY, 0) // root may
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	r, err := os.Open(d.root.Dir() + dir + "/run")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	outside := exec.CommandContext(t.Context(), "sleep", "1000")
	outside.ExtraFiles = []*os.File{r, f}
	second := start(outside)
	reading := exec.CommandContext(t.Context(), "sleep", "1000")
	reading.ExtraFiles = []*os.File{r}
	start(reading)

	found, err = look.Writers(d.root, d.Store, "1.0.0")
	require.NoError(t, err)
	require.ElementsMatch(t, []look.Writer{
		{PID: first, Program: "sleep", Path: dir, Dir: true},
		{PID: second, Program: "sleep", Path: dir + "/run"},
	}, found)
	require.Contains(t, found[0].String(), "in the version: "+dir)
}
