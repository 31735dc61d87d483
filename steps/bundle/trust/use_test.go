package trust_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/trust"
)

// TestAKeyHasOneUse: a channel key never signs a release, a release key never a channel,
// wherever each was found.
func TestAKeyHasOneUse(t *testing.T) {
	root, code, online := newPair(t), newPair(t), newPair(t)
	listed := keysJSON(t, 3, "", code.entry("code", nil), online.entry("online", entry{"use": []string{"channel"}}))
	said := keysJSON(t, 3, "", code.entry("code", entry{"use": []string{"release"}}), online.entry("online", entry{"use": []string{"channel"}}))
	signed := func(text string, more files) string {
		dir := rotated(t, root, text)
		put(t, dir, more)
		return dir
	}
	for name, dir := range map[string]string{
		"keys.json":                      rotated(t, root, listed),
		"keys.json that says so of both": rotated(t, root, said),
		"files":                          dirWith(t, files{"a.pub": code.pub(t), "channel/b.pub": online.pub(t)}),
		"keys.json has the last word":    signed(listed, files{"b.pub": online.pub(t), "channel/a.pub": code.pub(t)}),
		"under another id":               signed(listed, files{"b.pub": online.underAnotherID(t).pub(t)}),
	} {
		t.Run(name, func(t *testing.T) {
			k := load(t, dir)
			_, err := k.Verify([]byte(release), code.sign(release))
			require.NoError(t, err)
			key, err := k.VerifyChannel([]byte(release), online.sign(release))
			require.NoError(t, err)
			require.Equal(t, trust.Channel, key.Use)
			_, err = k.Verify([]byte(release), online.sign(release))
			require.ErrorIs(t, err, trust.ErrOtherUse)
			_, err = k.VerifyChannel([]byte(release), code.sign(release))
			require.ErrorIs(t, err, trust.ErrOtherUse)
			_, err = k.Verify([]byte(release), online.underAnotherID(t).sign(release))
			require.Error(t, err)
		})
	}
}

// A key file of both uses is a release key only.
func TestAKeyInFilesOfBothUsesSignsReleases(t *testing.T) {
	p := newPair(t)
	k := load(t, dirWith(t, files{"a.pub": p.pub(t), "channel/a.pub": p.pub(t)}))
	require.Len(t, k.List(), 1)
	_, err := k.Verify([]byte(release), p.sign(release))
	require.NoError(t, err)
	_, err = k.VerifyChannel([]byte(release), p.sign(release))
	require.ErrorIs(t, err, trust.ErrOtherUse)
}

// A device with channel keys only takes no release: it is not one that trusts anybody.
func TestAChannelKeyDoesNotLeaveADeviceOpen(t *testing.T) {
	p := newPair(t)
	k := load(t, dirWith(t, files{"channel/a.pub": p.pub(t)}))
	require.False(t, k.Open())
	require.Equal(t, "channel/a.pub", k.List()[0].Name)
	_, err := k.Verify([]byte(release), p.sign(release))
	require.ErrorIs(t, err, trust.ErrOtherUse)
	_, err = k.VerifyChannel([]byte(release), p.sign(release))
	require.NoError(t, err)
	refused(t, dirWith(t, files{"a.pub": p.pub(t), "channel/b.pub": "x"}), "channel/b.pub")
}

func TestARevokedChannelKeySignsNothing(t *testing.T) {
	root, online := newPair(t), newPair(t)
	k := load(t, rotated(t, root, keysJSON(t, 1, "", online.entry("online", entry{"use": []string{"channel"}, "revoked": true}))))
	_, err := k.VerifyChannel([]byte(release), online.sign(release))
	require.ErrorIs(t, err, trust.ErrRevoked)
}

func TestUsesAreStrict(t *testing.T) {
	root, p := newPair(t), newPair(t)
	for _, use := range []any{[]string{}, []string{"channel", "release"}, []string{"channel", "channel"}, []string{"code"}, []string{"Channel"}, []string{""}, "channel"} {
		dir := rotated(t, root, keysJSON(t, 1, "", p.entry("p", entry{"use": use})))
		refused(t, dir, "use")
	}
}
