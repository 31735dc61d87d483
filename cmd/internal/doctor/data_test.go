package doctor_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/doctor"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/service"
	systemdmanager "github.com/tope/updater/platform/service/systemd"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/stepstest"
)

// A service's user and the owner of its data do not fit, and the shared directory is a
// service's: both are told, and what is advised helps.
func TestWhoseTheDataIsIsTold(t *testing.T) {
	roottest.Need(t, "files of other users")
	const systemd = "[services]\nmanager = \"systemd\"\n[http]\nlisten = \"\"\n[device_api]\nurl = \"\"\n[[service]]\nname = \"web-server\"\n"
	d := stepstest.NewDevice(t, "")
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(d.Path(path+"/.."), 0o755))
		require.NoError(t, os.WriteFile(d.Path(path), []byte(text), 0o644))
	}
	stepstest.Publish(t, d.Store, "1.0.0", map[string]string{"bin/x": "#!/bin/sh\n"},
		versions.Brought{Writable: []versions.Writable{{Path: "services/web-server/data"}, {Path: "services/new/data"}}})
	require.NoError(t, d.Point(versions.Current, "1.0.0"))
	write("/etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
	write("/etc/systemd/system/web-server.service", "[Service]\nUser=nobody\nExecStart=/usr/local/bin/x\n")
	data := d.Path("/opt/tope/shared/services/web-server/data")
	require.NoError(t, os.MkdirAll(data, 0o755))
	require.NoError(t, os.WriteFile(data+"/db", nil, 0o600))
	shared := d.Path("/opt/tope/shared")
	require.NoError(t, os.Chown(shared, 65534, 65534))

	look := func() []doctor.Finding {
		dev := device(t, d.Root, systemd)
		dev.Manager = func() (service.Manager, error) { return systemdmanager.Resting{}, nil }
		return doctor.Examine(t.Context(), dev)
	}
	all := look()
	told := requireFinding(t, all, "owners", warn, "web-server.service runs as nobody, who may not write to /opt/tope/shared/services/web-server/data: it belongs to user 0 and has the mode 0755")
	whole := requireFinding(t, all, "owners", warn, "/opt/tope/shared can be changed by others than root (user 65534, mode 0755)")
	for _, do := range []string{told.Run, whole.Run} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", do).CombinedOutput()
		require.NoError(t, err, "%s: %s", do, out)
	}
	well(t, look(), "owners")
}
