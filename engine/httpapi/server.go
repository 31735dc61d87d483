package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// drainTimeout is how long requests may go on when the server stops.
	drainTimeout = 3 * time.Second
	maxHeader    = 16 << 10
	// maxConns bounds the connections of each listener on its own, so that a
	// flood on the TCP port cannot keep the command line from the socket.
	maxConns = 64
)

// limits bound how long a client may take; a slower one is disconnected.
type limits struct{ header, read, write, idle time.Duration }

func usualLimits() limits {
	return limits{header: 5 * time.Second, read: 10 * time.Second, write: 30 * time.Second, idle: time.Minute}
}

// ServerOptions says where to listen. Log may be nil.
type ServerOptions struct {
	Handler http.Handler
	// Listen has addresses like "127.0.0.1:12315"; port 0 picks one.
	Listen []string
	// Socket is the path of the unix socket; empty for none. Its directory
	// must exist.
	Socket string
	// Inherited are listeners that another program has bound and passed on. A
	// unix socket among them replaces Socket, a TCP listener replaces Listen.
	// The end of Serve closes them, but keeps the socket's file: it belongs to
	// the program that made it.
	Inherited []net.Listener
	Log       *slog.Logger
}

// Server has bound its addresses and waits to serve.
type Server struct {
	handler   http.Handler
	listeners []net.Listener
	log       *slog.Logger
	limits    limits
}

// Listen binds all addresses and the socket. When one cannot be bound, none is.
func Listen(o ServerOptions) (_ *Server, err error) {
	gid, some := groupID()
	s := &Server{handler: peers{next: o.Handler, own: uint32(os.Geteuid()), gid: gid, some: some}, log: o.Log, limits: usualLimits()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, l := range o.Inherited {
		switch l := l.(type) {
		case *net.UnixListener:
			l.SetUnlinkOnClose(false)
			o.Socket = ""
		default:
			o.Listen = nil
		}
		s.listeners = append(s.listeners, limit(l, maxConns))
	}
	for _, address := range o.Listen {
		var config net.ListenConfig
		l, err := config.Listen(context.Background(), "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("cannot listen on %s: %w; see [http] listen in the configuration", address, err)
		}
		s.listeners = append(s.listeners, limit(l, maxConns))
	}
	if o.Socket != "" {
		l, err := listenSocket(o.Socket)
		if err != nil {
			return nil, err
		}
		s.listeners = append(s.listeners, limit(l, maxConns))
	}
	return s, nil
}

// Addrs returns the bound addresses: inherited first, then ServerOptions.Listen, then the socket.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Close closes all listeners, for a server on which Serve is never called.
func (s *Server) Close() {
	for _, l := range s.listeners {
		l.Close()
	}
}

// Serve answers requests until ctx ends. Then requests that wait for a change end
// at once, others may finish for a moment, and everything is closed. It returns
// nil when ctx ended, and otherwise the error that stopped it.
func (s *Server) Serve(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.limits.header,
		ReadTimeout:       s.limits.read,
		WriteTimeout:      s.limits.write,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
	}
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { failed <- srv.Serve(l) }()
	}
	running := len(s.listeners)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		running--
		err = fmt.Errorf("cannot serve HTTP: %w", err)
	}
	drain, stop := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer stop()
	if srv.Shutdown(drain) != nil {
		srv.Close() // disconnects the clients that are left; an error would change nothing
	}
	for range running {
		if e := <-failed; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
