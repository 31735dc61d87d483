package main

import (
	"context"
	"errors"
	"net"
	"net/http"
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
			l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", listen)
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
