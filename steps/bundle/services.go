package bundle

import (
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
)

// CheckServices refuses services that are not for releases: those of the init system and
// the bus, and the updater's other units. A release that named systemd-poweroff would have
// it started. The updater itself may be named, as legacy packages do: no step restarts it.
func CheckServices(names []string) error {
	for _, name := range names {
		if name == versions.Updater {
			continue
		}
		if err := unitfiles.CheckName(name + ".service"); err != nil {
			return InvalidManifest("services: %w", err)
		}
	}
	return nil
}
