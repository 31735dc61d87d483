package bundle

import (
	"fmt"

	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/steps"
)

// CheckUnits refuses a release whose unit files cannot be put into effect as they are.
// allows is the judge: unitfiles.Check, or the Allows of a device's Store, which knows
// the system's own units too.
func CheckUnits(version string, files []unitfiles.File, allows func([]unitfiles.File) error) error {
	return unfit(version, allows(files))
}

// CheckUnitText refuses a release for the content of one of its unit files: a device
// would not put that unit into effect. The device itself takes the release, without the
// unit, so this is for publishers.
func CheckUnitText(version, name string, text []byte) error {
	return unfit(version, unitfiles.CheckText(name, text))
}

// CheckUnitTexts is CheckUnitText for all units in a version's directory on disk.
func CheckUnitTexts(version, dir string) error {
	bad, err := unitfiles.CheckTexts(dir)
	if err != nil {
		return steps.FromOS(err, "cannot read the units of version "+version)
	}
	return unfit(version, bad)
}

func unfit(version string, err error) error {
	if err == nil {
		return nil
	}
	return &steps.Error{
		Class: steps.Refused, Code: steps.InvalidManifest, Err: fmt.Errorf("release %s: %w", version, err),
		Hint: "correct the release and publish another version",
	}
}
