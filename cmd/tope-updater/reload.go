package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle/trust"
)

func (a *app) reloadCommand() *cobra.Command {
	var check bool
	var keys string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "let the daemon read its configuration and keys anew",
		Long: `Let the daemon read its configuration and keys anew, as "systemctl reload
tope-updater" does. They are checked first: when something is wrong with them the
command says what, and the daemon keeps those that it has. It is refused while an
update is in progress. The directories, the address of the HTTP API and the service
manager need a restart: "systemctl restart tope-updater".

With --check they are only checked, whether a daemon runs or not: a new file before
it is put in place ("--config FILE reload --check"), or the tree of an image.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return a.checkConfiguration(keys)
			}
			if keys != "" {
				return usagef("--keys names what --check looks at; the daemon's keys are where paths.keys of the configuration says")
			}
			// The socket is found by the configuration on the disk, so it is read here, too.
			if _, err := a.device(); err != nil {
				return fmt.Errorf("%w; the daemon goes on with what it has: %w", httpapi.ErrConfiguration, err)
			}
			s, err := a.connect(cmd.Context(), reads)
			if err != nil {
				return err
			}
			defer s.close()
			if s.inProcess {
				return usagef("no daemon runs; it reads the configuration when it starts")
			}
			r, err := s.Reload(cmd.Context())
			if err != nil {
				return err
			}
			return a.term.answer(r, func(t *terminal) {
				t.say("the configuration %s is in force", r.Config)
				t.say("this device trusts %s", r.Trust)
			})
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only find out whether they can be used")
	cmd.Flags().StringVar(&keys, "keys", "", "with --check: the `directory` of this system with the keys, instead of the device's")
	return cmd
}

// checkConfiguration makes of configuration and keys what a daemon would, and lets go of
// it. When keys is not empty it is a directory of this system that is looked at instead
// of the device's keys.
func (a *app) checkConfiguration(keys string) error {
	d, err := a.device()
	if err != nil {
		return err
	}
	policy := d.policy()
	if keys != "" {
		if policy.Directory, err = filepath.Abs(keys); err != nil {
			return err
		}
		if policy.Root, err = disk.NewRoot("/"); err != nil {
			return err
		}
		// A directory that is missing would count as one without keys.
		if _, err := os.ReadDir(policy.Directory); err != nil {
			return fmt.Errorf("cannot read the keys: %w", err)
		}
	}
	said, err := d.usable(policy)
	if err != nil {
		return err
	}
	return a.term.answer(said, func(t *terminal) {
		t.say("the configuration %s can be used", said.Config)
		t.say("this device trusts %s", said.Trust)
	})
}

// errReload ends the life of an engine; another one follows, with the new configuration.
var errReload = errors.New("the configuration is read anew")

// reloader replaces the daemon's configuration between two lives of its engine.
type reloader struct {
	// one reload at a time
	turn sync.Mutex

	mu sync.Mutex
	// now is what the daemon works with, next what it will work with.
	now, next *device
	// life is the engine at work, and end ends its life; nil while none is.
	life *engine.Engine
	end  context.CancelCauseFunc
	// applied is told how the next life has begun.
	applied chan error
}

// begins says that an engine is at work. The function that it returns says that it
// is not any more.
func (r *reloader) begins(d *device, e *engine.Engine, end context.CancelCauseFunc) (over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.life, r.end = d, e, end
	r.answer(nil)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.life, r.end = nil, nil
	}
}

// lived reports whether an engine has been at work in this process.
func (r *reloader) lived() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now != nil
}

// take is the device of the next life: a new one after a reload.
func (r *reloader) take(d *device) *device {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		d, r.next = r.next, nil
	}
	return d
}

// failed tells a reload that waits that no engine has come to life. It reports whether
// one has waited.
func (r *reloader) failed(err error) (waited bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waited = r.applied != nil
	r.answer(err)
	return waited
}

func (r *reloader) answer(err error) {
	if r.applied != nil {
		r.applied <- err // it has room
		r.applied = nil
	}
}

// reload reads configuration and keys anew, checks them, and has the daemon begin a
// new life with them. It returns when that has begun. On an error the daemon goes on
// with what it has. An update is never open under two configurations: while one is
// in progress a reload is refused.
func (r *reloader) reload(ctx context.Context) (httpapi.Reloaded, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	now, life, err := r.alive(ctx)
	if err != nil {
		return httpapi.Reloaded{}, err
	}
	next, said, err := now.anew()
	if err != nil {
		return httpapi.Reloaded{}, fmt.Errorf("%w; the daemon goes on with what it has: %w", httpapi.ErrConfiguration, err)
	}
	applied := make(chan error, 1)
	// What the engine runs for a request is not cut short, nor may the next life run
	// beside it.
	err = life.BetweenUpdates(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.next, r.applied = next, applied
		r.end(errReload)
	})
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", engine.ErrJournal, errStarting) // that life is over
	}
	if err != nil {
		return httpapi.Reloaded{}, err
	}
	select {
	case err = <-applied:
		return said, err
	case <-ctx.Done():
		return httpapi.Reloaded{}, context.Cause(ctx)
	}
}

// alive waits for an engine at work: the daemon may be starting.
func (r *reloader) alive(ctx context.Context) (*device, *engine.Engine, error) {
	for {
		r.mu.Lock()
		now, life := r.now, r.life
		r.mu.Unlock()
		if life != nil {
			return now, life, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(knock):
		}
	}
}

// onHangup reloads at each SIGHUP, until ctx ends; the log tells how it went.
func (r *reloader) onHangup(ctx context.Context, d *device) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		if _, err := r.reload(ctx); err != nil {
			d.log.Error("cannot reload", "err", err)
		}
	}
}

// anew is the device with the configuration that is on the disk now. It is checked by
// making all of it that a new life needs; nothing is written.
func (d *device) anew() (*device, httpapi.Reloaded, error) {
	var said httpapi.Reloaded
	next := *d
	var err error
	if next.configFile, next.cfg, err = d.load(); err != nil {
		return nil, said, err
	}
	if fixed := needRestart(d.cfg, next.cfg); len(fixed) > 0 {
		return nil, said, fmt.Errorf("%s: to change %s takes a restart: systemctl restart tope-updater", next.configFile, strings.Join(fixed, ", "))
	}
	if said, err = next.usable(next.policy()); err != nil {
		return nil, said, err
	}
	// A daemon that starts does without what asks for releases, and this one need not.
	if err := next.asks(); err != nil {
		return nil, said, config.Mistaken(fmt.Errorf("%s: %w", next.configFile, err))
	}
	return &next, said, nil
}

// usable reports whether the configuration and the policy's keys can be used, and whom
// they trust.
func (d *device) usable(p trust.Policy) (said httpapi.Reloaded, err error) {
	if err := d.tryOut(); err != nil {
		return said, fmt.Errorf("%s: %w", d.configFile, err)
	}
	// A file that the configuration names and that is missing is a mistake of the configuration.
	if err := d.web().Check(); err != nil {
		return said, config.Mistaken(fmt.Errorf("%s: %w", d.configFile, err))
	}
	if files, err := d.certificate(); err != nil {
		return said, config.Mistaken(fmt.Errorf("%s: %w", d.configFile, err))
	} else if files != nil && d.cfg.HTTP.TLSCert != "" {
		if _, err := files.Load(); err != nil {
			return said, config.Mistaken(fmt.Errorf("%s: http.tls_cert: %w", d.configFile, err))
		}
	}
	trusts := p.Standing()
	if trusts.Err != nil {
		return said, fmt.Errorf("the keys in %s cannot be used, and no release is accepted until they can: %w", p.Directory, trusts.Err)
	}
	return httpapi.Reloaded{Config: d.configFile, Trust: trusts.Text}, nil
}

// tryOut makes an engine and its parts, and lets go of them. Nothing is written.
func (d *device) tryOut() error {
	p, err := d.parts(false)
	if err != nil {
		return err
	}
	if err := p.manage(); err != nil {
		return err
	}
	// Without a memory: that of the running daemon has what clients were told last.
	_, err = p.newEngine(frozen{emptyJournal{}}, nil)
	return errors.Join(err, p.close())
}

// needRestart names what is different and cannot change while the daemon runs: its
// sockets are open, its journal is, and services run under its manager.
func needRestart(was, is config.Config) (names []string) {
	for _, c := range []struct {
		name    string
		was, is string
	}{
		{"paths.versions", was.Paths.Versions, is.Paths.Versions},
		{"paths.shared", was.Paths.Shared, is.Paths.Shared},
		{"paths.services", was.Paths.Services, is.Paths.Services},
		{"paths.bin", was.Paths.Bin, is.Paths.Bin},
		{"paths.state", was.Paths.State, is.Paths.State},
		{"paths.run", was.Paths.Run, is.Paths.Run},
		{"http.listen", was.HTTP.Listen, is.HTTP.Listen},
		{"http.lan", was.HTTP.LAN, is.HTTP.LAN},
		{"http.tls_cert", was.HTTP.TLSCert, is.HTTP.TLSCert},
		{"http.tls_key", was.HTTP.TLSKey, is.HTTP.TLSKey},
		{"services.manager", was.Services.Manager, is.Services.Manager},
	} {
		if c.was != c.is {
			names = append(names, c.name)
		}
	}
	return names
}
