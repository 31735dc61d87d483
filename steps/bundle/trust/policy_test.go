package trust_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/trust"
)

const keyDirectory = "/etc/keys"

// policy is that of a device with these files in its key directory.
func policy(t *testing.T, f files) trust.Policy {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		put(t, dir, files{keyDirectory + "/" + name: text})
	}
	root, err := disk.NewRoot(dir)
	require.NoError(t, err)
	return trust.Policy{Root: root, Directory: keyDirectory, Now: func() time.Time { return today() }}
}

func requireRefused(t *testing.T, err error, says string) {
	t.Helper()
	var refused *steps.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, steps.Refused, refused.Class)
	require.Equal(t, steps.BadSignature, refused.Code)
	require.NotEmpty(t, refused.Hint)
	require.ErrorContains(t, err, says)
}

// The table says for each policy which bundles are installed, by the keys of the device
// and the signature of the bundle. The empty word means "installed".
func TestWhoMaySign(t *testing.T) {
	ours, stranger := newPair(t), newPair(t)
	bundles := map[string][]byte{
		"signed": ours.sign(release), "by a stranger": stranger.sign(release),
		"unsigned": []byte(native.Unsigned), "empty": nil,
	}
	one, none, broken := files{"release.pub": ours.pub(t)}, files{}, files{"release.pub": "garbage"}
	const unknown, demanded, notSigned, cannot = "unknown key", "demands a signature", "not signed", "cannot be used"
	for _, c := range []struct {
		name                   string
		keys                   files
		require, allow         bool
		signed, strange        string
		unsigned, empty, never string // never: a format that cannot be signed
	}{
		{name: "no keys", keys: none},
		{name: "no keys, signatures demanded", keys: none, require: true, signed: demanded, strange: demanded, unsigned: demanded, empty: demanded, never: demanded},
		{name: "no keys, unsigned allowed", keys: none, allow: true},
		{name: "a key", keys: one, strange: unknown, unsigned: notSigned, empty: notSigned, never: "has keys in " + keyDirectory},
		{name: "a key, signatures demanded", keys: one, require: true, strange: unknown, unsigned: notSigned, empty: notSigned, never: demanded},
		{name: "a key, unsigned allowed", keys: one, allow: true, strange: unknown, empty: notSigned},
		{name: "a broken key", keys: broken, signed: cannot, strange: cannot, unsigned: cannot, empty: cannot, never: cannot},
		{name: "a broken key, unsigned allowed", keys: broken, allow: true, signed: cannot, strange: cannot, unsigned: cannot, empty: cannot, never: cannot},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policy(t, c.keys)
			p.RequireSignature, p.AllowUnsigned = c.require, c.allow
			for name, says := range map[string]string{"signed": c.signed, "by a stranger": c.strange, "unsigned": c.unsigned, "empty": c.empty} {
				by, err := p.Signature([]byte(release), bundles[name])
				if says != "" {
					requireRefused(t, err, says)
					require.Empty(t, by)
					continue
				}
				require.NoError(t, err, name)
				signer := ""
				if name == "signed" && len(c.keys) > 0 {
					signer = ours.id() + " (release.pub)"
				}
				require.Equal(t, signer, by, name)
			}
			if err := p.Unsignable("legacy package"); c.never != "" {
				requireRefused(t, err, c.never)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// TestTrustSticks: after a signed release was committed, a device without keys takes
// nothing, whatever its configuration says of unsigned releases. With keys nothing changes.
func TestTrustSticks(t *testing.T) {
	ours := newPair(t)
	for _, allow := range []bool{false, true} {
		p := policy(t, files{})
		p.AllowUnsigned = allow
		was := "signed release 1.1.0"
		p.Committed = func() string { return was }
		for _, signature := range [][]byte{ours.sign(release), []byte(native.Unsigned), nil} {
			by, err := p.Signature([]byte(release), signature)
			requireRefused(t, err, was)
			require.Empty(t, by)
		}
		requireRefused(t, p.Unsignable("legacy package"), was)
		s := p.Standing()
		require.Contains(t, s.Text, "nobody: there is no key in "+keyDirectory+", and this device has committed the "+was)
		require.Equal(t, []bool{false, true, true}, []bool{s.Anybody, s.NoKeys, s.Bereft})

		was = "" // root has let go of it
		require.NoError(t, p.Unsignable("legacy package"))
		require.True(t, p.Standing().Anybody)

		was = "signed release 1.1.0"
		put(t, p.Root.Dir()+keyDirectory, files{"release.pub": ours.pub(t)})
		_, err := p.Signature([]byte(release), ours.sign(release))
		require.NoError(t, err)
		require.Equal(t, allow, p.Unsignable("legacy package") == nil)
		require.False(t, p.Standing().Bereft)
	}
}

// A key that an operator adds or removes counts for the next bundle.
func TestAPolicyReadsTheKeysAnew(t *testing.T) {
	ours := newPair(t)
	p := policy(t, files{})
	require.NoError(t, p.Unsignable("legacy package"))
	require.True(t, p.Standing().Anybody)
	put(t, p.Root.Dir()+keyDirectory, files{"release.pub": ours.pub(t)})
	requireRefused(t, p.Unsignable("legacy package"), "has keys")
	require.False(t, p.Standing().Anybody)
	require.NoError(t, os.Remove(p.Root.Dir()+keyDirectory+"/release.pub"))
	require.NoError(t, p.Unsignable("legacy package"))
}

func TestStandingSaysWhomTheDeviceTrusts(t *testing.T) {
	ours := newPair(t)
	one := files{"release.pub": ours.pub(t)}
	for _, c := range []struct {
		keys            files
		require, allow  bool
		says            string
		anybody, noKeys bool
	}{
		{keys: files{}, says: "ANYBODY: there is no key in " + keyDirectory, anybody: true, noKeys: true},
		{keys: files{}, require: true, says: "nobody: a signature is demanded", noKeys: true},
		{keys: one, says: "1 key in " + keyDirectory},
		{keys: one, require: true, says: "1 key in " + keyDirectory},
		{keys: one, allow: true, says: "ANYBODY: 1 key, but allow_unsigned is set", anybody: true},
		{keys: files{"release.pub": "garbage"}, allow: true, says: "nobody: the keys cannot be used"},
	} {
		p := policy(t, c.keys)
		p.RequireSignature, p.AllowUnsigned = c.require, c.allow
		s := p.Standing()
		require.Contains(t, s.Text, c.says)
		require.Equal(t, c.anybody, s.Anybody, c.says)
		require.Equal(t, c.noKeys, s.NoKeys, c.says)
		_, err := p.Keys()
		require.Equal(t, err != nil, s.Err != nil, c.says)
	}
}

// untouched is a format that cannot be signed, and that counts the calls of Open.
type untouched struct {
	bundle.Format
	opened int
}

func (*untouched) Name() string { return "legacy package" }

var errOpened = errors.New("opened")

func (u *untouched) Open(*os.File, int64, bundle.Limits) (bundle.Bundle, error) {
	u.opened++
	return nil, errOpened
}

func TestARefusedBundleIsNotOpened(t *testing.T) {
	f := &untouched{}
	guarded := policy(t, files{"release.pub": newPair(t).pub(t)}).Guard(f)
	_, err := guarded.Open(nil, 0, bundle.Limits{})
	requireRefused(t, err, "a legacy package cannot be signed")
	require.Zero(t, f.opened)
	_, err = policy(t, files{}).Guard(f).Open(nil, 0, bundle.Limits{})
	require.ErrorIs(t, err, errOpened)
}
