package systemdtest_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service/systemdtest"
)

const counting = `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo boot >> /var/lib/boots; sync'
[Install]
WantedBy=multi-user.target
`

func TestADiskSurvivesCutsAndReboots(t *testing.T) {
	t.Parallel()
	m := systemdtest.New(t)
	m.Write("/etc/systemd/system/counting.service", counting, 0o644)
	m.Boot()
	require.Empty(t, m.Failed())
	m.MustRun("systemctl", "enable", "--now", "counting.service")
	require.Equal(t, "success", m.Property("counting.service", "Result"))
	require.Equal(t, 1, strings.Count(m.Read("/var/lib/boots"), "boot"))
	m.Write("/run/fleeting", "", 0o644)
	// A command is done when it has ended, whatever its children still hold open.
	require.Equal(t, "done\n", m.MustRun("sh", "-c", "sleep 5 & echo done"))

	m.Kill()
	require.False(t, m.On())
	_, err := m.Run("true")
	require.ErrorIs(t, err, systemdtest.ErrOff)
	m.Boot()
	require.Equal(t, 2, strings.Count(m.Read("/var/lib/boots"), "boot"))
	require.NoFileExists(t, m.Path("/run/fleeting"))

	m.MustRun("systemctl", "--no-block", "reboot")
	m.AwaitBoots(3)
	require.Equal(t, 3, strings.Count(m.Read("/var/lib/boots"), "boot"))

	m.PowerOff()
	require.Equal(t, 3, strings.Count(m.Read("/var/lib/boots"), "boot"), "the disk can be read")
	m.Logged("counting.service", "-u", "counting.service")
}

func TestMachinesAreAlone(t *testing.T) {
	t.Parallel()
	one, other := systemdtest.New(t), systemdtest.New(t)
	one.Start()
	other.Start()
	one.Await()
	other.Await()
	require.Equal(t, one.Name()+"\n", one.MustRun("hostname"))
	require.Equal(t, other.Name()+"\n", other.MustRun("hostname"))
	one.Write("/var/lib/mine", "", 0o644)
	require.NoFileExists(t, other.Path("/var/lib/mine"))

	// Both have a port of the same number; each client finds its own machine's.
	for _, m := range []*systemdtest.Machine{one, other} {
		m.Write("/etc/systemd/system/say.socket", "[Socket]\nListenStream=127.0.0.1:80\nAccept=yes\n", 0o644)
		m.Write("/etc/systemd/system/say@.service", "[Service]\nStandardInput=socket\nExecStart=sh -c 'sed /^.$$/q >/dev/null; echo HTTP/1.0 200 OK; echo; hostname'\n", 0o644)
		m.MustRun("systemctl", "daemon-reload")
		m.MustRun("systemctl", "start", "say.socket")
		var answer string
		m.Wait("the port answers", func() bool {
			res, err := m.Client().Get("http://127.0.0.1/")
			if err != nil {
				return false
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			answer = string(body)
			return err == nil
		})
		require.Equal(t, m.Name()+"\n", answer)
	}
	// A listener of the test is in one machine's network, and in no other.
	l, err := one.Listen(t.Context(), "tcp", "0.0.0.0:81")
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the test") })}
	go func() { _ = server.Serve(l) }() // it ends with Close
	defer server.Close()
	require.Equal(t, "the test", one.MustRun("curl", "-s", "http://127.0.0.1:81/"))
	_, err = other.Run("curl", "-s", "http://127.0.0.1:81/")
	require.Error(t, err)
	conn, err := one.Dial(t.Context(), "unix", "/run/dbus/system_bus_socket")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	var root, disk string
	t.Run("a test", func(t *testing.T) {
		m := systemdtest.New(t)
		m.Boot()
		root, disk = m.Path("/"), m.Disk("/")
	})
	for _, path := range []string{root, disk} {
		_, err := os.Stat(path)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}
