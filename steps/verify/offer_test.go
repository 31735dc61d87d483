package verify_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/supply"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/verify"
)

// A file that is hashed again is compared with the declared SHA-256, also when nobody has
// declared an MD5.
func TestTheSHA256OfABundleThatIsHashedAgain(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	sum := sha256.Sum256(w.data())
	w.task.Source.MD5, w.task.Source.SHA256 = "", hex.EncodeToString(sum[:])
	w.task.Facts = steps.Facts{}
	ev, _ := w.do()
	require.True(t, ev.Hashed)
	require.Equal(t, w.md5(), ev.MD5)
	w.damage()
	require.Contains(t, stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Refused, steps.SHA256Mismatch), "declared was "+w.task.Source.SHA256)
}

// uninstalled is a device without versions.
type uninstalled struct{}

func (uninstalled) Path(string) string { return "/nowhere" }

func (uninstalled) Manifest(string) (*versions.Manifest, error) { return nil, versions.ErrNotFound }

// A source that takes signed releases only takes no other from a device that does.
func TestOnlyASignedRelease(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	w.task.Source.Signed = true
	says := stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Refused, steps.BadSignature)
	require.Contains(t, says, "no key of this device has signed release 1.2.0, and what a channel offers must be signed, whatever allow_unsigned says")

	kit := nativetest.New(t)
	for by, fails := range map[string]bool{"": true, "ab12": false} {
		w := newWorld(t, bt.Package("1.2.0"))
		require.NoError(t, os.WriteFile(w.path(), kit.Make(t, nativetest.Edit{}), 0o600))
		w.downloaded()
		w.task.Source = steps.Source{Signed: true}
		w.cfg.Formats = []bundle.Format{supply.Format{Versions: uninstalled{}, Judge: &supply.Judge{
			Verify: func(_, _ []byte) (string, error) { return by, nil }, Clock: clock.System(),
		}}}
		w.cfg.Unsigned = bundle.Unsigned{Units: true, Hooks: true, Commands: true, Updater: true}
		if fails {
			stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Refused, steps.BadSignature)
			continue
		}
		_, release := w.do()
		require.Contains(t, release.Digest, "sha256:")
	}
}
