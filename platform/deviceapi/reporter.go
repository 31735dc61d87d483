package deviceapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
)

// Path is the route of device-api that takes reports.
const Path = "/api/v1.0/ota/report"

// Report is how an update is going. Its words are the legacy API's.
type Report struct {
	Stage string `json:"stage"`
	// Progress is 0 to 100.
	Progress int    `json:"progress"`
	Message  string `json:"message"`
	// Error is "CODE: text", or nil.
	Error *string `json:"error"`
	// Update is which update it is of. Two that end in the same words are two reports.
	Update string `json:"-"`
}

// step is how far progress moves before it is reported again.
const step = 5

// newer reports whether next differs enough from r to be sent after it.
func (r Report) newer(next Report) bool {
	return r.Update != next.Update || r.Stage != next.Stage || r.Message != next.Message || r.errorText() != next.errorText() ||
		r.Progress/step != next.Progress/step
}

func (r Report) errorText() string {
	if r.Error == nil {
		return ""
	}
	return *r.Error
}

// Config is what a Reporter needs to know. Zero fields take the defaults named.
type Config struct {
	// URL is device-api's, such as http://127.0.0.1:9080. Without it nothing is sent.
	URL string
	// Clock is needed; Log is slog.Default() when nil.
	Clock clock.Clock
	Log   *slog.Logger
	// Timeout bounds one try: 5 s. The wait before the next one begins at
	// BackoffMin (1 s) and doubles up to BackoffMax (30 s).
	Timeout, BackoffMin, BackoffMax time.Duration
}

// Reporter sends reports from a goroutine of its own, Run. Safe for concurrent use.
type Reporter struct {
	cfg    Config
	url    string
	client *http.Client
	wake   chan struct{} // one token: the newest report was not tried yet

	mu        sync.Mutex
	newest    *Report
	delivered *Report
}

// New makes a Reporter; nothing is sent before Run.
func New(cfg Config) *Reporter {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	for field, value := range map[*time.Duration]time.Duration{
		&cfg.Timeout: 5 * time.Second, &cfg.BackoffMin: time.Second, &cfg.BackoffMax: 30 * time.Second,
	} {
		if *field == 0 {
			*field = value
		}
	}
	return &Reporter{
		cfg:    cfg,
		url:    strings.TrimSuffix(cfg.URL, "/") + Path,
		client: newClient(),
		wake:   make(chan struct{}, 1),
	}
}

// Submit makes r the report to deliver. It returns at once. A report that differs
// from the one before it by nothing but less than a step of progress is dropped.
func (p *Reporter) Submit(r Report) {
	if p.cfg.URL == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest != nil && !p.newest.newer(r) {
		return
	}
	p.newest = &r
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Delivered returns the last report that device-api has acknowledged; false
// when it has acknowledged none since this program started.
func (p *Reporter) Delivered() (Report, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.delivered == nil {
		return Report{}, false
	}
	return *p.delivered, true
}

// Run delivers until ctx ends. A new report is tried at once, also in the
// middle of a wait. A report is tried until it is delivered or there is a newer one.
func (p *Reporter) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		p.deliver(ctx)
	}
}

// deliver tries until the newest report is delivered or ctx ends.
func (p *Reporter) deliver(ctx context.Context) {
	for tries := 0; ; {
		r := p.pending()
		if r == nil {
			return
		}
		err := p.post(ctx, *r)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			p.acknowledged(r, tries)
			tries = 0
			continue // there may be a newer one
		}
		if tries++; tries == 1 { // one line for each outage is enough
			p.cfg.Log.Warn("cannot report to device-api; the newest report is kept until it is back",
				"url", p.url, "stage", r.Stage, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake: // a newer report: tried at once
		case <-p.cfg.Clock.After(p.backoff(tries)):
		}
	}
}

// pending is the newest report if it was not delivered yet.
func (p *Reporter) pending() *Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == p.delivered {
		return nil
	}
	return p.newest
}

func (p *Reporter) acknowledged(r *Report, tries int) {
	p.mu.Lock()
	p.delivered = r
	p.mu.Unlock()
	if tries > 0 {
		p.cfg.Log.Info("device-api is back and has the newest report", "url", p.url, "stage", r.Stage, "tries", tries+1)
	}
}

func (p *Reporter) backoff(tries int) time.Duration {
	if tries > 30 || p.cfg.BackoffMin<<(tries-1) > p.cfg.BackoffMax {
		return p.cfg.BackoffMax
	}
	return p.cfg.BackoffMin << (tries - 1)
}

// timeout is the cause of a try that took too long.
func (p *Reporter) timeout() error { return fmt.Errorf("no answer within %v", p.cfg.Timeout) }
