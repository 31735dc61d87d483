//go:build linux && amd64

package trace

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// StubArg is the first argument that makes this program a machine's PID 1: see Stub.
const StubArg = "crashlab-machine-stub"

// ErrPower is returned by Run when the machine lost its power before the
// program ended.
var ErrPower = errors.New("the machine lost its power")

// Config says what a machine watches.
type Config struct {
	// Dir is the tree whose changes are calls; absolute, without symlinks.
	Dir string
	// Handler decides on every call. Nil: nothing is watched, programs run at
	// full speed.
	Handler Handler
	// Record makes writes carry their data, and makes calls that copy unseen
	// inside the kernel fail with ENOSYS.
	Record bool
	// Says also hands writes to standard output, pipes and sockets to Handler.
	Says bool
	// Exe is the program whose main calls Stub; empty for this program.
	Exe string
	// NotTick is the Tick of an earlier boot; this boot gets another one.
	NotTick uint64
	// Listen, when not empty, gives the machine a loopback network of its own,
	// with a listener at this address that the laboratory serves: see Listener.
	Listen string
}

// Machine is one boot of a device.
type Machine struct {
	cfg      Config
	cmd      *exec.Cmd
	ctl      *conn
	tick     uint64
	listener net.Listener
	cut      atomic.Bool
	listened chan struct{}
}

// Boot starts a machine without processes of the device yet. The caller must call Off.
func Boot(cfg Config) (*Machine, error) {
	if cfg.Handler != nil {
		dir, err := filepath.EvalSymlinks(cfg.Dir)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		cfg.Dir = dir
	}
	if cfg.Exe == "" {
		cfg.Exe = "/proc/self/exe"
	}
	for {
		m, err := start(cfg)
		if err != nil {
			return nil, fmt.Errorf("boot a machine: %w", err)
		}
		// PID 1's start time counts in hundredths of a second, and a program that tells
		// boots apart by it must see a new one.
		if m.tick != cfg.NotTick {
			return m, nil
		}
		m.Off()
		time.Sleep(time.Millisecond)
	}
}

func start(cfg Config) (*Machine, error) {
	sp, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(sp[1]), "stub")
	defer theirs.Close()
	m := &Machine{cfg: cfg, ctl: newConn(sp[0]), listened: make(chan struct{})}
	filter := "free"
	if cfg.Handler != nil {
		filter = "watched"
	}
	flags := uintptr(unix.CLONE_NEWPID | unix.CLONE_NEWNS)
	if cfg.Listen != "" {
		flags |= unix.CLONE_NEWNET
	}
	// No context: Off ends a machine.
	m.cmd = exec.Command(cfg.Exe, StubArg, filter, cfg.Listen) //nolint:noctx // see above
	m.cmd.Stderr = os.Stderr
	m.cmd.ExtraFiles = []*os.File{theirs}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: flags,
		Setsid:     true,
	}
	if err := m.cmd.Start(); err != nil {
		m.ctl.Close()
		return nil, err
	}
	if m.tick, err = startTick(m.cmd.Process.Pid); err != nil {
		close(m.listened)
		m.Off()
		return nil, err
	}
	if err := m.attach(); err != nil {
		m.Off()
		return nil, err
	}
	return m, nil
}

// attach waits for the stub to be up, and takes over its listeners.
func (m *Machine) attach() error {
	fds, err := m.ctl.hello()
	if err != nil {
		close(m.listened)
		return fmt.Errorf("the stub did not come up: %w", err)
	}
	if m.cfg.Listen != "" {
		f := os.NewFile(uintptr(fds[0]), "listener")
		m.listener, err = net.FileListener(f)
		f.Close()
		fds = fds[1:]
	}
	if m.cfg.Handler == nil {
		close(m.listened)
		return err
	}
	go m.listen(fds[0])
	return err
}

// Listener accepts the connections that programs on the machine make to
// Config.Listen. It is closed by Off.
func (m *Machine) Listener() net.Listener { return m.listener }

// startTick is when a process started, in hundredths of a second since the boot.
func startTick(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything, blanks too.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return 0, fmt.Errorf("cannot read the start time of process %d", pid)
	}
	return strconv.ParseUint(f[19], 10, 64)
}

// Tick is PID 1's start time, which tells this boot from others.
func (m *Machine) Tick() uint64 { return m.tick }

// powerOff cuts the power without waiting.
func (m *Machine) powerOff() {
	m.cut.Store(true)
	_ = m.cmd.Process.Kill()
}

// Off cuts the power and waits until every process is gone. It may be called
// again, also after the power was cut.
func (m *Machine) Off() {
	if m.cmd.ProcessState == nil {
		m.powerOff()
		// The kernel lets PID 1 go only after all others in its namespace.
		_ = m.cmd.Wait()
	}
	m.ctl.Close()
	if m.listener != nil {
		_ = m.listener.Close()
	}
	<-m.listened
}

// Cut reports whether the handler cut the power.
func (m *Machine) Cut() bool { return m.cut.Load() }
