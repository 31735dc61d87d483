package look_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
)

// at makes a device's link, with the directory it is in.
func (d *device) at(path, target string) {
	d.t.Helper()
	host := d.root.Dir() + path
	require.NoError(d.t, os.MkdirAll(filepath.Dir(host), 0o755))
	require.NoError(d.t, os.Symlink(target, host))
}

// asIf is the device as it would be with a version current.
func (d *device) asIf(version string) *look.AsIf {
	d.t.Helper()
	a, err := look.AsIfCurrent(d.root, d.Store, version)
	require.NoError(d.t, err)
	return a
}

// Version 1.0.0 is current; paths are followed as if 2.0.0 was, which has a program
// more, and one fewer.
func TestWherePathsWouldLead(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0", "bin/api", "bin/old")
	d.publish("2.0.0", "bin/api", "bin/new")
	d.link("current", "v1.0.0")
	_, err := d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	const v1, v2 = "/opt/tope/versions/v1.0.0", "/opt/tope/versions/v2.0.0"
	d.at("/usr/local/bin/pinned", v1+"/bin/api")
	d.at("/srv/app", "../opt/tope/versions/current/bin")
	d.at("/srv/loop", "loop")
	d.at("/jail/bin/api", "/opt/tope/versions/current/bin/api")
	d.file("/usr/bin/python3", "")
	for path, want := range map[string]look.Place{
		"/usr/local/bin/api":                {Path: v2 + "/bin/api", Version: "2.0.0"},
		"/usr/local/bin/new":                {Path: v2 + "/bin/new", Version: "2.0.0"},
		"/usr/local/bin/old":                {Path: v2 + "/bin/old", Version: "2.0.0", Err: fs.ErrNotExist},
		"/usr/local/bin/pinned":             {Path: v1 + "/bin/api", Version: "1.0.0"},
		"/usr/bin/python3":                  {Path: "/usr/bin/python3"},
		"/srv/app/../bin/new":               {Path: v2 + "/bin/new", Version: "2.0.0"},
		"/srv/app/sub/main.py":              {Path: v2 + "/bin/sub/main.py", Version: "2.0.0", Err: fs.ErrNotExist},
		"/opt/tope/versions/current":        {Path: v2, Version: "2.0.0"},
		"/opt/tope/versions/current/../x":   {Path: "/opt/tope/versions/x", Err: fs.ErrNotExist},
		"/usr/bin/python3/x":                {Path: "/usr/bin/python3/x", Err: unix.ENOTDIR},
		"/srv/loop/x":                       {Path: "/srv/loop/x", Err: unix.ELOOP},
		"/../../opt/tope/versions/current/": {Path: v2, Version: "2.0.0"},
	} {
		got := d.asIf("2.0.0").At(path)
		require.Equal(t, [2]string{want.Path, want.Version}, [2]string{got.Path, got.Version}, path)
		require.ErrorIs(t, got.Err, want.Err, path)
		require.Equal(t, want.Err != nil, got.Missing(), path)
		require.Equal(t, want.Err == nil, got.Info != nil, path)
	}
	// Below a root directory, absolute links lead to it.
	got := d.asIf("2.0.0").Below("/jail", "/bin/api")
	require.Equal(t, "/jail/opt/tope/versions/current/bin/api", got.Path)
	require.True(t, got.Missing())
	// And where current leads nowhere, so does all that goes through it.
	require.True(t, d.asIf("").At("/usr/local/bin/api").Missing())
	require.False(t, d.asIf("").At("/usr/local/bin/pinned").Missing())
}

// What a unit needs is told setting by setting, with what is wrong with each.
func TestWhatAStartNeeds(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0", "bin/api", "app/main.py")
	d.link("current", "v1.0.0")
	d.file("/usr/bin/python3", "#!/bin/sh\n")
	require.NoError(t, os.Chmod(d.root.Dir()+"/usr/bin/python3", 0o755))
	d.file("/usr/bin/data", "#!/bin/sh\n")
	d.file("/usr/bin/lost", "#!/opt/lua\n")
	require.NoError(t, os.Chmod(d.root.Dir()+"/usr/bin/lost", 0o755))
	d.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\napi:x:990:991::/:/bin/false\n")
	d.file("/etc/group", "staff:x:50:api\n")
	main := func(args ...string) []service.Execution {
		return []service.Execution{{Phase: service.Main, Path: args[0], Args: args}}
	}
	const current = "/opt/tope/versions/current"
	for name, c := range map[string]struct {
		launch service.Launch
		want   []string
	}{
		"all is there": {service.Launch{Commands: main("/usr/local/bin/api"), Dir: current + "/app"}, nil},
		"no program": {service.Launch{Commands: main(current + "/bin/web")}, []string{
			"ExecStart=" + current + "/bin/web leads to /opt/tope/versions/v1.0.0/bin/web, which does not exist",
		}},
		"no program outside": {service.Launch{Commands: main("/usr/bin/none")}, []string{"ExecStart=/usr/bin/none does not exist"}},
		"searched for":       {service.Launch{Commands: main("python3", "-u", current+"/app/main.py")}, nil},
		"not found":          {service.Launch{Commands: main("perl")}, []string{"ExecStart=perl does not exist"}},
		"no execute bit": {service.Launch{Commands: main("/usr/bin/data")}, []string{
			"ExecStart=/usr/bin/data which cannot be executed: a program without execute bit (chmod +x it)",
		}},
		"no interpreter": {service.Launch{Commands: main("/usr/bin/lost")}, []string{
			`ExecStart=/usr/bin/lost which cannot be executed: its interpreter "/opt/lua" is not on the device`,
		}},
		"a directory": {service.Launch{Commands: main("/usr/bin")}, []string{"ExecStart=/usr/bin which is not a file"}},
		"no script": {service.Launch{Commands: main("/usr/bin/python3", "-u", current+"/main.py")}, []string{
			"script=" + current + "/main.py leads to /opt/tope/versions/v1.0.0/main.py, which does not exist",
		}},
		"no script in the directory": {service.Launch{Commands: main("/usr/bin/python3", "web.py"), Dir: current + "/app"}, []string{
			"script=web.py leads to /opt/tope/versions/v1.0.0/app/web.py, which does not exist",
		}},
		"no directory": {service.Launch{Commands: main("/usr/local/bin/api"), Dir: current + "/www"}, []string{
			"WorkingDirectory=" + current + "/www leads to /opt/tope/versions/v1.0.0/www, which does not exist",
		}},
		"no root":            {service.Launch{Commands: main("/x"), RootDir: "/jail"}, []string{"RootDirectory=/jail does not exist"}},
		"no environment":     {service.Launch{Commands: main("/usr/local/bin/api"), EnvFiles: []string{"/etc/none"}}, []string{"EnvironmentFile=/etc/none does not exist"}},
		"an image":           {service.Launch{Commands: main("/x"), Image: "/x.img"}, nil},
		"with a variable":    {service.Launch{Commands: main("/usr/bin/python3", "$X")}, nil},
		"somebody may reach": {service.Launch{Commands: main("/usr/local/bin/api"), User: "api"}, nil},
	} {
		var got []string
		for _, n := range d.asIf("1.0.0").Needs(c.launch, d.CannotStart) {
			if n.Problem != "" {
				got = append(got, n.String())
			}
		}
		require.Equal(t, c.want, got, name)
	}
}

// A closed directory on the way keeps a service's user from its program.
func TestWhoMayReachAProgram(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0", "bin/api")
	d.link("current", "v1.0.0")
	require.NoError(t, os.Chmod(d.root.Dir()+"/opt/tope", 0o750))
	require.NoError(t, os.Chown(d.root.Dir()+"/opt/tope", 0, 50))
	d.file("/etc/passwd", "api:x:990:991::/:/bin/false\nother:x:992:992::/:/bin/false\n")
	d.file("/etc/group", "staff:x:50:api\nextra:x:51:\n")
	for user, want := range map[string]string{"": "", "api": "", "990": "", "other": "/opt/tope"} {
		u, known := look.UserAt(d.root, user)
		require.True(t, known, user)
		at, mode := d.asIf("1.0.0").At("/usr/local/bin/api").Barred(u)
		require.Equal(t, want, at, user)
		if want != "" {
			require.Equal(t, fs.FileMode(0o750), mode.Perm())
		}
	}
	u, _ := look.UserAt(d.root, "other", "staff")
	at, _ := d.asIf("1.0.0").At("/usr/local/bin/api").Barred(u)
	require.Empty(t, at, "by a further group")
	_, known := look.UserAt(d.root, "dynamic")
	require.False(t, known)

	needs := d.asIf("1.0.0").Needs(service.Launch{
		User: "other", Commands: []service.Execution{{Phase: service.Main, Path: "/usr/local/bin/api", Args: []string{"api"}}},
	}, d.CannotStart)
	require.Len(t, needs, 1)
	require.True(t, needs[0].Closed)
	require.Contains(t, needs[0].String(), "which the user other cannot reach: /opt/tope has the mode 0750")
}
