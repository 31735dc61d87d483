package provisioning_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/platform/service/systemdtest"
)

// A device without an updater gets one by the role, with keys, a configuration and a
// first version. The second run changes nothing, and neither does a check.
func TestAnsibleRole(t *testing.T) {
	t.Parallel()
	d := &controlled{systemdtest.New(t, "ansible-core", "python3-apt"), t}
	release(t, d.Disk("/root"))
	copied(t, filepath.Join(builttest.Top(), "deploy/ansible"), d.Disk("/root/ansible"))
	copied(t, filepath.Join(builttest.Top(), "deploy"), d.Disk("/root/deploy"))
	copied(t, devicetest.Deb(t, "tope-updater", "", "v1.0.0"), d.Disk("/root/updater.deb"))
	copied(t, builttest.Updater(t, "v1.0.0"), d.Disk("/root/updater"))
	d.Boot()
	const byPackage = "        tope_updater_deb: /root/updater.deb\n"
	const byProgram = "        tope_updater_program: /root/updater\n        tope_updater_deploy: /root/deploy\n"

	d.play(byPackage, good, "--check")
	require.NoFileExists(t, d.Path("/etc/tope-updater/config.toml"), "a check changes nothing")
	require.NotZero(t, d.changes(d.play(byPackage, good)))
	require.Equal(t, "v1.0.0\n", d.MustRun("readlink", "/opt/tope/versions/current"))
	require.Equal(t, "v1.0.0\n", d.MustRun("readlink", "/opt/tope/versions/factory"))
	for _, unit := range []string{devicetest.Daemon, "tool.service"} {
		require.Equal(t, "active", d.Property(unit, "ActiveState"))
	}
	daemon := d.Property(devicetest.Daemon, "MainPID")
	require.Zero(t, d.changes(d.play(byPackage, good)))
	require.Equal(t, daemon, d.Property(devicetest.Daemon, "MainPID"), "nothing is new, and nothing is restarted")

	// A configuration that the program refuses is not put in place.
	was := d.Read("/etc/tope-updater/config.toml")
	out, err := d.try(byPackage, "          [http]\n          listen_on = \"x\"\n")
	require.Error(t, err)
	require.Contains(t, out, "unknown key http.listen_on")
	require.Equal(t, was, d.Read("/etc/tope-updater/config.toml"))

	// Without dpkg. The device keeps the version that it has.
	require.NotZero(t, d.changes(d.play(byProgram, good)))
	require.Equal(t, "active", d.Property(devicetest.Daemon, "ActiveState"))

	// It takes its next release, and the role leaves that alone.
	d.MustRun("tope-updater", "install", "/root/two.tope")
	require.Zero(t, d.changes(d.play(byProgram, good)))
	require.Equal(t, "v1.1.0\n", d.MustRun("readlink", "/opt/tope/versions/current"))
	require.Empty(t, d.Failed())
}

// good is a configuration, indented as in a playbook.
const good = "          [device]\n          product = \"printer\"\n          [[service]]\n          name = \"tool\"\n"

// controlled is a machine that has Ansible, and is its own device.
type controlled struct {
	*systemdtest.Machine
	t *testing.T
}

// try runs the role.
func (d *controlled) try(from, config string, flags ...string) (string, error) {
	d.t.Helper()
	d.Write("/root/ansible/device.yml", `- hosts: localhost
  gather_facts: false
  roles:
    - role: tope_updater
      vars:
`+from+`        tope_updater_keys: [/root/k.pub]
        tope_updater_first_version: /root/one.tope
        tope_updater_config: |
`+config, 0o644)
	// Each task starts Python several times: on a busy machine that is minutes for all.
	ctx, cancel := context.WithTimeout(d.t.Context(), 15*time.Minute)
	defer cancel()
	cmd, err := d.Command(ctx, append([]string{"env", "ANSIBLE_PIPELINING=1", "ansible-playbook", "-c", "local", "-i", "localhost,", "/root/ansible/device.yml"}, flags...)...)
	require.NoError(d.t, err)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// play is try for a role that has to succeed.
func (d *controlled) play(from, config string, flags ...string) string {
	d.t.Helper()
	out, err := d.try(from, config, flags...)
	require.NoError(d.t, err, "%s", out)
	return out
}

// changes is how many tasks say that they changed something.
func (d *controlled) changes(said string) int {
	d.t.Helper()
	found := regexp.MustCompile(`ok=\d+ +changed=(\d+) +unreachable=0 +failed=0`).FindStringSubmatch(said)
	require.NotNil(d.t, found, said)
	if found[1] == "0" {
		return 0
	}
	d.t.Log(strings.Join(regexp.MustCompile(`(?m)^TASK .*|^changed.*`).FindAllString(said, -1), "\n"))
	return len(found[1])
}

// release puts two releases, one.tope and two.tope, and the key that signed them, k.pub,
// into a directory. Each has one service, tool, with its unit.
func release(t *testing.T, dir string) {
	t.Helper()
	bundler, work := builttest.Program(t, "tope-bundle", builttest.Version), t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(work, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(work, name), []byte(content), mode))
	}
	write("tree/bin/tool", "#!/bin/sh\nexec sleep infinity\n", 0o755)
	write("tree/systemd/tool.service", "[Service]\nExecStart=/usr/local/bin/tool\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	write("release.toml", "product = \"printer\"\nepoch = 1\n", 0o644)
	for _, args := range [][]string{
		{"keygen", "k"},
		{"-q", "pack", "tree", "--release", "release.toml", "--version", "1.0.0", "--key", "k.key", "-o", "one.tope"},
		{"-q", "pack", "tree", "--release", "release.toml", "--version", "1.1.0", "--key", "k.key", "-o", "two.tope"},
	} {
		cmd := exec.CommandContext(t.Context(), bundler, args...)
		cmd.Dir = work
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for _, name := range []string{"one.tope", "two.tope", "k.pub"} {
		copied(t, filepath.Join(work, name), filepath.Join(dir, name))
	}
}

// copied copies a file or a tree of this system.
func copied(t *testing.T, from, to string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
