package look

import (
	"fmt"

	"github.com/tope/updater/platform/versions"
)

// Linker is what is looked at of the links; *versions.Store is one.
type Linker interface {
	Pointers() (versions.Pointers, error)
	Links(version string) ([]versions.Link, error)
}

// Links are the links outside versions/, compared with what the version that
// current leads to should have. There are none, and version is "", while
// current leads to no version.
func Links(s Linker) (version string, links []versions.Link, err error) {
	p, err := s.Pointers()
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the pointers: %w", err)
	}
	if p.Current == "" {
		return "", nil, nil
	}
	if links, err = s.Links(p.Current); err != nil {
		return p.Current, nil, fmt.Errorf("cannot compare the links with version %s: %w", p.Current, err)
	}
	return p.Current, links, nil
}
