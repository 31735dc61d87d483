package systemd_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
)

const (
	topPath   = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerIf = "org.freedesktop.systemd1.Manager"
	propsIf   = "org.freedesktop.DBus.Properties"
)

// bus is a private dbus-daemon with a systemd on it that is servicetest.Fake
// behind systemd's interfaces: what the Fake does, this systemd does.
type bus struct {
	*servicetest.Fake
	t     *testing.T
	clock clock.Clock

	mu      sync.Mutex
	address string
	daemon  *exec.Cmd
	conn    *dbus.Conn
	jobs    uint32
	pending map[string]uint32
	// job decides how a unit's job ends: a result, and whether it is announced.
	// "" is a job that does not end.
	job    func(op, unit string) (result string, announced bool)
	extra  map[string]any            // properties that are not the Fake's
	of     map[string]map[string]any // the same of one unit
	refuse *dbus.Error               // the answer to every job
	resets []string
	kills  int
	// polls counts how often a unit with a pending job was looked at.
	polls int
}

func newBus(t *testing.T, c clock.Clock, names ...string) *bus {
	b := &bus{
		t: t, clock: c, Fake: servicetest.NewFake(c, names...), pending: map[string]uint32{}, extra: map[string]any{},
		job: func(string, string) (string, bool) { return "done", true },
	}
	b.up()
	t.Cleanup(b.down)
	return b
}

// up starts the daemon, and systemd on it.
func (b *bus) up() {
	// Not t.TempDir: a socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "bus")
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", "--address=unix:tmpdir="+dir)
	out, err := daemon.StdoutPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, daemon.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b.t, err)
	conn, err := dbus.Connect(strings.TrimSpace(line))
	require.NoError(b.t, err)
	require.NoError(b.t, conn.Export(manager{b}, topPath, managerIf))
	require.NoError(b.t, conn.Export(props{b}, topPath, propsIf))
	require.NoError(b.t, conn.ExportSubtree(props{b}, topPath+"/unit", propsIf))
	reply, err := conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue)
	require.NoError(b.t, err)
	require.Equal(b.t, dbus.RequestNameReplyPrimaryOwner, reply)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.address, b.daemon, b.conn = strings.TrimSpace(line), daemon, conn
}

// down kills the daemon, and with it every connection.
func (b *bus) down() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.daemon != nil {
		_ = b.daemon.Process.Kill()
		_ = b.daemon.Wait()
		_ = b.conn.Close()
		b.daemon = nil
	}
}

func (b *bus) dial(ctx context.Context) (*sd.Conn, error) {
	return sd.NewConnection(func() (*dbus.Conn, error) { return b.connect(ctx) })
}

func (b *bus) connect(ctx context.Context) (*dbus.Conn, error) {
	b.mu.Lock()
	address := b.address
	b.mu.Unlock()
	return dbus.Connect(address, dbus.WithContext(ctx))
}

func (b *bus) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// finish ends a pending job of a unit.
func (b *bus) finish(unit, result string, announced bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.pending[unit]
	delete(b.pending, unit)
	if announced {
		_ = b.conn.Emit(topPath, managerIf+".JobRemoved", id, jobPath(id), unit, result)
	}
}

func jobPath(id uint32) dbus.ObjectPath {
	return topPath + dbus.ObjectPath("/job/"+string(rune('0'+id/100%10))+string(rune('0'+id/10%10))+string(rune('0'+id%10)))
}

// manager is org.freedesktop.systemd1.Manager.
type manager struct{ b *bus }

type act func(context.Context, service.Service) error

func (m manager) do(op, unit string, f act) (dbus.ObjectPath, *dbus.Error) {
	b := m.b
	b.mu.Lock()
	refuse, decide := b.refuse, b.job
	b.jobs++
	id := b.jobs
	b.pending[unit] = id
	b.mu.Unlock()
	if refuse != nil {
		return "", refuse
	}
	st, _ := b.Status(context.Background(), svc(strings.TrimSuffix(unit, ".service")))
	if !st.Loaded {
		return "", dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + unit + " not found."})
	}
	result, announced := decide(op, unit)
	if result == "done" {
		if err := f(context.Background(), svc(strings.TrimSuffix(unit, ".service"))); errors.Is(err, service.ErrFailed) {
			result = "failed"
		}
	}
	if result != "" {
		go b.finish(unit, result, announced)
	}
	return jobPath(id), nil
}

func (m manager) StartUnit(unit, _ string) (dbus.ObjectPath, *dbus.Error) {
	return m.do("start", unit, m.b.Start)
}

func (m manager) RestartUnit(unit, _ string) (dbus.ObjectPath, *dbus.Error) {
	return m.do("restart", unit, m.b.Restart)
}

func (m manager) StopUnit(unit, _ string) (dbus.ObjectPath, *dbus.Error) {
	return m.do("stop", unit, m.b.Stop)
}

func (m manager) ResetFailedUnit(unit string) *dbus.Error {
	m.b.set(func() { m.b.resets = append(m.b.resets, unit) })
	return nil
}

func (m manager) KillUnit(unit, who string, signal int32) *dbus.Error {
	m.b.set(func() {
		require.Equal(m.b.t, []any{"all", int32(9)}, []any{who, signal}, unit)
		m.b.kills++
	})
	return nil
}

// ListUnitsByNames answers with (ssssssouso), of which the state and the job count here.
func (m manager) ListUnitsByNames(names []string) (list []sd.UnitStatus, _ *dbus.Error) {
	for _, unit := range names {
		all, err := props(m).GetAll(dbus.Message{Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath: dbus.MakeVariant(topPath + "/unit/" + dbus.ObjectPath(sd.PathBusEscape(unit))),
		}}, "")
		if err != nil {
			return nil, err
		}
		u := sd.UnitStatus{Name: unit, Path: "/", JobPath: "/"}
		u.ActiveState, _ = all["ActiveState"].Value().(string)
		m.b.set(func() { u.JobId = m.b.pending[unit] })
		list = append(list, u)
	}
	return list, nil
}

func (m manager) Reload() *dbus.Error {
	_ = m.b.Reload(context.Background())
	return nil
}

// props is org.freedesktop.DBus.Properties of the manager and of every unit.
type props struct{ b *bus }

func (p props) Get(_, name string) (dbus.Variant, *dbus.Error) {
	switch name {
	case "SystemState":
		if stopping, _ := p.b.Stopping(context.Background()); stopping {
			return dbus.MakeVariant("stopping"), nil
		}
		return dbus.MakeVariant("running"), nil
	case "Version":
		return dbus.MakeVariant("252.39-1~deb12u2"), nil
	}
	return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
}

func (p props) GetAll(msg dbus.Message, iface string) (map[string]dbus.Variant, *dbus.Error) {
	if iface != "" && iface != "org.freedesktop.systemd1.Unit" {
		return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownInterface", nil)
	}
	object, _ := msg.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	unit := unescape(path.Base(string(object)))
	st, _ := p.b.Status(context.Background(), svc(strings.TrimSuffix(unit, ".service")))
	all := map[string]any{
		"Id": unit, "LoadState": "loaded", "ActiveState": string(st.Active), "SubState": st.Sub, "Result": st.Result,
		"MainPID": uint32(st.MainPID), "NRestarts": uint32(st.Restarts),
		"ExecMainStartTimestampMonotonic": uint64(st.Started.Microseconds()),
		"ExecMainCode":                    int32(1), "ExecMainStatus": int32(st.ExitStatus),
	}
	all["Type"], all["ExecStart"] = "simple", []execution{{Path: "/bin/" + unit, Args: []string{unit}}}
	if !st.Loaded {
		all["LoadState"] = "not-found"
	}
	if st.ExitStatus > 128 {
		all["ExecMainCode"], all["ExecMainStatus"] = int32(2), int32(st.ExitStatus-128)
	}
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	id := p.b.pending[unit]
	if id != 0 {
		p.b.polls++
	}
	for name, value := range p.b.extra {
		all[name] = value
	}
	out := map[string]dbus.Variant{}
	for name, value := range all {
		out[name] = dbus.MakeVariant(value)
	}
	for name, value := range p.b.of[unit] {
		out[name] = dbus.MakeVariant(value)
	}
	return out, nil
}

// execution is a command as systemd writes it: a(sasbttttuii).
type execution struct {
	Path         string
	Args         []string
	Ignored      bool
	A, B, C, D   uint64
	PID          uint32
	Code, Status int32
}

// unescape reverses how systemd makes an object's name of a unit's: _2e is a dot.
func unescape(name string) string {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '_' && i+2 < len(name) {
			if c, err := hex.DecodeString(name[i+1 : i+3]); err == nil {
				out.Write(c)
				i += 2
				continue
			}
		}
		out.WriteByte(name[i])
	}
	return out.String()
}
