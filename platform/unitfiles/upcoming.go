package unitfiles

import (
	"fmt"
	"os"
	"path/filepath"
)

// Upcoming is a unit whose file Follow would change.
type Upcoming struct {
	// Text is the unit's file as it would be. It is nil for a unit of which the device
	// would have no file of its own any more.
	Text []byte
	// Starts: Follow would enable the unit, which is a service that stays up.
	Starts bool
}

// Upcoming lists the units whose files Follow would change for a version, by name. It
// changes nothing.
func (s *Store) Upcoming(version string) (map[string]Upcoming, error) {
	p, err := s.plan(version, false)
	if err != nil {
		return nil, err
	}
	units, _, err := s.carried(version)
	if err != nil {
		return nil, err
	}
	carried := map[string]Unit{}
	for _, u := range units {
		carried[u.Name] = u
	}
	all := map[string]Upcoming{}
	for _, g := range p.groups {
		enabled := false
		for _, one := range g {
			name := filepath.Base(one.host)
			switch one.what {
			case Enabled:
				enabled = true
			case Written:
				_, service := carried[name].Service()
				all[name] = Upcoming{
					Text:   append([]byte(header), carried[name].text...),
					Starts: enabled && service && !carried[name].Passing && !carried[name].Template(),
				}
			case Removed:
				all[name] = Upcoming{}
			case Restored:
				text, err := os.ReadFile(keptName(one.host))
				if err != nil {
					return nil, fmt.Errorf("cannot read the unit file that is to be put back: %w", err)
				}
				all[name] = Upcoming{Text: text}
			}
		}
	}
	return all, nil
}
