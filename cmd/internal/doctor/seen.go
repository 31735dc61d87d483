package doctor

import (
	"os"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
)

// seen is what more than one check asks for, looked at once.
type seen struct {
	// store is nil when the versions cannot be looked at: storeErr says why.
	store    *versions.Store
	storeErr error
	at       look.Pointers
	atErr    error
	versions []versions.Info
	listErr  error
	// manager is nil when there is none: managerErr says why.
	manager    service.Manager
	managerErr error
}

func (c *checkup) lookAround() (s seen) {
	s.manager, s.managerErr = c.Manager()
	// A missing directory is told, and not taken for an empty one: its partition
	// may not be mounted.
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

// haveStore reports whether the versions can be looked at. When they cannot, the
// check that asked says so.
func (c *checkup) haveStore() bool {
	if c.storeErr != nil {
		c.warn("install a release, or mount the partition", "cannot look at the versions: %s", c.storeErr)
	}
	return c.store != nil
}
