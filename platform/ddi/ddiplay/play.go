package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/secret"
)

// player is a device for the time of one action.
type player struct {
	cfg        ddi.Config
	clk        clock.Clock
	out        io.Writer
	bundle     []byte
	attributes map[string]string
	wait       time.Duration

	client *ddi.Client
}

func (p *player) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...) // it is what people read along
}

// play is the whole of it.
func (p *player) play(ctx context.Context) error {
	var err error
	if p.client, err = ddi.New(p.cfg); err != nil {
		return err
	}
	if err := p.stranger(ctx); err != nil {
		return err
	}
	a, err := p.client.Poll(ctx)
	if err != nil {
		return err
	}
	p.say("poll: sleep %v, attributes wanted: %v", a.Sleep, a.Attributes)
	if err := p.client.PutAttributes(ctx, p.attributes); err != nil {
		return err
	}
	p.say("attributes: told %d", len(p.attributes))
	d, err := p.offered(ctx)
	if err != nil {
		return err
	}
	p.say("offered: action %s, download %s, update %s, %s of %d bytes, SHA-256 %q", d.Action, d.Download, d.Update, d.Artifact.Name, d.Artifact.Size, d.Artifact.SHA256)
	if err := p.begin(ctx, d.Action); err != nil {
		return err
	}
	if err := p.download(ctx, d.Artifact); err != nil {
		return err
	}
	p.say("download: the same bytes, in two ranges")
	return p.end(ctx, d.Action)
}

// stranger asks with a token that is not the device's.
func (p *player) stranger(ctx context.Context) error {
	cfg := p.cfg
	cfg.Token = func() (secret.Text, error) { return secret.New("not-the-token"), nil }
	c, err := ddi.New(cfg)
	if err != nil {
		return err
	}
	_, err = c.Poll(ctx)
	if err := as(err, ddi.Denied); err != nil {
		return fmt.Errorf("with a wrong token: %w", err)
	}
	p.say("stranger: denied")
	return nil
}

// offered waits for an action, and looks at it.
func (p *player) offered(ctx context.Context) (ddi.Deployment, error) {
	for end := p.clk.Monotonic() + p.wait; ; {
		a, err := p.client.Poll(ctx)
		if err != nil {
			return ddi.Deployment{}, err
		}
		if a.Deployment != nil {
			d, err := p.client.Deployment(ctx, *a.Deployment)
			if err == nil && d.Unfit != "" {
				err = errors.Join(errors.New(d.Unfit), p.client.Feedback(ctx, ddi.Feedback{Action: d.Action, State: ddi.Failed, Details: []string{d.Unfit}}))
			}
			return d, err
		}
		if p.clk.Monotonic() > end {
			return ddi.Deployment{}, fmt.Errorf("nothing was offered within %v", p.wait)
		}
		if err := clock.Sleep(ctx, p.clk, time.Second); err != nil {
			return ddi.Deployment{}, err
		}
	}
}

// begin tells that it has begun, with words that servers may not like, and a state that
// no server knows.
func (p *player) begin(ctx context.Context, action string) error {
	for _, f := range []ddi.Feedback{
		{Action: action, State: ddi.Downloading},
		{Action: action, State: ddi.Proceeding, Details: []string{"<b>10 %</b> of https://u:p@h/r?t=1 & more\nlines", "für alle"}},
	} {
		if err := p.client.Feedback(ctx, f); err != nil {
			return err
		}
	}
	err := p.client.Feedback(ctx, ddi.Feedback{Action: action, State: "nonsense"})
	if err := as(err, ddi.Refused); err != nil {
		return fmt.Errorf("a state that does not exist: %w", err)
	}
	p.say("feedback: taken, and what is not a state is refused")
	return nil
}

// download fetches two ranges, the second one if the file is still the same.
func (p *player) download(ctx context.Context, a ddi.Artifact) error {
	half := len(p.bundle) / 2
	first, tag, err := p.part(ctx, a, "bytes=0-"+strconv.Itoa(half-1), "")
	if err != nil {
		return err
	}
	rest, _, err := p.part(ctx, a, "bytes="+strconv.Itoa(half)+"-", tag)
	if err != nil {
		return err
	}
	got := slices.Concat(first, rest)
	switch sum := fmt.Sprintf("%x", sha256.Sum256(got)); {
	case !bytes.Equal(got, p.bundle), int64(len(got)) != a.Size:
		return fmt.Errorf("%d bytes came, which are not those of the file", len(got))
	case a.SHA256 != "" && a.SHA256 != sum:
		return fmt.Errorf("SHA-256 is %s, and the server says %s", sum, a.SHA256)
	}
	return nil
}

func (p *player) part(ctx context.Context, a ddi.Artifact, span, tag string) ([]byte, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL.Unredacted(), http.NoBody)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Range", span)
	if tag != "" {
		req.Header.Set("If-Range", tag)
	}
	if err := p.client.Authorize(req); err != nil {
		return nil, "", err
	}
	resp, err := p.cfg.Web.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusPartialContent {
		return nil, "", fmt.Errorf("%s of %s: %s", span, a.URL, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, a.Size+1))
	return text, resp.Header.Get("ETag"), err
}

// end tells the end, and again, as after a lost answer: goosebit takes it twice, and for
// hawkBit it is gone. After it nothing is offered.
func (p *player) end(ctx context.Context, action string) error {
	success := ddi.Feedback{Action: action, State: ddi.Succeeded, Details: []string{"committed"}}
	for range 2 {
		if err := p.client.Feedback(ctx, success); ddi.Judge(err) != ddi.Delivered {
			return err
		}
	}
	a, err := p.client.Poll(ctx)
	switch {
	case err != nil:
		return err
	case a.Deployment != nil:
		return fmt.Errorf("action %s is offered after its end", a.Deployment.Action)
	}
	p.say("end: delivered, and nothing is offered")
	return nil
}

// as is an error unless err is of the kind.
func as(err error, kind ddi.Kind) error {
	var e *ddi.Error
	if errors.As(err, &e) && e.Kind == kind {
		return nil
	}
	if err == nil {
		return fmt.Errorf("it was taken, not %s", kind)
	}
	return fmt.Errorf("it is not %s, but %w", kind, err)
}
