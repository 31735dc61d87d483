package engine

import (
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// checkSource refuses what no step could fetch, before anything is journaled.
func checkSource(s steps.Source) (steps.Source, error) {
	if s.URL == "" {
		return s, fmt.Errorf("%w: no bundle was named", ErrInvalid)
	}
	if s.Size < 0 {
		return s, fmt.Errorf("%w: the size is negative", ErrInvalid)
	}
	if s.Version != "" {
		if err := versions.ValidVersion(s.Version); err != nil {
			return s, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if filepath.IsAbs(s.URL) {
		return s, nil
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return s, fmt.Errorf("%w: %s names no host", ErrInvalid, s.URL)
		}
	case "file":
	default:
		return s, fmt.Errorf("%w: %s is neither an http or https URL nor an absolute path", ErrInvalid, s.URL)
	}
	return s, nil
}
