package systemd_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/systemd"
	"github.com/tope/updater/platform/service/systemdtest"
)

// device is a machine with a real systemd, and a manager outside the machine that
// talks to it, by the same sockets as on a device.
type device struct {
	*systemdtest.Machine
	*systemd.Manager
}

// deviceWith boots a machine that has unit files; none is enabled.
func deviceWith(t *testing.T, units map[string]string) *device {
	m := systemdtest.New(t)
	for name, text := range units {
		m.Write("/etc/systemd/system/"+name, text, 0o644)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	m.Put(self, relayPath, 0o755)
	m.Boot()
	d := &device{Machine: m}
	d.Manager = d.manager(t, d.private, d.bus)
	return d
}

// manager makes another manager, which tries these ways to systemd in turn.
func (d *device) manager(t *testing.T, ways ...way) *systemd.Manager {
	m := systemd.New(systemd.Config{
		Grace: 2 * time.Second, StartBound: 10 * time.Second,
		Bus: d.bus,
		Dial: func(ctx context.Context) (conn *sd.Conn, err error) {
			for _, w := range ways {
				if conn, err = sd.NewConnection(func() (*dbus.Conn, error) { return w(ctx) }); err == nil {
					return conn, nil
				}
			}
			return nil, err
		},
	})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

type way func(context.Context) (*dbus.Conn, error)

// bus connects to the machine's system bus.
func (d *device) bus(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.Dial(fmt.Sprintf("unix:path=/proc/%d/root/run/dbus/system_bus_socket", d.Leader()), dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	return greeted(conn, true)
}

// private connects to systemd's private socket. There systemd accepts only
// processes that it can see, so the other end is a process in the machine.
func (d *device) private(ctx context.Context) (*dbus.Conn, error) {
	cmd, err := d.Command(ctx, relayPath, relayArg, "/run/systemd/private")
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	conn, err := dbus.NewConn(&relayed{Reader: out, WriteCloser: in, cmd: cmd}, dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	return greeted(conn, false)
}

func greeted(conn *dbus.Conn, hello bool) (*dbus.Conn, error) {
	err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil && hello {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

const (
	relayPath = "/usr/local/bin/relay"
	relayArg  = "relay"
)

// relayed is a connection through a relay.
type relayed struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func (r *relayed) Close() error {
	err := r.WriteCloser.Close()
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	return err
}

// relay is what this program does in the machine: it joins its input and output
// to a socket.
func relay(path string) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Plain reads and writes: splice would spin on a pipe that blocks.
	go func() {
		_, _ = io.Copy(struct{ io.Writer }{conn}, struct{ io.Reader }{os.Stdin})
		os.Exit(0)
	}()
	_, _ = io.Copy(struct{ io.Writer }{os.Stdout}, struct{ io.Reader }{conn})
}

// hold is what this program does in the machine when it is asked to: it puts a
// shutdown off until its input ends, with a manager as a device has it.
func hold() {
	m := systemd.New(systemd.Config{})
	release, err := m.Inhibit(context.Background(), "a test")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	release()
	fmt.Println("released")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// survey prints what the manager of a device finds out about a service, on which
// this program's own unit may depend.
func survey(name string) {
	found, err := systemd.New(systemd.Config{}).Survey(context.Background(), []service.Service{svc(name)})
	fmt.Println(found.Dependents, err)
}

// tell prints the state of a service, as the manager of a device sees it.
func tell(name string) {
	st, err := systemd.New(systemd.Config{}).Status(context.Background(), svc(name))
	fmt.Println(st.Active, err)
}

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == relayArg {
		switch arg := os.Args[2]; {
		case arg == "hold":
			hold()
		case strings.HasPrefix(arg, "/"):
			relay(arg)
		case strings.HasPrefix(arg, "survey "):
			survey(strings.TrimPrefix(arg, "survey "))
		default:
			tell(arg)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// kill ends a process of the machine, which is known by its number there.
func (d *device) kill(pid int) { d.MustRun("sh", "-c", "kill -KILL "+strconv.Itoa(pid)) }

func (d *device) active(unit string) string { return d.Property(unit, "ActiveState") }

// soon is a service with little patience.
func soon(name string) service.Service {
	return service.Service{Name: name, StopTimeout: time.Second}
}
