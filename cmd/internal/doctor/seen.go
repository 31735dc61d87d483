package doctor

import (
	"os"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
)

// seen has the facts that more than one check needs, read once.
type seen struct {
	// store is nil when the versions cannot be looked at: storeErr tells the reason.
	store    *versions.Store
	storeErr error
	at       look.Pointers
	atErr    error
	versions []versions.Info
	listErr  error
	// manager is nil when there is none: managerErr tells the reason.
	manager    service.Manager
	managerErr error
}

func (c *checkup) lookAround() (s seen) {
	s.manager, s.managerErr = c.Manager()
	// A missing directory is an error, and not taken for an empty one: its
	// partition may not be mounted.
	host, err := c.Root.Resolve(c.Config.Paths.Versions)
	if err == nil {
		_, err = os.Stat(host)
	}
	if err == nil {
		s.store, err = c.Versions()
	}
	if err != nil {
		s.store, s.storeErr = nil, err
		return s
	}
	s.at, s.atErr = look.PointersAt(s.store)
	s.versions, s.listErr = s.store.List()
	return s
}

// haveStore reports whether the versions can be looked at. If not, it adds a
// finding to the check that asked.
func (c *checkup) haveStore() bool {
	if c.storeErr != nil {
		c.warn("install a release, or mount the partition", "cannot look at the versions: %s", c.storeErr)
	}
	return c.store != nil
}
