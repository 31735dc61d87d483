package bundle

import (
	"fmt"
	"time"

	"github.com/tope/updater/steps"
)

// CheckDeclared refuses a release of another version than the one that was asked for.
func CheckDeclared(t *steps.Task, r Release) error {
	if t.Source.Version != "" && t.Source.Version != r.Version {
		return InvalidManifest("the bundle holds version %s, declared was %s", r.Version, t.Source.Version)
	}
	return nil
}

// CheckSigned refuses a release that no key of this device has signed, when its source
// takes no other: what a device takes from its operator without a signature, it does not
// take from whoever answers in a server's place.
func CheckSigned(t *steps.Task, r Release) error {
	if !t.Source.Signed || r.SignedBy != "" {
		return nil
	}
	what := "the bundle"
	if r.Version != "" {
		what = "release " + r.Version
	}
	return &steps.Error{
		Class: steps.Refused, Code: steps.BadSignature,
		Err:  fmt.Errorf("no key of this device has signed %s, and what a channel offers must be signed, whatever allow_unsigned says", what),
		Hint: "sign it, and put the publisher's key into /etc/tope-updater/keys",
	}
}

// CheckCommands refuses a release that wants shell commands run where the device's
// configuration does not allow that.
func CheckCommands(r Release, allowed bool) error {
	if len(r.Commands) == 0 || allowed {
		return nil
	}
	return &steps.Error{
		Class: steps.Refused, Code: steps.BadSignature,
		Err: fmt.Errorf("the bundle wants %s run as root (post_cmds), the first for module %q",
			counted(len(r.Commands), "shell command"), r.Commands[0].Module),
		Hint: `set allow_post_cmds under [legacy] in the configuration, or unsigned_brings = ["commands"] under [trust], if its publisher is to be trusted with that`,
	}
}

// CheckAge refuses a release that is too old, also when it is validly signed: its epoch
// is lower than one that this device has committed, or it has expired. A forced task
// accepts it in both cases.
func CheckAge(t *steps.Task, r Release, now time.Time) error {
	if t.Force {
		return nil
	}
	if r.Epoch < t.EpochFloor {
		return &steps.Error{
			Class: steps.Refused, Code: steps.EpochTooLow,
			Err:  fmt.Errorf("release %s is of epoch %d, and this device has committed epoch %d: it would be a step back", r.Version, r.Epoch, t.EpochFloor),
			Hint: "use --force to install it all the same",
		}
	}
	// A clock that was never set must not keep a device from its updates.
	const unset = 2024
	if !r.Expires.IsZero() && now.Year() >= unset && now.After(r.Expires) {
		return &steps.Error{
			Class: steps.Refused, Code: steps.ReleaseExpired,
			Err: fmt.Errorf("release %s expired at %s: its publisher has a newer one, or somebody keeps it from this device",
				r.Version, r.Expires.UTC().Format("2006-01-02 15:04:05 UTC")),
			Hint: "find the newest release, or use --force to install it all the same",
		}
	}
	return nil
}
