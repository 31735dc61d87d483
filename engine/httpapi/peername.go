package httpapi

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// peerName names the peer that a connection counts for: a user of this device, where
// the kernel tells which, else the address it comes from. An IPv6 network of 64 bits is
// one peer. It never blocks.
func peerName(c net.Conn) string {
	switch c := c.(type) {
	case *handingConn:
		return peerName(c.UnixConn)
	case *net.UnixConn:
		if p := peerOf(c); p.err == nil {
			return userName(p.uid)
		}
		return "socket"
	case *net.TCPConn:
		far, near := c.RemoteAddr().(*net.TCPAddr).AddrPort(), c.LocalAddr().(*net.TCPAddr).AddrPort()
		from := far.Addr().Unmap()
		if from.IsLoopback() || from == near.Addr().Unmap() {
			switch uid, open, err := ownerOf(far, near); {
			case err == nil && open:
				return userName(uid)
			case err == nil:
				return "hung up"
			}
		}
		return addressName(from)
	}
	return c.RemoteAddr().String()
}

func addressName(from netip.Addr) string {
	if from.Is6() {
		network, _ := from.WithZone("").Prefix(64) // never an error for IPv6
		return network.String()
	}
	return from.String()
}

const userPrefix = "user "

func userName(uid uint32) string { return userPrefix + strconv.FormatUint(uint64(uid), 10) }

// userOf is the user that peerName has named.
func userOf(peer string) (uid uint32, ok bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(peer, userPrefix), 10, 32)
	return uint32(n), err == nil && isUser(peer)
}

// isUser reports whether a peer is a user of this device.
func isUser(peer string) bool { return strings.HasPrefix(peer, userPrefix) }

// The parts of linux/inet_diag.h that x/sys does not have.
const (
	diagByFamily   = 20
	diagRequest    = 56 // bytes of struct inet_diag_req_v2
	diagAnswer     = 72 // bytes of struct inet_diag_msg
	tcpEstablished = 1
)

// ownerOf asks the kernel which user has the TCP socket that is bound to far and
// connected to near. It is not open when its user has closed it: the kernel calls it
// root's then. That is one look into a hash table, unlike /proc/net/tcp, which others
// can make long.
func ownerOf(far, near netip.AddrPort) (uid uint32, open bool, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagQuestion(far, near), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false, err
	}
	answer := make([]byte, 512)
	// The kernel answers before Sendto returns.
	n, err := unix.Read(fd, answer)
	if err != nil {
		return 0, false, err
	}
	return diagOwner(answer[:n])
}

func diagQuestion(far, near netip.AddrPort) []byte {
	ne := binary.NativeEndian
	q := make([]byte, unix.SizeofNlMsghdr+diagRequest)
	ne.PutUint32(q, uint32(len(q)))
	ne.PutUint16(q[4:], diagByFamily)
	ne.PutUint16(q[6:], unix.NLM_F_REQUEST)
	d := q[unix.SizeofNlMsghdr:]
	d[0], d[1] = unix.AF_INET, unix.IPPROTO_TCP
	ne.PutUint32(d[4:], ^uint32(0)) // in whatever state
	binary.BigEndian.PutUint16(d[8:], far.Port())
	binary.BigEndian.PutUint16(d[10:], near.Port())
	src, dst := far.Addr().Unmap(), near.Addr().Unmap()
	if src.Is6() {
		d[0] = unix.AF_INET6
	}
	copy(d[12:28], src.AsSlice())
	copy(d[28:44], dst.AsSlice())
	for i := range 8 { // no cookie
		d[48+i] = 0xff
	}
	return q
}

var errDiag = errors.New("the kernel does not tell whose a socket is")

func diagOwner(answer []byte) (uid uint32, open bool, err error) {
	ne := binary.NativeEndian
	if len(answer) < unix.SizeofNlMsghdr+diagAnswer || ne.Uint16(answer[4:]) != diagByFamily {
		return 0, false, errDiag
	}
	d := answer[unix.SizeofNlMsghdr:]
	inode := ne.Uint32(d[68:])
	return ne.Uint32(d[64:]), d[1] == tcpEstablished && inode != 0, nil
}
