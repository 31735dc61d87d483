package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os/user"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Group names the group whose members may use the socket nearly as root may (RootOnly).
// The device need not have that group.
const Group = "tope-updater"

// groupID returns the group's number; ok is false where the group does not exist.
func groupID() (gid uint32, ok bool) {
	g, err := user.LookupGroup(Group)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(n), err == nil
}

// peer identifies the other end of a socket's connection, by the credentials
// that the kernel recorded when it connected.
type peer struct {
	uid    uint32
	groups []uint32
	// pid is 0 for a process of another container. process is what it called itself when
	// it connected.
	pid     int32
	process string
	err     error // why the kernel did not tell
}

type peerKey struct{}

// withPeer is a server's ConnContext: it remembers the peer of a connection
// that came through the socket. A TCP connection has no peer.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if l, ok := c.(*limitedConn); ok {
		c = l.Conn
	}
	u, ok := c.(*net.UnixConn)
	if h, hands := c.(*handingConn); hands {
		ctx = context.WithValue(ctx, handingKey{}, h)
		u, ok = h.UnixConn, true
	}
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peerOf(u))
}

func peerOf(c *net.UnixConn) (p peer) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, p.err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); p.err != nil {
			return
		}
		p.uid, p.pid = cred.Uid, cred.Pid
		p.groups = append(peerGroups(fd), cred.Gid)
	})
	p.err = errors.Join(p.err, err)
	p.process = processName(p.pid)
	return p
}

// peerGroups returns the supplementary groups. Linux before 4.13 does not tell
// them: on it, the group has to be the user's primary one.
func peerGroups(fd uintptr) []uint32 {
	groups := make([]uint32, 64)
	for {
		size := uint32(4 * len(groups))
		_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4]
		case errno == unix.ERANGE && size > uint32(4*len(groups)):
			groups = make([]uint32, size/4)
		default:
			return nil
		}
	}
}

// peers finds the door of requests that come through the socket. Its mode (0660) already
// keeps strangers out; they are told apart all the same, for when the mode has been
// widened, and for a socket that was inherited.
type peers struct {
	next http.Handler
	// own is the user that this updater runs as.
	own  uint32
	gid  uint32
	some bool // the group exists
}

func (p peers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if who, local := r.Context().Value(peerKey{}).(peer); local {
		r = r.WithContext(withDoor(r.Context(), p.door(who)))
	}
	p.next.ServeHTTP(w, r)
}

// door is the socket's for who is on the other side.
func (p peers) door(who peer) Door {
	switch {
	case who.err != nil:
		return SocketStranger
	case who.uid == 0, who.uid == p.own:
		return SocketOwner
	case p.some && slices.Contains(who.groups, p.gid):
		return SocketGroup
	}
	return SocketStranger
}

// strangeTo refuses a request of a user who may only look.
func strangeTo(r *http.Request) *Problem {
	who, _ := r.Context().Value(peerKey{}).(peer)
	if who.err != nil {
		return newProblem(foreignPeer, "cannot tell who asks: "+who.err.Error())
	}
	return newProblem(foreignPeer, "user "+strconv.FormatUint(uint64(who.uid), 10)+" may look, but not change anything: be root, or a member of the group "+Group)
}
