package doctor

import (
	"cmp"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
)

// seen has the facts that more than one check needs, read once.
type seen struct {
	// store is nil when the versions cannot be looked at: storeErr tells the reason.
	store    *versions.Store
	storeErr error
	at       look.Pointers
	atErr    error
	versions []versions.Info
	listErr  error
	// manager is nil when there is none: managerErr tells the reason.
	manager    service.Manager
	managerErr error
	// past is the journal; nil when it cannot be read: pastErr tells the reason.
	past    *journal.Reader
	pastErr error
	// socketPath is the host path of the daemon's socket; socketErr is what its API
	// answered, or why nothing did. socket is the process behind it, 0 when it cannot
	// be told, and socketOurs whether that is an updater.
	socketPath string
	socketErr  error
	socket     look.Process
	socketOurs bool
	// otherDaemon is a daemon that runs with another configuration, otherFile: what is
	// examined is that of the next one. It is 0 when there is no such daemon.
	otherDaemon int
	otherFile   string
}

func (c *checkup) lookAround(ctx context.Context) (s seen) {
	s.manager, s.managerErr = c.Manager()
	s.past, s.pastErr = c.Journal()
	if s.pastErr == nil {
		defer func() { _ = s.past.Close() }() // it is a copy, and can be read on
	}
	// A missing directory is an error, and not taken for an empty one: its
	// partition may not be mounted.
	host, err := c.Root.Resolve(c.Config.Paths.Versions)
	if err == nil {
		_, err = os.Stat(host)
	}
	if err == nil {
		s.store, err = c.Versions()
	}
	if err != nil {
		s.store, s.storeErr = nil, err
	} else {
		s.at, s.atErr = look.PointersAt(s.store)
		s.versions, s.listErr = s.store.List()
	}
	c.atTheSocket(ctx, &s)
	if c.Given {
		c.ofAnother(ctx, &s)
	}
	return s
}

// ofAnother looks whether the daemon that runs has another configuration than the one that
// is examined. Then it is not asked anything: its answers would be about the other one.
func (c *checkup) ofAnother(ctx context.Context, s *seen) {
	daemons := []int{s.socket.PID}
	if _, units := s.manager.(service.UnitReader); units && c.Root.Dir() == "/" {
		if st, err := s.manager.Status(ctx, service.Unit(daemonUnit)); err == nil {
			daemons = append(daemons, st.MainPID)
		}
	}
	for _, pid := range daemons {
		file, known := look.FlagOf(pid, "--config")
		if pid == 0 || !known || !s.socketOurs && pid == s.socket.PID {
			continue
		}
		if file = cmp.Or(file, config.Path); sameFile(file, c.ConfigFile) {
			s.otherDaemon = 0
			return
		}
		if s.otherDaemon == 0 {
			s.otherDaemon, s.otherFile = pid, file
		}
	}
	if s.otherDaemon != 0 {
		s.socketErr, s.socket, s.socketOurs = client.ErrNoDaemon, look.Process{}, false
	}
}

func sameFile(a, b string) bool {
	if b, err := filepath.Abs(b); err == nil && a == b {
		return true
	}
	one, err := os.Stat(a)
	two, berr := os.Stat(b)
	return err == nil && berr == nil && os.SameFile(one, two)
}

// atTheSocket asks the daemon, and looks who it is: our daemon is known by its program
// and by its answer, never by the name of a unit or by an open port.
func (c *checkup) atTheSocket(ctx context.Context, s *seen) {
	if s.socketPath, s.socketErr = c.Root.Resolve(c.Config.Paths.Socket()); s.socketErr != nil {
		return
	}
	api := client.Socket(s.socketPath)
	defer api.Close()
	s.socketErr = api.Alive(ctx)
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := httpapi.DialSocket(ctx, s.socketPath)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // nothing was written
	s.socketOurs = true                 // who cannot be seen is believed
	if u, ok := conn.(*net.UnixConn); ok {
		s.socket, _ = look.Peer(u, s.socketPath)
	}
	if s.socket.PID == 0 {
		return
	}
	if program, err := look.ProgramOf(s.socket.PID); err == nil {
		s.socketOurs = c.isUpdater(s, program)
	}
}

// isUpdater reports whether a program is one of this device's updaters: the committed
// one, also when another has taken its place since, a version's own, or this one.
func (c *checkup) isUpdater(s *seen, p look.Executable) bool {
	if committed, err := c.Root.Resolve(ownprogram.Path); err == nil && filepath.Dir(p.Path) == filepath.Dir(committed) {
		return true
	}
	if s.store != nil {
		if rest, ok := strings.CutPrefix(p.Path, s.store.Dir()+"/v"); ok && strings.HasSuffix(rest, "/"+ownprogram.Entry) {
			return true
		}
	}
	own, err := look.ProgramOf(os.Getpid())
	return err == nil && own.Path == p.Path
}

// daemonAnswers reports whether an updater answers on the socket.
func (c *checkup) daemonAnswers() bool { return c.socketErr == nil && c.socketOurs }

// fold is what the journal says of the device; nil when it cannot be read.
func (c *checkup) fold() *journal.Fold {
	if c.past == nil {
		return nil
	}
	return c.past.State()
}

// committed is the version on which the journal last left the device; "" when it tells
// of none, or an update is under way.
func (c *checkup) committed() string {
	f := c.fold()
	if f == nil || f.Open != nil {
		return ""
	}
	return f.Committed
}

// updatedBefore reports whether an update has been at work on this device.
func (c *checkup) updatedBefore() bool {
	f := c.fold()
	return c.at.UpdatedBefore() || f != nil && f.Last != nil
}

// awaitsRelease reports whether the device is as the package left it, before its first
// version: there is nothing that its services could run.
func (c *checkup) awaitsRelease() bool {
	if c.store == nil || c.atErr != nil || c.listErr != nil || len(c.versions) > 0 || c.at.UpdatedBefore() {
		return false
	}
	_, strange := c.at.Strange[versions.Current]
	return c.at.Current == "" && !strange && c.committed() == ""
}

// haveStore reports whether the versions can be looked at. If not, it adds a
// finding to the check that asked; the one of the versions fails for all.
func (c *checkup) haveStore() bool {
	if c.storeErr != nil {
		c.judged(c.name == "versions" && c.updatedBefore(), say("mount the partition, or install a release"), "cannot look at the versions: %s", c.storeErr)
	}
	return c.store != nil
}

// judged is a finding that fails when bad is set, and else warns.
func (c *checkup) judged(bad bool, do advice, format string, args ...any) {
	if bad {
		c.fail(do, format, args...)
		return
	}
	c.warn(do, format, args...)
}
