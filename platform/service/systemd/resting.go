package systemd

import (
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/bystander"
)

// Resting is the manager of a device that does not run: a tree that becomes an image,
// or the disk of a device that is off. The services are units of the systemd that will
// boot from it. Their files are kept on the disk; nothing is started, stopped or asked,
// least of all the systemd of the system on which this process runs. The zero value is
// ready.
type Resting struct{ bystander.Manager }

var (
	_ service.Manager    = Resting{}
	_ service.Bystander  = Resting{}
	_ service.Resting    = Resting{}
	_ service.UnitKeeper = Resting{}
)

// UnitDirs implements service.UnitKeeper.
func (Resting) UnitDirs() []string { return unitDirs() }

// Rests implements service.Resting.
func (Resting) Rests() {}
