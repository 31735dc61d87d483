package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Kind is how a check looks.
type Kind string

// The kinds of check.
const (
	// Active: the service is active, its main process was started after the
	// flip, it has not restarted by itself, and stays so for Stable.
	Active Kind = "active"
	// HTTP: GET URL answers 2xx.
	HTTP Kind = "http"
	// TCP: a connection to Address can be made.
	TCP Kind = "tcp"
	// Command: Command exits with 0.
	Command Kind = "command"
	// Hook: the version's health hook exits with 0.
	Hook Kind = "hook"
)

// Check is one thing that must be true of a healthy service.
type Check struct {
	Service string
	Kind    Kind
	URL     string
	Address string
	Command []string
	// Timeout is how long the check may take to become true; default 30 s.
	Timeout time.Duration
	// Stable is how long an Active check must stay true; default 5 s.
	Stable time.Duration
}

// Target is what the check looks at, for people and to tell checks apart.
func (c Check) Target() string {
	switch c.Kind {
	case HTTP:
		return c.URL
	case TCP:
		return c.Address
	case Command, Hook:
		return strings.Join(c.Command, " ")
	}
	return c.Service
}

// once is how long one look may take at most; a hook has its own limit.
const once = 5 * time.Second

// look looks once; nil means that it is as it should be.
func (g *Gate) look(ctx context.Context, t *steps.Task, p planned) error {
	c := p.check
	if c.Kind == Hook {
		_, err := running.RunHook(ctx, p.dir, t, versions.HealthHook, c.Command[0])
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	switch c.Kind {
	case Active:
		return g.active(ctx, t, p.svc)
	case HTTP:
		return g.get(ctx, c.URL)
	case TCP:
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Address)
		if err != nil {
			return err
		}
		return conn.Close()
	case Command:
		run := c.Command
		if p.run != nil {
			run = p.run
		}
		_, err := running.Run(ctx, p.dir, run...)
		return err
	}
	return fmt.Errorf("unknown kind of check %q", c.Kind)
}

// active is what the service manager says once the service has settled: a job
// that is done says nothing of that.
func (g *Gate) active(ctx context.Context, t *steps.Task, svc service.Service) error {
	now, err := look.ServiceAt(ctx, g.cfg.Manager, svc)
	if err != nil {
		return err
	}
	if waits, err := g.waits(t, svc, now.Status); err != nil || waits {
		return err
	}
	switch now.Condition() {
	case look.Up:
		return nil
	case look.Unknown:
		return fmt.Errorf("%w: %s", service.ErrNotFound, svc.Name)
	case look.Unusable:
		return fmt.Errorf("%w: %s is %s", service.ErrUnusable, svc.Name, now.Unusable())
	}
	return errors.New(now.String())
}

// waits reports whether a service is as it was before the switch: not running,
// for its socket or timer will start it.
func (g *Gate) waits(t *steps.Task, svc service.Service, st service.Status) (bool, error) {
	if st.Active != service.Stopped {
		return false, nil
	}
	units, err := running.LoadCompanions(t)
	return units.Waits(svc.Name, st), err
}

func (g *Gate) get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return fmt.Errorf("GET %s: %s: %s", url, res.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
