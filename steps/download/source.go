package download

import (
	"context"
	"io"
	"net/url"
	"path/filepath"
)

// source is where a bundle comes from.
type source interface {
	// open begins to read at w.offset, or at 0 when that cannot be had; see
	// failure.go for its errors. ctx also ends the reading.
	open(ctx context.Context, w want) (*stream, error)
}

// stream is an opened source.
type stream struct {
	offer
	body io.ReadCloser
	// fail turns an error of body.Read into one that failure.go speaks of.
	fail func(error) error
	// check says, after the last byte, whether it was one file throughout; may be nil.
	check func() error
}

// newSource reads the URL. Nothing is opened yet.
func newSource(cfg Config, raw string) (source, error) {
	if filepath.IsAbs(raw) {
		return newLocalSource(cfg, raw), nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, unavailable("correct the URL", "cannot read the URL of the bundle: %w", err)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return nil, unavailable("correct the URL", "no host in %q", u.Redacted())
		}
		return newHTTPSource(cfg, u), nil
	case "file":
		if (u.Host != "" && u.Host != "localhost") || !filepath.IsAbs(u.Path) {
			return nil, unavailable("write file:///absolute/path", "%q is not a local file", u.Redacted())
		}
		return newLocalSource(cfg, u.Path), nil
	default:
		return nil, unavailable("use http, https, file or an absolute path", "cannot download from %q", u.Redacted())
	}
}

// redacted is the URL without its password, for messages.
func redacted(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	return "(unreadable URL)"
}
