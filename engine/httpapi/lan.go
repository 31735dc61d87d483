package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenLAN binds the addresses of ServerOptions.LAN. The network's door is not worth a
// daemon that does not start: one that cannot be bound is left out.
func (s *Server) listenLAN(o ServerOptions) {
	if o.TLS == nil {
		return
	}
	s.tls = o.TLS.Clone()
	s.tls.NextProtos = []string{"http/1.1"} // HTTP/2 has many requests on one connection, past the budget
	for _, address := range o.LAN {
		// The address of an interface that comes up later can be bound before.
		l, err := (&net.ListenConfig{Control: bindAhead}).Listen(context.Background(), "tcp", address)
		if err != nil {
			err = fmt.Errorf("cannot listen on %s: %w; see [http] lan in the configuration", address, err)
			s.log.Error("the network's door stays closed", "err", err)
			s.unbound = errors.Join(s.unbound, err)
			continue
		}
		s.lan = append(s.lan, limit(l, s.budget))
	}
}

// Unbound is why addresses of ServerOptions.LAN could not be bound; nil when all are.
func (s *Server) Unbound() error { return s.unbound }

// bindAhead lets a socket be bound to an address that the device does not have.
func bindAhead(network, _ string, c syscall.RawConn) error {
	var err error
	cerr := c.Control(func(fd uintptr) {
		if network == "tcp6" {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1)
		}
	})
	return errors.Join(cerr, err)
}

// local reports whether only programs of this device can reach a listener.
func local(l net.Listener) bool {
	tcp, ok := l.Addr().(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}
