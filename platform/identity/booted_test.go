package identity_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/identity"
	"github.com/tope/updater/platform/service/systemdtest"
)

// asDaemon makes this program the daemon of a booted device, which tells how it is with
// its token and its id.
const asDaemon = "TOPE_IDENTITY_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) == "" {
		os.Exit(m.Run())
	}
	s, err := identity.Token{File: os.Getenv("FILE"), Credentials: os.Getenv("CREDENTIALS_DIRECTORY")}.Read()
	fmt.Printf("token=%s error=%v\n", s.Reveal(), err)
	id, err := identity.Device(disk.Root{}, "")
	fmt.Printf("id=%s error=%v\n", id, err)
}

// What docs/configuration.md says of systemd's credentials holds in the daemon's own
// sandbox: the drop-in there, and what becomes of the daemon without the file.
func TestACredentialInTheDaemonsSandbox(t *testing.T) {
	m := systemdtest.New(t)
	self, err := os.Executable()
	require.NoError(t, err)
	m.Put("../../deploy/systemd/tope-updater.service", "/etc/systemd/system/tope-updater.service", 0o644)
	m.Put(self, "/usr/lib/tope-updater/tope-updater", 0o755)
	dropin := "/etc/systemd/system/tope-updater.service.d/"
	m.Write(dropin+"test.conf", "[Service]\nType=oneshot\nRestart=no\nEnvironment="+asDaemon+"=1\nExecStopPost=\nStandardOutput=truncate:/run/said\n", 0o644)
	m.Boot()
	starts := func() (said string, err error) {
		m.MustRun("systemctl", "daemon-reload")
		if _, err := m.Run("systemctl", "start", "tope-updater.service"); err != nil {
			return "", err
		}
		return m.Read("/run/said"), nil
	}

	said, err := starts()
	require.NoError(t, err)
	require.Contains(t, said, "token= error="+identity.ErrNoToken.Error())
	require.Regexp(t, `id=[0-9a-f]{32} error=<nil>`, said)

	m.Write(dropin+"token.conf", "[Service]\nLoadCredential=fleet.token:/etc/tope-updater/fleet.token\n", 0o644)
	_, err = starts()
	require.Error(t, err, "without the file the daemon does not start, so the shipped unit must not have the line")

	m.Write("/etc/tope-updater/fleet.token", word+"\n", 0o600)
	m.MustRun("systemctl", "reset-failed")
	said, err = starts()
	require.NoError(t, err)
	require.Contains(t, said, "token="+word+" error=<nil>")

	m.Write(dropin+"token.conf", "[Service]\nEnvironment=FILE=/etc/tope-updater/fleet.token\n", 0o644)
	said, err = starts()
	require.NoError(t, err)
	require.Contains(t, said, "token="+word+" error=<nil>", "a file of its own")
}
