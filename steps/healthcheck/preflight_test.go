package healthcheck_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/bystander"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/stepstest"
)

const current = "/opt/tope/versions/current"

// scene is a device on which version 1.0.0 runs, and a preflight of 1.1.0.
type scene struct {
	*bench
	d         *stepstest.Device
	cfg       healthcheck.Config
	snapshots *room
}

// room answers for snapshots.
type room struct{ lacks error }

func (r *room) Measure(context.Context, []string) (snapshot.Size, error) { return snapshot.Size{}, nil }
func (r *room) Fits(snapshot.Size) error                                 { return r.lacks }

func newScene(t *testing.T, files map[string]string, brought versions.Brought) *scene {
	t.Helper()
	s := &scene{bench: newBench(t), d: stepstest.NewDevice(t, ""), snapshots: &room{}}
	old := map[string]string{"bin/device-api": "#!/bin/sh\n", "app/main.py": "x", "www/index": "x", "etc/conf": "x"}
	stepstest.Publish(t, s.d.Store, "1.0.0", old, versions.Brought{})
	if files == nil {
		files = old
	}
	stepstest.Publish(t, s.d.Store, "1.1.0", files, brought)
	_, err := s.d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	require.NoError(t, s.d.Point(versions.Current, "1.0.0"))
	s.file(t, "/usr/bin/python3", "#!/bin/sh\n", 0o755)
	s.file(t, "/bin/sh", "#!/bin/sh\n", 0o755)
	s.file(t, "/etc/passwd", "tope:x:990:990::/:/bin/false\n", 0o644)
	s.task.Before = versions.Pointers{Current: "1.0.0"}
	s.task.Target = versions.Pointers{Current: "1.1.0"}
	root, err := disk.NewRoot(s.d.Root)
	require.NoError(t, err)
	units := unitfiles.New(unitfiles.Config{Root: root, Tree: s.d.Store.Path})
	s.cfg = healthcheck.Config{
		Manager: s.manager, Services: []service.Service{{Name: "device-api"}}, Clock: s.clock, Versions: s.d.Store, Units: units,
		Site: &healthcheck.Site{Root: root, Store: s.d.Store, UnitFiles: units, Snapshots: s.snapshots},
	}
	return s
}

func (s *scene) file(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	host := s.d.Path(path)
	require.NoError(t, os.MkdirAll(filepath.Dir(host), 0o755))
	require.NoError(t, os.WriteFile(host, []byte(text), mode))
}

// main sets what device-api executes, besides l.
func (s *scene) main(l service.Launch, args ...string) {
	l.Commands = append(l.Commands, service.Execution{Phase: service.Main, Path: args[0], Args: args})
	s.manager.Launches("device-api", l)
}

// asks runs the preflight, and returns the texts of its findings: the fatal ones begin with "!".
func (s *scene) asks(t *testing.T) (found []string) {
	t.Helper()
	before := s.manager.PIDs()
	s.manager.Calls()
	p, err := healthcheck.New(s.cfg).Preflight(t.Context(), s.task)
	require.NoError(t, err)
	require.Equal(t, before, s.manager.PIDs(), "no service was touched")
	require.Empty(t, s.manager.Calls())
	for _, f := range p.Findings {
		text := f.String()
		if f.Fatal {
			text = "!" + text
			require.NotEmpty(t, f.Hint, "what to change")
		}
		found = append(found, text)
	}
	err = steps.Refusal(p.Findings)
	if fatal := len(found) > 0 && strings.HasPrefix(found[0], "!"); fatal {
		require.Equal(t, steps.Local, steps.AsError(err).Class, "the release is never blamed")
	} else {
		require.NoError(t, err)
	}
	return found
}

// Each case is one question of the preflight. want are parts of the findings, in their
// order; a fatal one begins with "!".
func TestWhatAPreflightFinds(t *testing.T) {
	program := map[string]string{"bin/device-api": "#!/bin/sh\n"}
	plain := func(t *testing.T, s *scene) {
		require.NoError(t, os.Remove(s.d.Path("/usr/local/bin/device-api")))
		self, err := os.Executable() // a program, and not a script
		require.NoError(t, err)
		text, err := os.ReadFile(self)
		require.NoError(t, err)
		s.file(t, "/usr/local/bin/device-api", string(text), 0o755)
	}
	with := func(more ...string) map[string]string {
		files := map[string]string{"bin/device-api": "#!/bin/sh\n"}
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	unit := func(text string) map[string]string { return with("systemd/device-api.service", "[Service]\n"+text) }
	for name, c := range map[string]struct {
		files   map[string]string
		brought versions.Brought
		do      func(t *testing.T, s *scene)
		want    []string
	}{
		"nothing": {},

		// what a start needs
		"only a configuration file": {files: map[string]string{"etc/conf": "x"}, want: []string{
			"!device-api.service: ExecStart=/usr/local/bin/device-api leads to /opt/tope/versions/v1.1.0/bin/device-api, which does not exist; publish a release that has it",
		}},
		"WorkingDirectory leads to nothing": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Dir: current + "/www"}, "/usr/local/bin/device-api")
		}, []string{"!WorkingDirectory=" + current + "/www leads to /opt/tope/versions/v1.1.0/www, which does not exist"}},
		"a directory that may be missing": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Dir: current + "/www", DirOptional: true}, "/usr/local/bin/device-api")
		}, nil},
		"a command before the start": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Commands: []service.Execution{{Phase: service.StartPre, Path: current + "/bin/prepare"}}}, "/usr/local/bin/device-api")
		}, []string{"!ExecStartPre=" + current + "/bin/prepare leads to"}},
		"a command that may fail": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Commands: []service.Execution{{Phase: service.StartPre, Path: current + "/bin/prepare", Lenient: true}}}, "/usr/local/bin/device-api")
		}, nil},
		"a script that was there": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Dir: current}, "/usr/bin/python3", "app/main.py")
		}, []string{"!script=app/main.py leads to /opt/tope/versions/v1.1.0/app/main.py, which does not exist"}},
		"an argument that is not a path": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Dir: current}, "/usr/bin/python3", "-m", "http.server")
		}, nil},
		// Arguments that are not scripts, or not yet there.
		"a command in an argument": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{}, "/bin/sh", "-c", current+"/bin/device-api --verbose")
		}, nil},
		"a class path": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{}, "/bin/sh", "-cp", current+"/lib/*:"+current+"/api.jar", "Main")
		}, nil},
		"a directory with a program in it": {with("app/__main__.py", "x"), versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{}, "/usr/bin/python3", current+"/app")
		}, nil},
		"a directory for a program": {with("app/main.py", "x"), versions.Brought{}, func(t *testing.T, s *scene) {
			s.file(t, "/usr/bin/gunicorn", "#!/usr/bin/python3\n", 0o755)
			s.main(service.Launch{}, "/usr/bin/gunicorn", "--chdir", current+"/app", "main:app")
		}, nil},
		"what a command makes in the version": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			s.file(t, "/bin/mkdir", "#!/bin/sh\n", 0o755)
			s.main(service.Launch{Commands: []service.Execution{
				{Phase: service.StartPre, Path: "/bin/mkdir", Args: []string{"/bin/mkdir", "-p", current + "/run"}},
			}}, "/usr/local/bin/device-api")
		}, nil},
		"env": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			s.file(t, "/usr/bin/env", "#!/bin/sh\n", 0o755)
			s.main(service.Launch{}, "/usr/bin/env", "node", current+"/server.js")
		}, []string{"!script=" + current + "/server.js leads to"}},
		"an interpreter that comes with the version": {
			with("bin/device-api", "#!"+current+"/venv/bin/python3\n", "venv/bin/python3", "#!/bin/sh\n"),
			versions.Brought{},
			func(t *testing.T, s *scene) {
				require.NoError(t, os.Chmod(s.d.Store.Path("1.1.0")+"/venv/bin/python3", 0o755))
			}, nil,
		},
		"an interpreter that leaves with the old version": {
			with("bin/device-api", "#!"+current+"/venv/bin/python3\n"),
			versions.Brought{},
			func(t *testing.T, s *scene) {
				require.NoError(t, os.Chmod(s.d.Store.Path("1.0.0"), 0o755))
				s.file(t, "/opt/tope/versions/v1.0.0/venv/bin/python3", "#!/bin/sh\n", 0o755)
			},
			[]string{"!its interpreter \"" + current + "/venv/bin/python3\" is not on the device"},
		},
		"a search path of its own": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Search: []string{current + "/bin"}}, "device-api")
		}, nil},
		"a helper of a version that is kept": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Commands: []service.Execution{{Phase: service.StartPre, Path: "/opt/tope/versions/v1.0.0/bin/device-api"}}}, "/usr/local/bin/device-api")
		}, nil},
		"a program that is text": {with("bin/device-api", "text"), versions.Brought{}, nil, []string{
			"!bin/device-api, which cannot be executed: neither an ELF file nor a script with #!",
		}},
		"a program of another version": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			require.NoError(t, os.Symlink("/opt/tope/versions/v1.0.0/bin/device-api", s.d.Path("/usr/bin/device-api")))
			s.main(service.Launch{}, "/usr/bin/device-api")
		}, []string{"!ExecStart=/usr/bin/device-api leads to /opt/tope/versions/v1.0.0/bin/device-api: that is in version 1.0.0, whatever version is current; make it lead through " + current}},
		"a plain file in a link's place": {program, versions.Brought{}, plain, []string{
			"!device-api.service executes /usr/local/bin/device-api, a plain file outside the versions, and not the bin/device-api of version 1.1.0; make it lead through current",
		}},
		"a plain file, declared to be outside the versions": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			plain(t, s)
			s.cfg.Services[0].OutsideVersions = true
		}, nil},
		"mounts of its own": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Private: true}, "/srv/inside")
		}, []string{"ExecStart=/srv/inside does not exist, as far as can be told"}},
		"what a hook may make": {program, versions.Brought{Hooks: map[versions.Hook]string{versions.PostSwitch: "bin/device-api"}}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Dir: "/srv/made"}, "/usr/local/bin/device-api")
		}, []string{"WorkingDirectory=/srv/made does not exist, as far as can be told"}},
		"a closed directory": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			require.NoError(t, os.Chmod(s.d.Path("/opt/tope"), 0o700))
			s.main(service.Launch{User: "tope"}, "/usr/local/bin/device-api")
		}, []string{"!the user tope cannot reach: /opt/tope has the mode 0700; let the user pass (chmod o+x)"}},
		"a closed directory for root": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			require.NoError(t, os.Chmod(s.d.Path("/opt/tope"), 0o700))
			s.main(service.Launch{Commands: []service.Execution{{Phase: service.StartPre, Path: current + "/bin/device-api", Privileged: true}}}, "/usr/local/bin/device-api")
		}, nil},

		// the units of the release
		"a unit of the release that leads to nothing": {unit("ExecStart=/usr/local/bin/none\nWorkingDirectory=" + current + "/none"), versions.Brought{}, nil, []string{
			"!WorkingDirectory=" + current + "/none leads to", "!ExecStart=/usr/local/bin/none does not exist",
		}},
		"a unit of the release that fits": {unit("ExecStart=/usr/local/bin/device-api\nStateDirectory=new\nWorkingDirectory=/var/lib/new"), versions.Brought{}, nil, nil},
		"a new service of the release": {
			with("systemd/web.service", "[Service]\nExecStart="+current+"/bin/web\n[Install]\nWantedBy=multi-user.target\n"),
			versions.Brought{},
			nil,
			[]string{"!web.service: ExecStart=" + current + "/bin/web leads to"},
		},
		"a unit that left with the old version": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			require.NoError(t, os.Chmod(s.d.Store.Path("1.0.0"), 0o755))
			require.NoError(t, os.Mkdir(s.d.Store.Path("1.0.0")+"/systemd", 0o755))
			require.NoError(t, os.WriteFile(s.d.Store.Path("1.0.0")+"/systemd/device-api.service", []byte("[Service]\nExecStart=/x\n"), 0o644))
			_, err := s.cfg.Units.Follow("1.0.0")
			require.NoError(t, err)
		}, []string{"!device-api.service came with another version, and version 1.1.0 does not bring it"}},
		"masked": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.manager.Set("device-api", func(st *service.Status) { st.Result = "masked" })
		}, []string{"!device-api.service is masked; run systemctl unmask device-api.service"}},
		"unreadable": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.manager.Set("device-api", func(st *service.Status) { st.Result = "bad-setting" })
		}, []string{"!device-api.service is loaded as bad-setting"}},
		"unreadable, and replaced by the release's": {unit("ExecStart=/usr/local/bin/device-api"), versions.Brought{}, func(_ *testing.T, s *scene) {
			s.manager.Set("device-api", func(st *service.Status) { st.Result = "bad-setting" })
		}, []string{"device-api: active device-api fails on version 1.0.0 already"}},

		// services that nobody knows
		"a configured service that is missing": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.cfg.Services = append(s.cfg.Services, service.Service{Name: "gone"})
		}, []string{"!no such unit: gone.service; install its unit"}},
		"a service that the release names": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.task.Release.Services = []string{"device-api", "tope-updater", "extra"}
		}, []string{"!no such unit: extra.service, which version 1.1.0 names"}},
		"a service that the release names by its unit": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.cfg.Services = []service.Service{{Name: "api", Unit: "device-api.service"}}
			s.manager.Add("api")
			require.NoError(t, s.manager.Start(t.Context(), service.Service{Name: "api"}))
			s.manager.Launches("api", service.Launch{Commands: []service.Execution{{Phase: service.Main, Path: "/usr/local/bin/device-api"}}})
			s.task.Release.Services = []string{"device-api"}
		}, nil},
		"a service that its commands may install": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.task.Release.Services = []string{"extra"}
			s.task.Facts.Verify = &steps.Verified{Commands: []steps.Command{{Shell: "true"}}}
		}, []string{"no such unit: extra.service, which the release names; its own commands may install it"}},
		"a service that the release checks": {program, versions.Brought{Health: []health.Check{{Service: "extra", Kind: health.Active}}}, nil, []string{
			"!no such unit: extra.service, which version 1.1.0 names",
		}},
		"where somebody else runs the services": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.task.Release.Services, s.cfg.Services = []string{"extra"}, nil
			s.cfg.Manager = bystander.Manager{}
		}, nil},

		// what Switch does
		"a link that the release needs": {program, versions.Brought{Links: []string{"bin/device-api"}}, func(t *testing.T, s *scene) {
			require.NoError(t, os.Remove(s.d.Path("/usr/local/bin/device-api")))
			s.file(t, "/usr/local/bin/device-api", "#!/bin/sh\n", 0o755)
		}, []string{"!version 1.1.0 cannot do without the link /usr/local/bin/device-api"}},
		"no unit file can be written": {unit("ExecStart=/usr/local/bin/device-api"), versions.Brought{}, func(_ *testing.T, s *scene) {
			s.cfg.Site.UnitFiles = unwritable{s.cfg.Site.UnitFiles}
		}, []string{"!unit files cannot be written"}},
		"a snapshot that takes too long": {program, versions.Brought{Writable: []versions.Writable{{Path: "data", Snapshot: true}}}, func(_ *testing.T, s *scene) {
			s.snapshots.lacks = &snapshot.CostError{Path: "/opt/tope/shared/data", Files: 4_000_000, Bytes: 1 << 30, Doing: "copying", Limit: 10 * time.Minute}
		}, []string{"!no snapshot can be taken of what the services wrote: the snapshot would take too long: copying /opt/tope/shared/data, with at least 4000000 entries and 1024 MiB on the disk, takes more than 10m0s"}},
		"no room for a snapshot": {program, versions.Brought{Writable: []versions.Writable{{Path: "data", Snapshot: true}}}, func(_ *testing.T, s *scene) {
			s.snapshots.lacks = &disk.SpaceError{Path: "/opt/tope/shared", Need: disk.Space{Bytes: 2}, Have: disk.Space{Bytes: 1}}
		}, []string{"!no snapshot can be taken of what the services wrote: not enough space at /opt/tope/shared"}},

		// the checks
		"a check that can pass on no version": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Type: "oneshot"}, "/usr/local/bin/device-api")
		}, []string{"!device-api.service is of Type=oneshot and ends when it has run"}},
		"a oneshot that remains": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.main(service.Launch{Type: "oneshot", RemainsAfterExit: true}, "/usr/local/bin/device-api")
		}, nil},
		"a oneshot of which nothing is in the versions": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			s.cfg.Origins = &look.Origins{Root: s.cfg.Site.Root, Versions: s.d.Dir()}
			s.file(t, "/usr/local/bin/setup", "#!/bin/sh\n", 0o755)
			s.main(service.Launch{Type: "oneshot", RemainsAfterExit: true}, "/usr/local/bin/setup")
		}, []string{"!device-api.service executes /usr/local/bin/setup, a plain file outside the versions", "origin fails on version 1.0.0 already"}},
		"a oneshot that its timer starts": {program, versions.Brought{}, func(t *testing.T, s *scene) {
			s.manager.Add("device-api.timer")
			require.NoError(t, s.manager.Start(t.Context(), service.Unit("device-api.timer")))
			s.manager.Set("device-api", func(st *service.Status) { st.Active, st.Sub, st.MainPID = service.Stopped, "dead", 0 })
			s.manager.Relate(service.Survey{Triggers: []string{"device-api.timer"}, Idle: []string{"device-api"}})
			s.main(service.Launch{Type: "oneshot"}, "/usr/local/bin/device-api")
		}, nil},
		"a oneshot that runs just now": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.manager.Set("device-api", func(st *service.Status) { st.Active = service.Starting })
			s.main(service.Launch{Type: "oneshot"}, "/usr/local/bin/device-api")
		}, []string{"device-api: active device-api fails on version 1.0.0 already"}},
		"the program of a check": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.cfg.Checks = []health.Check{{Service: "device-api", Kind: health.Command, Command: []string{current + "/bin/look"}}}
		}, []string{"!the check device-api: command " + current + "/bin/look needs /opt/tope/versions/v1.1.0/bin/look, which does not exist", "fails on version 1.0.0 already"}},
		"a unit that was broken before": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.manager.Set("device-api", func(st *service.Status) { st.Active, st.Result = service.Broken, "exit-code" })
		}, []string{"device-api: active device-api fails on version 1.0.0 already: device-api is failed"}},
		"a service without a main process": {program, versions.Brought{}, func(_ *testing.T, s *scene) {
			s.manager.Set("device-api", func(st *service.Status) { st.MainPID = 0 })
			s.main(service.Launch{Type: "forking"}, "/usr/local/bin/device-api")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.files, c.brought)
			if c.do != nil {
				c.do(t, s)
			}
			found := s.asks(t)
			require.Len(t, found, len(c.want), "%q", found)
			for i, want := range c.want {
				fatal, text := strings.HasPrefix(want, "!"), strings.TrimPrefix(want, "!")
				require.Equal(t, fatal, strings.HasPrefix(found[i], "!"), found[i])
				require.Contains(t, found[i], text)
			}
		})
	}
}

// unwritable are unit files that cannot be written.
type unwritable struct{ healthcheck.UnitFiles }

func (unwritable) Probe(string) ([]unitfiles.Left, error) {
	return nil, errors.New("unit files cannot be written to /etc/systemd/system: read-only file system")
}

// Whether links can be made is tried where they would be.
func TestNoLinkCanBeMade(t *testing.T) {
	s := newScene(t, map[string]string{"bin/device-api": "#!/bin/sh\n", "bin/web": "#!/bin/sh\n"}, versions.Brought{})
	require.Empty(t, s.asks(t))
	require.NoError(t, os.Chmod(s.d.Path("/usr/local/bin"), 0o555))
	disktest.AsNobody(t, s.d.Root, func() {
		found := s.asks(t)
		require.Len(t, found, 1)
		require.Contains(t, found[0], "!no link can be made in /usr/local/bin")
	})
}

// All findings are told at once, the fatal ones first.
func TestAPreflightTellsEverything(t *testing.T) {
	s := newScene(t, map[string]string{"etc/conf": "x"}, versions.Brought{})
	s.task.Release.Services = []string{"extra"}
	s.manager.Set("device-api", func(st *service.Status) { st.Active = service.Broken })
	s.cfg.Checks = []health.Check{
		{Service: "device-api", Kind: health.Active},
		{Service: "device-api", Kind: health.Command, Command: []string{current + "/bin/look"}},
	}
	found := s.asks(t)
	require.Len(t, found, 5, "%q", found)
	for i, fatal := range []bool{true, true, true, false, false} {
		require.Equal(t, fatal, strings.HasPrefix(found[i], "!"), found[i])
	}
}

// A first installation has no version to compare with, and is asked all the same.
func TestThePreflightOfAFirstInstallation(t *testing.T) {
	s := newScene(t, map[string]string{"etc/conf": "x"}, versions.Brought{})
	require.NoError(t, s.d.Unpoint(versions.Current))
	s.task.Before = versions.Pointers{}
	p, err := healthcheck.New(s.cfg).Preflight(t.Context(), s.task)
	require.NoError(t, err)
	require.Nil(t, p.Baseline)
	require.Len(t, p.Findings, 1)
	require.ErrorContains(t, steps.Refusal(p.Findings), "ExecStart=/usr/local/bin/device-api leads to")
}
