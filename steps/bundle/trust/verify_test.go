package trust_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/trust"
)

func TestAKeyThatIsAFileVerifiesWhatItSigned(t *testing.T) {
	a, b := newPair(t), newPair(t)
	k := load(t, dirWith(t, files{"a.pub": a.pub(t), "b.pub": b.String(), "notes.txt": "garbage"}))
	require.False(t, k.Open())
	for _, p := range []pair{a, b} {
		key, err := k.Verify([]byte(release), p.sign(release))
		require.NoError(t, err)
		require.Equal(t, p.id(), key.ID)
		require.Equal(t, trust.FromFile, key.From)
		require.Equal(t, trust.Valid, key.State)
	}
	require.Equal(t, []string{"a.pub", "b.pub"}, []string{k.List()[0].Name, k.List()[1].Name})
	require.Nil(t, k.Rotation())
}

// The files in testdata/minisign were made by minisign 0.11: minisign -G -W,
// minisign -S and minisign -S -l.
func TestTheRealMinisign(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata/minisign", name))
		require.NoError(t, err)
		return string(text)
	}
	k := load(t, dirWith(t, files{"release.pub": read("release.pub")}))
	message := []byte(read("message"))
	for name, algorithm := range map[string]uint16{"message.minisig": minisign.HashEdDSA, "message.legacy.minisig": minisign.EdDSA} {
		text := []byte(read(name))
		var s minisign.Signature
		require.NoError(t, s.UnmarshalText(text))
		require.Equal(t, algorithm, s.Algorithm, name)
		key, err := k.Verify(message, text)
		require.NoError(t, err, name)
		require.Contains(t, read("release.pub"), key.ID)
		_, err = k.Verify(append([]byte("X"), message...), text)
		require.ErrorIs(t, err, trust.ErrBadSignature, name)
	}
}

func TestPrehashedAndLegacySignatures(t *testing.T) {
	p := newPair(t)
	k := load(t, dirWith(t, files{"a.pub": p.pub(t)}))
	for name, signature := range map[string][]byte{"prehashed": prehash(p, release), "legacy": p.sign(release)} {
		_, err := k.Verify([]byte(release), signature)
		require.NoError(t, err, name)
		_, err = k.Verify([]byte(release+"."), signature)
		require.ErrorIs(t, err, trust.ErrBadSignature, name)
	}
}

// CVE-2020-10759: fwupd took a file with zero valid signatures as verified.
func TestZeroSignaturesVerifyNothing(t *testing.T) {
	p := newPair(t)
	sets := map[string]*trust.Keys{
		"no keys":       load(t, t.TempDir()),
		"one key":       load(t, dirWith(t, files{"a.pub": p.pub(t)})),
		"root keys":     load(t, dirWith(t, files{"root/a.pub": p.pub(t)})),
		"the zero Keys": {},
		"nil":           nil,
	}
	for name, k := range sets {
		for _, signature := range []string{"", "\n", " \r\n\t"} {
			key, err := k.Verify([]byte(release), []byte(signature))
			require.ErrorIs(t, err, trust.ErrUnsigned, name)
			require.ErrorContains(t, err, `sign it with "tope-bundle sign"`)
			require.Zero(t, key)
		}
		key, err := k.Verify([]byte(release), newPair(t).sign(release))
		require.ErrorIs(t, err, trust.ErrUnknownKey, name)
		if name == "one key" {
			require.ErrorContains(t, err, `sign it with one of "tope-updater keys list"`)
		}
		require.Zero(t, key)
		require.Equal(t, name == "no keys", k.Open(), name)
		if name != "one key" {
			_, err = k.Verify([]byte(release), []byte("garbage"))
			require.ErrorIs(t, err, trust.ErrUnknownKey, name)
		}
	}
}

// A root key says who may sign releases; it does not sign them.
func TestARootKeySignsNoRelease(t *testing.T) {
	root, p := newPair(t), newPair(t)
	k := load(t, rotated(t, root, keysJSON(t, 1, "", p.entry("p", nil))))
	_, err := k.Verify([]byte(release), root.sign(release))
	require.ErrorIs(t, err, trust.ErrUnknownKey)
	_, err = k.Verify([]byte(release), p.sign(release))
	require.NoError(t, err)
}

func TestBadSignatures(t *testing.T) {
	p := newPair(t)
	k := load(t, dirWith(t, files{"a.pub": p.pub(t)}))
	good := string(p.sign(release))
	lines := strings.SplitAfter(good, "\n")
	impostor := p
	impostor.private = reIDTo(t, newPair(t), p)
	for _, tc := range []struct{ name, signature string }{
		{"of another message", string(p.sign("another message"))},
		{"truncated", good[:len(good)/2]},
		{"truncated at its end", strings.TrimSpace(good)[:len(good)-3]},
		{"without its comment's signature", strings.Join(lines[:3], "")},
		{"with another trusted comment", lines[0] + lines[1] + "trusted comment: version 9\n" + lines[3]},
		{"with trailing data", good + "x\n"},
		{"with another behind it", good + good},
		{"garbage", "garbage"},
		{"binary garbage", "\x00\xff\n\n\n\n"},
		{"the public key", p.pub(t)},
		{"by another key under this one's id", string(impostor.sign(release))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			key, err := k.Verify([]byte(release), []byte(tc.signature))
			require.ErrorIs(t, err, trust.ErrBadSignature)
			require.Zero(t, key)
		})
	}
	_, err := k.Verify([]byte(release), []byte(good))
	require.NoError(t, err, "and the one they were made of is good")
}

// A truncated signature is not a signature, unless only the line feed at its end is cut.
func TestTruncatedSignatures(t *testing.T) {
	p := newPair(t)
	k := load(t, dirWith(t, files{"a.pub": p.pub(t)}))
	good := p.sign(release)
	for n := range len(good) - 1 {
		_, err := k.Verify([]byte(release), good[:n])
		require.Error(t, err, "%d bytes", n)
	}
}

func TestRevokedExpiredAndNotYetValidKeys(t *testing.T) {
	year := func(n int) string { return today().AddDate(n, 0, 0).Format(time.RFC3339) }
	for _, tc := range []struct {
		name  string
		entry entry
		want  error
		state trust.State
		unset error // when the clock is not set
	}{
		{"valid", nil, nil, trust.Valid, nil},
		{"revoked", entry{"revoked": true}, trust.ErrRevoked, trust.Revoked, trust.ErrRevoked},
		{"expired", entry{"not_after": year(-1)}, trust.ErrNotValidNow, trust.Expired, nil},
		{"not yet valid", entry{"not_before": year(1)}, trust.ErrNotValidNow, trust.NotYetValid, nil},
		{"within its time", entry{"not_before": year(-1), "not_after": year(1)}, nil, trust.Valid, nil},
		{"in its first moment", entry{"not_before": year(0)}, nil, trust.Valid, nil},
		{"in its last moment", entry{"not_after": year(0)}, nil, trust.Valid, nil},
		{"revoked and within its time", entry{"not_after": year(1), "revoked": true}, trust.ErrRevoked, trust.Revoked, trust.ErrRevoked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, p := newPair(t), newPair(t)
			dir := rotated(t, root, keysJSON(t, 1, "", p.entry("p", tc.entry)))
			// Neither the key's own file nor another key id may be a way around keys.json.
			alias := p.underAnotherID(t)
			put(t, dir, files{"p.pub": p.pub(t), "alias.pub": alias.pub(t)})
			for _, at := range []struct {
				now  time.Time
				want error
			}{{today(), tc.want}, {time.Unix(1000, 0), tc.unset}} {
				k, err := trust.Load(dir, at.now)
				require.NoError(t, err)
				for _, signer := range []pair{p, alias} {
					_, err = k.Verify([]byte(release), signer.sign(release))
					require.ErrorIs(t, err, at.want)
				}
				require.Len(t, k.List(), 2)
			}
			key := load(t, dir).List()[0]
			require.Equal(t, tc.state, key.State)
			require.Equal(t, "p", key.Name)
			require.Equal(t, trust.FromKeysJSON, key.From)
		})
	}
}
