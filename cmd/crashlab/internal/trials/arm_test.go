//go:build linux && amd64

package trials_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
)

// TestArm takes the programs for the other processors through a device's life,
// emulated: a good update, a bad one, a rollback by hand, a boot, and the journal
// of all that, which this processor's program reads too. Words have another size
// there, and 64-bit counters another alignment.
func TestArm(t *testing.T) {
	tried(t)
	good := packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.1.0"})
	bad := packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.2.0", DeviceAPI: "exit"})
	for _, arm := range []struct {
		name, emulator string
		env            []string
	}{
		{"arm64", "qemu-aarch64-static", []string{"GOARCH=arm64"}},
		{"armv7", "qemu-arm-static", []string{"GOARCH=arm", "GOARM=7"}},
	} {
		t.Run(arm.name, func(t *testing.T) {
			t.Parallel()
			emulator, err := exec.LookPath(arm.emulator)
			require.NoError(t, err, "install Debian's qemu-user-static")
			program := builttest.Program(t, "tope-updater", builttest.Version, arm.env...)

			// The emulation is slow, so the gate gets more time.
			d := newDevice(t, filepath.Join(t.TempDir(), "device"), builttest.Services(t), fixtures.Options{Timeout: 10 * time.Second})
			d.program = []string{emulator, program}
			d.must(0, "recover") // there is no journal yet, and nothing is owed
			d.must(0, "install", good)
			require.Equal(t, "1.1.0", d.isWhole("1.1.0"))
			d.runs("1.1.0")
			d.must(12, "install", bad)
			d.runs("1.1.0")
			d.must(10, "install", bad)
			d.must(0, "rollback")
			d.runs("1.0.0")
			d.must(0, "recover")
			d.must(0, "versions", "--verify")
			d.serve()
			d.must(0, "install", "--retry", good)
			d.runs("1.1.0")
			d.stopServing()
			d.journalWorks()
			d.program = []string{updater(t)}
			d.journalWorks()
			d.isTidy()
		})
	}
}
