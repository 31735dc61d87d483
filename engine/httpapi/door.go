package httpapi

import (
	"context"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/printable"
)

// Door is the way by which a request came. It says who asks, as far as that is known
// without a token.
type Door int

// The doors. What each gives is told by gives (access.go).
const (
	// Loopback is TCP on the device itself, without TLS: anybody on it. A request of
	// which nothing is known is taken for one of these.
	Loopback Door = iota
	// LAN is TCP with TLS: anybody on the network.
	LAN
	// SocketStranger is the local socket, opened by a user who may only look.
	SocketStranger
	// SocketGroup is the local socket, opened by a member of Group.
	SocketGroup
	// SocketOwner is the local socket, opened by root or by the user of the updater.
	SocketOwner
	// InProcess is a command that does the work itself because no daemon runs. It has
	// the journal's lock and the rights of its user on the device's files.
	InProcess
)

// Doors are all doors.
func Doors() []Door {
	return []Door{Loopback, LAN, SocketStranger, SocketGroup, SocketOwner, InProcess}
}

// String names the door as docs/security.md does.
func (d Door) String() string {
	return [...]string{"loopback", "LAN", "socket, another user", "socket, group", "socket, root", "command without a daemon"}[d]
}

func (d Door) tcp() bool { return d == Loopback || d == LAN }

type doorKey struct{}

// withDoor returns a context whose requests come through a door.
func withDoor(ctx context.Context, d Door) context.Context {
	return context.WithValue(ctx, doorKey{}, d)
}

// Here returns a context for requests that this process makes itself, with the rights of
// its user.
func Here(ctx context.Context) context.Context { return withDoor(ctx, InProcess) }

// doorOf is the door by which a request came.
func doorOf(r *http.Request) Door {
	if d, known := r.Context().Value(doorKey{}).(Door); known {
		return d
	}
	if r.TLS != nil {
		return LAN
	}
	return Loopback
}

type callerKey struct{}

func withCaller(ctx context.Context, c caller) context.Context {
	if c.asker != nil {
		ctx = engine.AskedBy(ctx, c.asker)
	}
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who sent a request that was admitted.
func callerOf(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

// askerOf is who sent a request, by its door. The user's name is looked up only for
// requests that change something: the journal tells of those.
func askerOf(r *http.Request) *journal.Asker {
	d := doorOf(r)
	if d.tcp() {
		a := &journal.Asker{Kind: journal.ByLegacy, Peer: r.RemoteAddr}
		if uid, ok := userOf(attempter(r)); ok && changes(r) {
			a.UID, a.User = &uid, accountName(uid)
		}
		return a
	}
	a := &journal.Asker{Kind: journal.ByUser}
	if d == InProcess {
		uid := uint32(os.Getuid())
		a.UID, a.PID = &uid, int32(os.Getpid())
		a.Process = processName(a.PID)
	} else if who, ok := r.Context().Value(peerKey{}).(peer); ok && who.err == nil {
		a.UID, a.PID, a.Process = &who.uid, who.pid, who.process
	}
	if changes(r) && a.UID != nil {
		a.User = accountName(*a.UID)
	}
	return a
}

// accountName is a user's name; empty for one that has none.
func accountName(uid uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return ""
	}
	return shortLine(u.Username)
}

// processName is what a process calls itself; empty when it has ended, or is another
// container's.
func processName(pid int32) string {
	if pid <= 0 {
		return ""
	}
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "comm"))
	if err != nil {
		return ""
	}
	return shortLine(strings.TrimSpace(string(name)))
}

// longestName bounds a name that the journal keeps of a stranger, in bytes.
const longestName = 64

// shortLine is the beginning of a stranger's text, as a terminal may have it.
func shortLine(s string) string {
	return printable.Line(strings.ToValidUTF8(s[:min(len(s), longestName)], ""))
}
