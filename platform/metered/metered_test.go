package metered

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

// systemBus is a private dbus-daemon that this process takes for the system's.
func systemBus(t *testing.T) *dbus.Conn {
	dir := socketDir(t)
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", "--address=unix:tmpdir="+dir)
	out, err := daemon.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, daemon.Start())
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	conn, err := dbus.Connect(strings.TrimSpace(address))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// socketDir is not t.TempDir: a socket's path has at most 107 bytes.
func socketDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "bus")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// fake is NetworkManager's properties.
type fake struct {
	mu  sync.Mutex
	get func() (any, *dbus.Error)
}

func (m *fake) set(get func() (any, *dbus.Error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.get = get
}

func (m *fake) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	if iface != "org.freedesktop.NetworkManager" || name != "Metered" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{"no such property"})
	}
	m.mu.Lock()
	get := m.get
	m.mu.Unlock()
	value, err := get()
	if err != nil {
		return dbus.Variant{}, err
	}
	return dbus.MakeVariant(value), nil
}

func networkManager(t *testing.T) *fake {
	conn, m := systemBus(t), &fake{}
	require.NoError(t, conn.Export(m, "/org/freedesktop/NetworkManager", "org.freedesktop.DBus.Properties"))
	reply, err := conn.RequestName("org.freedesktop.NetworkManager", dbus.NameFlagDoNotQueue)
	require.NoError(t, err)
	require.Equal(t, dbus.RequestNameReplyPrimaryOwner, reply)
	return m
}

func TestWhatNetworkManagerSays(t *testing.T) {
	m := networkManager(t)
	for _, c := range []struct {
		says    any
		metered bool
		unknown string
	}{
		{uint32(0), false, "NetworkManager does not know (0)"},
		{uint32(1), true, ""},
		{uint32(2), false, ""},
		{uint32(3), true, ""},
		{uint32(4), false, ""},
		{uint32(5), false, "NetworkManager does not know (5)"},
		{"yes", false, "dbus"},
		{dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"not for you"}), false, "not for you"},
	} {
		m.set(func() (any, *dbus.Error) {
			if err, ok := c.says.(*dbus.Error); ok {
				return nil, err
			}
			return c.says, nil
		})
		got, err := Metered(t.Context())
		require.Equal(t, c.metered, got, "%v", c.says)
		if c.unknown == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrUnknown)
		require.ErrorContains(t, err, c.unknown)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestNobodyToAsk(t *testing.T) {
	t.Run("no NetworkManager", func(t *testing.T) {
		systemBus(t)
		_, err := Metered(t.Context())
		require.ErrorIs(t, err, ErrUnknown)
		require.ErrorContains(t, err, "org.freedesktop.NetworkManager")
	})
	t.Run("no bus", func(t *testing.T) {
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
		_, err := Metered(t.Context())
		require.ErrorIs(t, err, ErrUnknown)
	})
}

var errStopping = errors.New("the daemon stops")

// TestItEndsWithItsCaller: neither a NetworkManager nor a bus that does not answer keeps it.
func TestItEndsWithItsCaller(t *testing.T) {
	t.Run("NetworkManager does not answer", func(t *testing.T) {
		m := networkManager(t)
		ctx, stop := context.WithCancelCause(t.Context())
		m.set(func() (any, *dbus.Error) {
			stop(errStopping)
			<-t.Context().Done()
			return uint32(1), nil
		})
		got, err := Metered(ctx)
		require.ErrorIs(t, err, errStopping)
		require.NotErrorIs(t, err, ErrUnknown)
		require.False(t, got)
	})
	t.Run("the bus does not answer", func(t *testing.T) {
		at := filepath.Join(socketDir(t), "bus")
		silent, err := net.Listen("unix", at)
		require.NoError(t, err)
		t.Cleanup(func() { _ = silent.Close() })
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+at)
		ctx, stop := context.WithCancelCause(t.Context())
		go func() {
			conn, err := silent.Accept()
			stop(errStopping)
			if err == nil {
				<-t.Context().Done()
				_ = conn.Close()
			}
		}()
		_, err = Metered(ctx)
		require.ErrorIs(t, err, errStopping)
		_, err = within(t.Context(), time.Millisecond)
		require.ErrorIs(t, err, ErrUnknown)
		require.ErrorContains(t, err, "NetworkManager has not answered within 1ms")
	})
}
