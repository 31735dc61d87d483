package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "serve a directory over HTTP, for trying things",
		Long: `Serve a directory's files over HTTP, with Range requests, for trying things. In
production any web server does: bundles need no logic on the server.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := servable(args[0]); err != nil {
				return err
			}
			l, err := listenOn(cmd.Context(), listen)
			if err != nil {
				return err
			}
			files := http.FileServer(http.Dir(args[0]))
			s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				files.ServeHTTP(w, r)
				if !a.quiet {
					a.note("%s %s %s", r.Method, r.URL.Path, r.Header.Get("Range"))
				}
			})}
			a.say("http://%s/", l.Addr())
			go func() {
				<-cmd.Context().Done()
				// Transfers that are still under way are cut off.
				_ = s.Shutdown(context.WithoutCancel(cmd.Context()))
			}()
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8000", "`address` to listen on")
	return cmd
}

// servable refuses anything but a directory: a server of something else would answer, and
// only ever that it is not found.
func servable(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find the directory to serve: %w", err)
	case !info.IsDir():
		return usagef("%s is not a directory: name the directory that has the files to serve", name)
	}
	return nil
}

func listenOn(ctx context.Context, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return nil, usagef("--listen: write HOST:PORT, such as 127.0.0.1:8000")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; name another address by --listen", address, err)
	}
	return l, nil
}
