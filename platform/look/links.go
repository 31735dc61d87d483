package look

import (
	"fmt"

	"github.com/tope/updater/platform/versions"
)

// Linker gives the links to look at; *versions.Store is one.
type Linker interface {
	Pointers() (versions.Pointers, error)
	Links(version string) ([]versions.Link, error)
}

// Links are the links outside versions/, compared with those that the current
// version should have. While current leads to no version there are none, and
// version is "".
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
