package trust_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/trust"
)

// go-tuf counted signatures, or key ids, where it had to count keys.
func TestDuplicateRootKeysCountOnce(t *testing.T) {
	a, b, p := newPair(t), newPair(t), newPair(t)
	alias := a.underAnotherID(t)
	text := keysJSON(t, 1, "", p.entry("p", nil))
	base := files{"root/a.pub": a.pub(t), "root/b.pub": b.pub(t), "root/threshold": "2\n", "keys.json": text}
	for _, tc := range []struct {
		name string
		more files
		want string
	}{
		{"one key", files{"keys.json.minisig": string(a.sign(text))}, "1 of 2 needed root keys"},
		{"one signature twice", files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(a.sign(text))}, "signed already"},
		{"two signatures by one key", files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(prehash(a, text))}, "signed already"},
		{"one key in two files", files{"root/c.pub": a.pub(t), "keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(a.sign(text))}, "1 of 2 needed"},
		{"one key under two ids", files{"root/c.pub": alias.pub(t), "keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(alias.sign(text))}, "1 of 2 needed"},
		{"a root key and a stranger", files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(p.sign(text))}, "not a root key"},
		{"a root key and garbage", files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": "garbage"}, "1 of 2 needed"},
		{"two keys, one of another text", files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(b.sign(text + " "))}, "did not sign this"},
		{"two keys", files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(b.sign(text))}, ""},
		{"two keys and others", files{
			"keys.json.1.minisig": string(p.sign(text)), "keys.json.2.minisig": string(a.sign(text)),
			"keys.json.3.minisig": string(a.sign(text)), "keys.json.4.minisig": string(prehash(b, text)),
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := dirWith(t, base)
			put(t, dir, tc.more)
			if tc.want != "" {
				refused(t, dir, tc.want)
				return
			}
			require.Equal(t, 2, load(t, dir).Rotation().Threshold)
		})
		t.Run(tc.name+", by Update", func(t *testing.T) {
			dir := dirWith(t, base)
			put(t, dir, tc.more)
			remove(t, dir, "keys.json")
			var signatures [][]byte
			for name, s := range tc.more {
				if name[0] == 'k' {
					signatures = append(signatures, []byte(s))
					remove(t, dir, name)
				}
			}
			err := trust.Update(dir, []byte(text), signatures, today())
			if tc.want != "" {
				require.ErrorIs(t, err, trust.ErrRefused)
				require.NoFileExists(t, dir+"/keys.signed")
				return
			}
			require.NoError(t, err)
			require.Equal(t, int64(1), load(t, dir).Rotation().Serial)
		})
	}
}

// go-tuf took a threshold of 0: then no signature at all was enough.
func TestThresholdBelowOneIsRefused(t *testing.T) {
	a, b, p := newPair(t), newPair(t), newPair(t)
	text := keysJSON(t, 1, "", p.entry("p", nil))
	for _, tc := range []struct{ threshold, want string }{
		{"0", "is not a number"},
		{"-1", "is not a number"},
		{"", "is not a number"},
		{"\n", "is not a number"},
		{"two", "is not a number"},
		{"1.0", "is not a number"},
		{"0x1", "is not a number"},
		{"+1", "is not a number"},
		{"1 2", "is not a number"},
		{"99999999999999999999", "is not a number"},
		{"3", "cannot be reached with 2 distinct root keys"},
		{"1", ""},
		{" 2\r\n", ""},
	} {
		t.Run(tc.threshold, func(t *testing.T) {
			dir := dirWith(t, files{"root/a.pub": a.pub(t), "root/a2.pub": a.underAnotherID(t).pub(t), "root/b.pub": b.pub(t), "root/threshold": tc.threshold})
			if tc.want != "" {
				refused(t, dir, tc.want)
				require.ErrorContains(t, trust.Update(dir, []byte(text), [][]byte{a.sign(text), b.sign(text)}, today()), tc.want)
				put(t, dir, files{"keys.json": text})
				refused(t, dir, tc.want)
				return
			}
			put(t, dir, files{"keys.json": text})
			refused(t, dir, "needed root keys signed it")
			put(t, dir, files{"keys.json.1.minisig": string(a.sign(text)), "keys.json.2.minisig": string(b.sign(text))})
			load(t, dir)
		})
	}
}
