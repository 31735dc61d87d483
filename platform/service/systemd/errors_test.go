package systemd

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

// A connection that PID 1 has just closed says nothing of a service: the question
// is asked again, and no release is rolled back because of it.
func TestADeadConnectionIsNoVerdict(t *testing.T) {
	for _, err := range []error{
		&net.OpError{Op: "write", Net: "unix", Err: os.NewSyscallError("write", syscall.EPIPE)},
		&net.OpError{Op: "read", Net: "unix", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		io.EOF, net.ErrClosed, dbus.ErrClosed,
	} {
		require.ErrorIs(t, classify(fmt.Errorf("survey: %w", err)), service.ErrUnavailable, "%v", err)
	}
	require.NotErrorIs(t, classify(syscall.EINVAL), service.ErrUnavailable)
}
