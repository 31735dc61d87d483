package fleetdemo

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/guidetest"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
)

// settled is a command of the guides' hidden blocks: it waits until the device has nothing
// in progress, and its newest update was to that version and has come to that end.
const settled = `#!/bin/sh
for i in $(seq 600); do
	tope-updater status | grep -q "^last .* $1: $2" && exit 0
	sleep 0.1
done
tope-updater status >&2
exit 1
`

// The guides to a fleet from a bucket and to a device that updates itself, the second where
// the first has ended: played by a publisher with a bucket that is a directory, and by one
// device that is early in each rollout.
func TestTheGuidesToAFleet(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	p := &play{Options: Options{
		Updater: builttest.Updater(t, builttest.Version), Bundle: builttest.Program(t, "tope-bundle", builttest.Version),
		Programs: builttest.Services(t), Out: io.Discard,
	}, dir: t.TempDir()}
	defer func() { require.NoError(t, p.strike()) }()
	desk := filepath.Join(p.dir, "publisher")
	var err error
	p.site, err = openSite(ctx, filepath.Join(desk, "site"))
	require.NoError(t, err)
	for _, r := range []fixtures.Release{{Version: "1.1.0"}, {Version: "1.2.0", DeviceAPI: "unhealthy"}, {Version: "1.3.0"}, {Version: "1.4.0"}} {
		require.NoError(t, p.Programs.Tree(filepath.Join(desk, "printer-"+r.Version), r))
	}
	file := func(dir, name, text string, mode os.FileMode) {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), mode))
	}
	file(desk, "release.toml", "product = \"printer\"\nservices = [\"device-api\", \"web-server\"]\n", 0o644)

	d := &device{name: "device"}
	d.Device, err = p.Programs.Device(ctx, filepath.Join(p.dir, d.name), fixtures.Release{Version: first}, fixtures.Options{
		Stable: 500 * time.Millisecond, Timeout: 4 * time.Second,
		More: "[device]\nproduct = \"printer\"\nhardware = \"rev-b\"\n\n[fleet]\nchannel = \"" + p.url + "/stable.channel\"\nid = \"printer-12\"\nearly = true\npoll = \"168h\"\nmetered = \"allow\"\n",
	})
	require.NoError(t, err)
	d.api = client.Socket(filepath.Join(d.Root, "run/tope-updater/api.sock"))
	p.devices = append(p.devices, d)
	require.NoError(t, p.boot(ctx, d))
	require.NoError(t, p.await(ctx, d, "its services to run", func(st httpapi.Status) bool {
		return !slices.ContainsFunc(st.Services, func(s httpapi.Service) bool { return !s.Running }) && len(st.Services) > 0
	}))

	programs := filepath.Join(p.dir, "programs")
	file(programs, "settled", settled, 0o755)
	file(programs, "tope-updater", "#!/bin/sh\nexec "+p.Updater+" --root "+d.Root+" \"$@\"\n", 0o755)
	require.NoError(t, os.Symlink(p.Bundle, filepath.Join(programs, "tope-bundle")))
	for _, guide := range []string{guidetest.Path("", "fleet-channel.md"), guidetest.Path("", "fleet.md")} {
		for _, b := range guidetest.Blocks(t, guide) {
			if b.Kind == guidetest.Unrun {
				require.NotEmpty(t, b.Why, "%s:%d: the block is neither run nor says why", guide, b.Line)
				continue
			}
			for _, s := range b.Steps() {
				said := ""
				// A person looks again, while a download goes on.
				for again := 0; again == 0 || again < 20 && s.Judged && !s.Matches(said) && strings.Contains(said, "is being installed"); again++ {
					if again > 0 {
						time.Sleep(500 * time.Millisecond)
					}
					cmd := exec.CommandContext(ctx, "bash", "-c", s.Command)
					cmd.Dir = desk
					cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "DEVICE="+d.Root)
					out, err := cmd.CombinedOutput()
					require.NoError(t, err, "%s:%d: %s\n%s", guide, b.Line, s.Command, out)
					said = string(out)
				}
				assert.True(t, !s.Judged || s.Matches(said), "%s:%d: %s\nprinted\n%s\nwhich is not what the guide shows:\n%s", guide, b.Line, s.Command, said, s.Want)
			}
		}
	}
}
