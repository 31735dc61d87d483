package packaged_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/service/systemdtest"
)

const (
	daemon    = "tope-updater.service"
	recovery  = "tope-updater-recover.service"
	committed = "/usr/lib/tope-updater/tope-updater"
	scripts   = "/usr/share/tope-updater/"
)

// device is a machine with software that somebody has put there by hand: a
// version without pointers or links, and units from the examples.
type device struct {
	*systemdtest.Machine
	t *testing.T
	*built
}

func newDevice(t *testing.T) *device {
	t.Helper()
	d := &device{systemdtest.New(t), t, programs(t)}
	root := filepath.Join(t.TempDir(), "root")
	made, err := d.Device(t.Context(), root, fixtures.Release{Version: "1.0.0"}, fixtures.Options{
		Ports:   fixtures.Ports{Updater: 12315, DeviceAPI: 9080, WebServer: 8080},
		Manager: "systemd", Timeout: 10 * time.Second, NoFactory: true,
	})
	require.NoError(t, err)
	for _, rest := range []string{"opt/tope/versions/current", "opt/tope/services", "usr/local/bin"} {
		require.NoError(t, os.RemoveAll(filepath.Join(root, rest)))
	}
	d.copy(root+"/.", "/")
	require.NoError(t, made.Remove(t.Context()))
	for _, unit := range []string{"device-api.service", "web-server.service"} {
		d.Put(filepath.Join(top(), "deploy/systemd/examples", unit), "/etc/systemd/system/"+unit, 0o644)
	}
	return d
}

// copy puts a file or tree of the host on the machine's disk.
func (d *device) copy(from, to string) {
	d.t.Helper()
	out, err := exec.CommandContext(d.t.Context(), "cp", "-a", from, d.Path(to)).CombinedOutput()
	require.NoError(d.t, err, "%s", out)
}

// give puts a package into the machine and returns its path there.
func (d *device) give(deb string) string {
	d.t.Helper()
	path := "/root/" + filepath.Base(deb)
	d.Put(deb, path, 0o644)
	return path
}

// offer puts a release's package into the machine and returns its path there.
func (d *device) offer(r fixtures.Release) string {
	d.t.Helper()
	p, err := d.Package(d.t.TempDir(), r)
	require.NoError(d.t, err)
	return d.give(p.Path)
}

// program is the version of the committed updater.
func (d *device) program() string {
	d.t.Helper()
	first, _, _ := strings.Cut(d.MustRun(committed, "version"), "\n")
	return strings.TrimPrefix(first, "tope-updater ")
}

// software lists all there is of the device's: names, modes, sizes, targets, digests.
func (d *device) software() string {
	d.t.Helper()
	return d.MustRun("sh", "-c", `find /opt/tope /usr/local/bin -printf '%p %y %m %s %l %u\n' | grep -v '^/usr/local/bin d' | sort; find /opt/tope -type f | sort | xargs sha256sum`)
}

// enabled lists which of the updater's units are started at boot.
func (d *device) enabled() string {
	d.t.Helper()
	out := d.MustRun("sh", "-c", "cd /etc/systemd/system && find . -path './*.wants/tope-updater*' -printf '%P\\n' | sort")
	return strings.Join(strings.Fields(out), " ")
}
