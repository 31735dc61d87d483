package healthcheck_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

const bringsSSH = `version 1.1.0 brings a unit ssh.service, and this device has one of its own, `

// A release that brings a unit of the system's or of an operator's name is refused before
// anything is touched; all such units are told.
func TestAPreflightRefusesTakenUnits(t *testing.T) {
	scenery := func(t *testing.T, allow ...string) *scene {
		s := newScene(t, map[string]string{
			"bin/device-api": "#!/bin/sh\n", "systemd/ssh.service": "[Service]\nExecStart=/usr/bin/python3\n",
			"systemd/cron.service": "[Service]\nExecStart=/usr/bin/python3\n", "systemd/free.service": "[Service]\nExecStart=/usr/bin/python3\n",
		}, versions.Brought{})
		s.task.Facts.Verify = &steps.Verified{SignedBy: "1AB"}
		s.file(t, "/etc/systemd/system/ssh.service", "[Service]\n", 0o644)
		s.file(t, "/usr/lib/systemd/system/cron.service", "[Service]\n", 0o644)
		units := unitfiles.New(unitfiles.Config{Root: s.cfg.Site.Root, Tree: s.d.Store.Path, Allow: allow})
		s.cfg.Units, s.cfg.Site.UnitFiles = units, units
		s.main(service.Launch{}, "/usr/local/bin/device-api")
		return s
	}
	found := scenery(t).asks(t)
	require.Len(t, matching(found, "brings a unit"), 2)
	require.Len(t, matching(found, "!.*"+bringsSSH+"/etc/systemd/system/ssh.service"), 1)
	require.Len(t, matching(found, "!.*brings a unit cron.service.*/usr/lib/systemd/system/cron.service"), 1)

	require.Empty(t, matching(scenery(t, "*", "ssh.service", "cron.service").asks(t), "brings a unit"), "the device lists them")

	// The version is on the device already: to go back to it is not refused.
	s := scenery(t)
	s.task.Facts.Verify = nil
	found = s.asks(t)
	require.Len(t, matching(found, "brings a unit"), 2)
	require.Empty(t, matching(found, "^!.*brings a unit"))
}

// A release may name services that run from the versions, and those that the device lists.
// Those of the system and of an operator that have nothing to do with the versions are not
// stopped and started because a release says so.
func TestAReleaseNamesAServiceOfOthers(t *testing.T) {
	const lib, etc, late = "/usr/lib/systemd/system/other.service", "/etc/systemd/system/other.service", "/run/systemd/generator.late/other.service"
	refused := func(at string) string {
		return "^!version 1.1.0 names the service other, and nothing that " + at + " runs is of the versions; publish a release that does not name it, or list other.service"
	}
	for name, c := range map[string]struct {
		at    string
		args  []string
		allow []string
		first bool // nothing is current yet
		kind  string
		want  string
	}{
		"a daemon of the system":            {at: lib, args: []string{"/usr/sbin/daemon", "-D"}, want: refused(lib)},
		"a first installation":              {at: lib, args: []string{"/usr/sbin/daemon", "-D"}, first: true, want: refused(lib)},
		"a script of the system":            {at: lib, args: []string{"/usr/sbin/script"}, want: refused(lib)},
		"a daemon of an operator":           {at: etc, args: []string{"/usr/sbin/daemon"}, want: refused(etc)},
		"that the device lists":             {at: lib, args: []string{"/usr/sbin/daemon"}, allow: []string{"other.service"}},
		"a script of an operator":           {at: etc, args: []string{"/usr/sbin/script"}}, // it may execute what is in the version
		"a program of the version":          {at: lib, args: []string{"/usr/local/bin/device-api"}},
		"a server with files of a version":  {at: etc, args: []string{"/usr/sbin/daemon", "--root", current + "/www"}},
		"a server of the system with those": {at: lib, args: []string{"/usr/sbin/daemon", "--root=" + current + "/www"}},

		// What a wrapper or an interpreter of the system executes in the end is for the gate to see.
		"env":                                {at: etc, args: []string{"/usr/bin/env", "device-api"}},
		"stdbuf":                             {at: etc, args: []string{"/usr/bin/stdbuf", "-oL", "device-api"}},
		"a command in an argument":           {at: etc, args: []string{"/usr/bin/stdbuf", "-oL", "sh -c 'exec device-api'"}},
		"a shell":                            {at: etc, args: []string{"/usr/bin/dash", "-c", "device-api --x"}},
		"a shell with an operator's command": {at: etc, args: []string{"/usr/bin/dash", "-c", "$RUN"}},
		"that has run and ended":             {at: etc, args: []string{"/usr/bin/dash", "-c", "$RUN"}, kind: "oneshot", want: refused(etc)},
		"a wrapper of others":                {at: etc, args: []string{"/usr/bin/stdbuf", "-oL", "daemon"}, want: refused(etc)},
		"a program of others by that name":   {at: etc, args: []string{"/usr/bin/device-api"}, want: refused(etc)},
		"an argument of the system's":        {at: lib, args: []string{"/usr/sbin/daemon", "device-api"}, want: refused(lib)},
		"a shell of the system":              {at: lib, args: []string{"/usr/bin/dash", "-c", "$RUN"}, want: refused(lib)},

		// systemd looks for a program that has no directory.
		"by its name":              {at: lib, args: []string{"device-api"}},
		"the system's by its name": {at: lib, args: []string{"daemon"}, want: refused(lib)},
		"nobody's by its name":     {at: lib, args: []string{"none"}, want: refused(lib)},

		// Operators' units lie in other directories, too, and SysV scripts may be theirs.
		"a script in /usr/local":        {at: "/usr/local/lib/systemd/system/other.service", args: []string{"/usr/sbin/script"}},
		"a script by systemctl edit":    {at: "/etc/systemd/system.control/other.service", args: []string{"/usr/sbin/script"}},
		"a script of the day":           {at: "/run/systemd/transient/other.service", args: []string{"/usr/sbin/script"}},
		"a script of SysV":              {at: late, args: []string{"/etc/init.d/other", "start"}, kind: "forking"},
		"a daemon, whoever has made it": {at: late, args: []string{"/usr/sbin/daemon"}, want: refused(late)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, nil, versions.Brought{})
			self, err := os.ReadFile("/proc/self/exe") // a program, and not a script
			require.NoError(t, err)
			s.file(t, "/usr/sbin/daemon", string(self), 0o755)
			for _, tool := range []string{"env", "stdbuf", "dash", "device-api"} {
				require.NoError(t, os.Link(s.d.Path("/usr/sbin/daemon"), s.d.Path("/usr/bin/"+tool)))
			}
			s.file(t, "/usr/sbin/script", "#!/bin/sh\n", 0o755)
			s.file(t, "/etc/init.d/other", "#!/bin/sh\n", 0o755)
			s.file(t, c.at, "[Service]\n", 0o644)
			units := unitfiles.New(unitfiles.Config{Root: s.cfg.Site.Root, Tree: s.d.Store.Path, Allow: c.allow})
			s.cfg.Units, s.cfg.Site.UnitFiles = units, units
			if c.first {
				require.NoError(t, s.d.Unpoint(versions.Current))
				s.task.Before = versions.Pointers{}
			}
			s.main(service.Launch{}, "/usr/local/bin/device-api")
			s.manager.Add("other")
			s.manager.Launches("other", service.Launch{Type: c.kind, Commands: []service.Execution{{Phase: service.Main, Path: c.args[0], Args: c.args}}})
			s.task.Release.Services = []string{"other"}
			s.task.Facts.Verify = &steps.Verified{SignedBy: "1AB"}
			found := s.asks(t)
			if c.want == "" {
				require.Empty(t, matching(found, "names the service"))
				return
			}
			require.Len(t, matching(found, c.want), 1, "%q", found)

			s.task.Facts.Verify = nil // the version is on the device already
			require.Empty(t, matching(s.asks(t), "^!.*names the service"))
		})
	}
}

// The links to a release's programs come before the system's programs in root's search
// path. A release that nobody signed must not put its own there under their names.
func TestAReleaseOfNobodysShadowsAProgramOfTheSystem(t *testing.T) {
	const finding = "^!version 1.1.0 has a program bin/ls, and no key of this device vouches for it: /usr/local/bin/ls would be found before /usr/bin/ls"
	scenery := func(t *testing.T) *scene {
		s := newScene(t, map[string]string{"bin/device-api": "#!/bin/sh\n", "bin/ls": "#!/bin/sh\n", "bin/own": "#!/bin/sh\n"}, versions.Brought{})
		s.file(t, "/usr/bin/ls", "#!/bin/sh\n", 0o755)
		s.file(t, "/usr/bin/device-api", "#!/bin/sh\n", 0o755) // from a package of earlier days; the link is there
		s.task.Facts.Verify = &steps.Verified{}
		return s
	}
	s := scenery(t)
	found := s.asks(t)
	require.Len(t, matching(found, "vouches"), 1, "%q", found)
	require.Len(t, matching(found, finding), 1, "%q", found)

	for name, change := range map[string]func(*scene){
		"signed":                    func(s *scene) { s.task.Facts.Verify.SignedBy = "1AB" },
		"installed already":         func(s *scene) { s.task.Facts.Verify = nil },
		"may bring commands anyway": func(s *scene) { s.cfg.Site.Commands = true },
		"a service of the device": func(s *scene) {
			s.cfg.Services = append(s.cfg.Services, service.Service{Name: "ls"})
			s.manager.Add("ls")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenery(t)
			change(s)
			require.Empty(t, matching(s.asks(t), "vouches"))
		})
	}

	// Earlier installations have linked it into the versions.
	s = scenery(t)
	require.NoError(t, os.Remove(s.d.Path("/usr/bin/ls")))
	require.NoError(t, os.Symlink(current+"/bin/ls", s.d.Path("/usr/bin/ls")))
	require.Empty(t, matching(s.asks(t), "vouches"))
	s.file(t, "/usr/sbin/ls", "#!/bin/sh\n", 0o755)
	require.Len(t, matching(s.asks(t), "would be found before /usr/sbin/ls"), 1)
}

// Root's shells do not look into a directory of links that the operator has chosen.
func TestLinksBesideTheSearchPathShadowNothing(t *testing.T) {
	for dir, want := range map[string]int{"/opt/tope/bin": 0, "/usr/local/sbin": 1, "/opt/bin": 1} {
		t.Run(dir, func(t *testing.T) {
			s := newScene(t, map[string]string{"bin/device-api": "#!/bin/sh\n", "bin/ls": "#!/bin/sh\n"}, versions.Brought{})
			require.NoError(t, os.Symlink("../usr/local/bin", s.d.Path("/opt/bin")))
			store, err := versions.Open(versions.Config{Root: s.cfg.Site.Root, Versions: "/opt/tope/versions", Bin: dir})
			require.NoError(t, err)
			s.cfg.Site.Store = store
			s.file(t, "/usr/bin/ls", "#!/bin/sh\n", 0o755)
			s.task.Facts.Verify = &steps.Verified{}
			require.Len(t, matching(s.asks(t), "vouches"), want)
		})
	}
}

// What runs from the version that is left has proved so, whatever its unit says.
func TestAReleaseNamesAServiceThatRunsFromTheVersions(t *testing.T) {
	const refusal = "^!version 1.1.0 names the service other"
	s := newScene(t, nil, versions.Brought{})
	self, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	s.file(t, "/usr/sbin/daemon", string(self), 0o755)
	s.file(t, "/usr/lib/systemd/system/other.service", "[Service]\n", 0o644)
	s.cfg.Origins = &look.Origins{Root: s.cfg.Site.Root, Versions: s.d.Dir()}
	s.main(service.Launch{}, "/usr/local/bin/device-api")
	s.manager.Add("other")
	s.manager.Launches("other", service.Launch{Commands: []service.Execution{{Phase: service.Main, Path: "/usr/sbin/daemon", Args: []string{"/usr/sbin/daemon"}}}})
	require.NoError(t, s.manager.Start(t.Context(), service.Service{Name: "other"}))
	s.task.Release.Services = []string{"other"}
	s.task.Facts.Verify = &steps.Verified{SignedBy: "1AB"}

	running := &ported{bench: s.bench, real: &real{}, t: t, d: s.d}
	running.runs("", s.d.Path("/usr/sbin/daemon"), "1000")
	s.manager.Set("other", func(st *service.Status) { st.MainPID = running.pids[0] })
	require.Len(t, matching(s.asks(t), refusal), 1)

	running.runs(s.d.Store.Path("1.0.0"), s.d.Path("/usr/sbin/daemon"), "1000")
	s.manager.Works("other", running.pids[1])
	require.Empty(t, matching(s.asks(t), refusal))
}

// matching are the findings that match an expression.
func matching(found []string, expression string) (all []string) {
	for _, f := range found {
		if regexp.MustCompile(expression).MatchString(f) {
			all = append(all, f)
		}
	}
	return all
}
