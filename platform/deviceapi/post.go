package deviceapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tope/updater/platform/clock"
)

// newClient keeps no connection open between reports, since device-api may be
// restarted at any time. It uses no proxy and follows no redirect.
func newClient() *http.Client {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Client{
		Transport:     &http.Transport{Protocols: &http1, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post makes one try. Any 2xx answer is an acknowledgement.
func (p *Reporter) post(ctx context.Context, r Report) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	ctx, cancel := clock.WithTimeout(ctx, p.cfg.Clock, p.cfg.Timeout, p.timeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("report to %s: %w", p.url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("report to %s: %w", p.url, err)
	}
	_ = resp.Body.Close() // the body does not matter
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("report to %s: answered %s", p.url, resp.Status)
	}
	return nil
}
