package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/tope/updater/platform/command"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// Hook is the kind of a version's health hook: the hook exits with 0. No configuration
// or release names such a check; the gate makes it from the release's hooks.
const Hook health.Kind = "hook"

// once is how long one look may take at most; a hook has its own limit.
const once = 5 * time.Second

// looks maps each kind of check to the function that looks once. The function returns
// nil when the check passes.
func looks() map[health.Kind]func(*Gate, context.Context, *steps.Task, planned) error {
	return map[health.Kind]func(*Gate, context.Context, *steps.Task, planned) error{
		health.Active:  (*Gate).active,
		health.HTTP:    (*Gate).get,
		health.TCP:     (*Gate).dial,
		health.Command: (*Gate).command,
	}
}

// look looks once. An installed version may have a check of a kind that only a newer
// updater knows. Such a check fails.
func (g *Gate) look(ctx context.Context, t *steps.Task, p planned) error {
	if p.check.Kind == Hook {
		_, err := running.RunHook(ctx, p.dir, t, versions.HealthHook, p.check.Command[0])
		return err
	}
	look, ok := looks()[p.check.Kind]
	if p.check.Kind == Origin {
		look, ok = (*Gate).origin, true
	}
	if !ok {
		return fmt.Errorf("unknown kind of check %q", p.check.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	return look(g, ctx, t, p)
}

// get demands an answer of 2xx.
func (g *Gate) get(ctx context.Context, _ *steps.Task, p planned) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.check.URL, nil)
	if err != nil {
		return err
	}
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 512)) // for people; the status says enough
		return answered{res.Status, string(body)}
	}
	return nil
}

// answered is the error of a check that got another answer than 2xx.
type answered struct{ status, body string }

func (a answered) Error() string { return a.status }

// Details implements steps.Detailed: what the service said with it.
func (a answered) Details() string { return a.body }

// dial demands that a connection is accepted.
func (g *Gate) dial(ctx context.Context, _ *steps.Task, p planned) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.check.Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// command demands that a program exits with 0.
func (g *Gate) command(ctx context.Context, _ *steps.Task, p planned) error {
	run := p.check.Command
	if p.run != nil {
		run = p.run
	}
	if len(run) == 0 {
		return errors.New("the check names no program")
	}
	_, err := command.Run(ctx, p.dir, run...)
	return err
}
