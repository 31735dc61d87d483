package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	// drainTimeout is how long requests may go on when the server stops.
	drainTimeout = 3 * time.Second
	maxHeader    = 16 << 10
)

// limits bound how long a client may take; a slower one is disconnected.
type limits struct{ header, read, write, idle time.Duration }

func usualLimits() limits {
	return limits{header: 5 * time.Second, read: 10 * time.Second, write: answerTimeout, idle: time.Minute}
}

// ServerOptions says where to listen. Log may be nil.
type ServerOptions struct {
	Handler http.Handler
	// Listen has addresses like "127.0.0.1:12315"; port 0 picks one.
	Listen []string
	// LAN has addresses at which the network may connect, by TLS only, whose
	// configuration TLS then has. An address that the device does not have yet is bound
	// all the same. One that cannot be bound is logged, and the server does without it.
	LAN []string
	TLS *tls.Config
	// Socket is the path of the unix socket; empty for none. Its directory
	// must exist.
	Socket string
	// Inherited are listeners that another program has bound and passed on. A
	// unix socket among them replaces Socket, a TCP listener replaces Listen. One that
	// the network can reach is refused: requests on it would be plain.
	// The end of Serve closes them, but keeps the socket's file: it belongs to
	// the program that made it.
	Inherited []net.Listener
	Log       *slog.Logger
}

// Server has bound its addresses and waits to serve.
type Server struct {
	handler   peers
	listeners []net.Listener
	// lan are the listeners of which the network hears, by TLS.
	lan     []net.Listener
	tls     *tls.Config
	unbound error
	log     *slog.Logger
	limits  limits
	budget  *budget
}

// Listen binds all addresses and the socket. When one cannot be bound, none is. All of
// them share one budget of connections and large answers: see shares.
func Listen(o ServerOptions) (_ *Server, err error) {
	gid, some := groupID()
	b := newBudget()
	s := &Server{budget: b, handler: peers{next: o.Handler, own: uint32(os.Geteuid()), gid: gid, some: some}, log: o.Log, limits: usualLimits()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, l := range o.Inherited {
		if !local(l) {
			s.log.Error("a listener that was passed on is closed: whoever reaches it would use the API without TLS; see [http] lan", "address", l.Addr().String())
			l.Close()
			continue
		}
		switch l := l.(type) {
		case *net.UnixListener:
			l.SetUnlinkOnClose(false)
			o.Socket = ""
			s.listeners = append(s.listeners, limit(inherited(l), b))
		default:
			o.Listen = nil
			s.listeners = append(s.listeners, limit(l, b))
		}
	}
	// The socket comes first: a second updater finds it taken, and need not wait.
	var socket []net.Listener
	if o.Socket != "" {
		l, err := listenSocket(o.Socket)
		if err != nil {
			return nil, err
		}
		socket = append(socket, limit(l, b))
	}
	for _, address := range o.Listen {
		l, err := listenTCP(address)
		if err != nil {
			s.listeners = append(s.listeners, socket...) // to be closed
			return nil, fmt.Errorf("cannot listen on %s: %w; see [http] listen in the configuration", address, err)
		}
		s.listeners = append(s.listeners, limit(l, b))
	}
	s.listeners = append(s.listeners, socket...)
	s.listenLAN(o)
	return s, nil
}

// portPatience is how long to wait for a port that is taken. When an updater is
// killed while it starts a service, the service's process has the updater's port
// until it executes its program: the kernel closes the port only then. That is
// soon, but may be after the next updater has started.
const portPatience = 2 * time.Second

func listenTCP(address string) (l net.Listener, err error) {
	var config net.ListenConfig
	for deadline := time.Now().Add(portPatience); ; time.Sleep(10 * time.Millisecond) {
		l, err = config.Listen(context.Background(), "tcp", address)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return l, err
		}
	}
}

// Addrs returns the bound addresses: inherited first, then ServerOptions.Listen, then the
// socket, then those of LAN.
func (s *Server) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, l := range slices.Concat(s.listeners, s.lan) {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// Close closes all listeners, for a server on which Serve is never called.
func (s *Server) Close() {
	for _, l := range slices.Concat(s.listeners, s.lan) {
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
		ConnContext:       s.withConn,
		ConnState:         note,
	}
	all := slices.Clone(s.listeners)
	for _, l := range s.lan {
		all = append(all, tls.NewListener(l, s.tls))
	}
	failed := make(chan error, len(all))
	for _, l := range all {
		go func() { failed <- srv.Serve(l) }()
	}
	running := len(all)
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
