package engine

import (
	"fmt"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// checkSource refuses a source that no step could fetch, before it is journaled.
func checkSource(s steps.Source) (steps.Source, error) {
	if _, err := source.Parse(s.URL); err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if s.Size < 0 {
		return s, fmt.Errorf("%w: the size is negative", ErrInvalid)
	}
	if s.Version != "" {
		if err := versions.ValidVersion(s.Version); err != nil {
			return s, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return s, nil
}
