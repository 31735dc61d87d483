package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/hawkbit"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/ddi"
)

// device is one with a source, which keeps what its loop would keep.
type device struct {
	cfg  ddi.Config
	clk  clock.Clock
	out  io.Writer
	wait time.Duration

	source *hawkbit.Source
	q      fleet.Question
}

func (d *device) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// restart makes the source anew. The facts stay.
func (d *device) restart() error {
	c, err := ddi.New(d.cfg)
	if err != nil {
		return err
	}
	d.source = hawkbit.New(hawkbit.Config{Client: c, Build: d.clk.Now()})
	return nil
}

func (d *device) ask(ctx context.Context) (fleet.Answer, error) {
	d.q.Clock = d.clk.Now()
	a, err := d.source.Ask(ctx, d.q)
	if a.Facts != nil {
		d.q.Facts = a.Facts
	}
	return a, err
}

// offered waits for an offer, and accepts it.
func (d *device) offered(ctx context.Context) (fleet.Offer, error) {
	for end := d.clk.Monotonic() + d.wait; ; {
		a, err := d.ask(ctx)
		switch {
		case err != nil:
			return fleet.Offer{}, err
		case a.Offer != nil:
			d.q.Accepted = &a.Offer.Origin
			return *a.Offer, nil
		case d.clk.Monotonic() > end:
			return fleet.Offer{}, fmt.Errorf("nothing was offered within %v: %s", d.wait, a.Text)
		}
		if err := clock.Sleep(ctx, d.clk, time.Second); err != nil {
			return fleet.Offer{}, err
		}
	}
}

// tell tells the states in turn, of which the last one is an end when end is set.
func (d *device) tell(ctx context.Context, o journal.Origin, end bool, states ...journal.State) error {
	for i, s := range states {
		n := d.notice(o, s, end && i == len(states)-1)
		if err := d.source.Tell(ctx, n); err != nil {
			return fmt.Errorf("tell %s: %w", s, err)
		}
		if n.End {
			d.q.Accepted = nil
		}
	}
	return nil
}

func (d *device) notice(o journal.Origin, s journal.State, end bool) journal.Notice {
	n := journal.Notice{Origin: &o, State: s, End: end, From: "1.0.0", Version: "1.1.0", Time: d.clk.Now()}
	if end && s != engine.Committed {
		n.Running = "1.0.0"
		n.Error = &journal.Failure{Code: "HEALTH_CHECK_FAILED", Text: "<b>web</b> & https://u:p@h/r?t=1 is down", Details: strings.Repeat("a line\n", 60)}
	}
	if s == engine.Cancelled {
		n.By, n.Error = &journal.Asker{Kind: journal.BySource, Source: d.source.Name()}, nil
	}
	return n
}

// part asks for a part of an artifact with the device's token.
func (d *device) part(ctx context.Context, o fleet.Offer, span string) (int, error) {
	c, err := ddi.New(d.cfg)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Source.URL.Unredacted(), http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", span)
	if err := c.Authorize(req); err != nil {
		return 0, err
	}
	resp, err := d.cfg.Web.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, o.Source.Size+1))
	if err == nil && resp.StatusCode != http.StatusPartialContent {
		err = fmt.Errorf("%s of %s: %s", span, o.Source.URL, resp.Status)
	}
	return int(n), err
}

// playOne is the course of one action, and, when a command assigns the same again, of that.
func (d *device) playOne(ctx context.Context, attributes []string, again string) error {
	if err := d.restart(); err != nil {
		return err
	}
	told := map[string]string{}
	for _, text := range attributes {
		name, value, _ := strings.Cut(text, "=")
		told[name] = value
	}
	if err := d.source.Identify(ctx, told); err != nil {
		return err
	}
	first, err := d.course(ctx)
	if err != nil || again == "" {
		return err
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", again)
	cmd.Stdout, cmd.Stderr = d.out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("assign it again: %w", err)
	}
	if err := d.restart(); err != nil {
		return err
	}
	second, err := d.course(ctx)
	switch {
	case err != nil:
		return err
	case second == first:
		return fmt.Errorf("action %s was assigned again, and is the same offer", first.Action)
	}
	d.say("again: action %s is another offer than action %s was", second.Action, first.Action)
	return nil
}

// course is an update that succeeds, and of which it turns out later that it was bad.
func (d *device) course(ctx context.Context) (journal.Origin, error) {
	o, err := d.offered(ctx)
	if err != nil || o.Unfit != "" {
		return o.Origin, fmt.Errorf("no offer that fits: %s %w", o.Unfit, err)
	}
	d.say("offered: %s: %s, forced: %v, %s", o.Text, o.Do, o.Forced, o.Origin.Digest)
	if err := d.tell(ctx, o.Origin, false, engine.Requested, engine.Downloading); err != nil {
		return o.Origin, err
	}
	half := o.Source.Size / 2
	first, err := d.part(ctx, o, "bytes=0-"+strconv.FormatInt(half-1, 10))
	if err != nil {
		return o.Origin, err
	}
	rest, err := d.part(ctx, o, "bytes="+strconv.FormatInt(half, 10)+"-")
	if err != nil || int64(first+rest) != o.Source.Size {
		return o.Origin, fmt.Errorf("%d and %d bytes came, of %d: %w", first, rest, o.Source.Size, err)
	}
	if err := d.restart(); err != nil {
		return o.Origin, err
	}
	a, err := d.ask(ctx)
	if err != nil || a.Offer == nil || a.Offer.Origin != o.Origin || a.Cancel != nil {
		return o.Origin, fmt.Errorf("after a restart it is not the same offer: %s %w", a.Text, err)
	}
	if err := d.tell(ctx, o.Origin, true, engine.Ready, engine.Ready, engine.Extracting, engine.Switching, engine.Committed); err != nil {
		return o.Origin, err
	}
	if err := d.tell(ctx, o.Origin, true, engine.Committed, engine.RolledBack); err != nil {
		return o.Origin, err
	}
	a, err = d.ask(ctx)
	if err != nil || a.Offer != nil || a.Cancel != nil {
		return o.Origin, fmt.Errorf("after its end: %s %w", a.Text, err)
	}
	d.say("end: told, and nothing is offered")
	return o.Origin, nil
}
