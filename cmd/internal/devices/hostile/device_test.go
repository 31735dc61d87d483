package hostile_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

const keysDir = "etc/tope-updater/keys/"

// keyless are devices whose keys are gone or broken: they may not take a signed
// bundle then, however well it is signed.
func keyless(t *testing.T) []hostile {
	_, root, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	public, err := root.Public().(minisign.PublicKey).MarshalText()
	require.NoError(t, err)
	drop := func(t *testing.T, v *victim, name string) {
		require.NoError(t, os.Remove(filepath.Join(v.Root, keysDir, name)))
	}
	rotated := func(t *testing.T, v *victim, signatures ...string) {
		drop(t, v, "release.pub")
		list, err := json.Marshal(map[string]any{"schema": 1, "serial": 1, "keys": []any{
			map[string]any{"name": "release", "key": strings.Split(string(v.kit.Pub), "\n")[1]},
		}})
		require.NoError(t, err)
		v.put(t, keysDir+"keys.json", list)
		v.put(t, keysDir+"root/a.pub", public)
		for _, name := range signatures {
			v.put(t, keysDir+name, minisign.Sign(root, list))
		}
	}
	list := []hostile{
		{name: "no key, and a signature is demanded", says: "require_signature", device: func(t *testing.T, v *victim) {
			drop(t, v, "release.pub")
			v.configure(t, "[trust]\nrequire_signature = true\n")
		}},
		{name: "another key", says: "unknown key", device: func(t *testing.T, v *victim) { v.put(t, keysDir+"release.pub", append(public, '\n')) }},
		{name: "an empty key", says: "cannot be used", device: func(t *testing.T, v *victim) { v.put(t, keysDir+"release.pub", nil) }},
		{name: "a key that is cut off", says: "cannot be used", device: func(t *testing.T, v *victim) { v.put(t, keysDir+"release.pub", v.kit.Pub[:40]) }},
		{name: "a key beside one that is garbage", says: "cannot be used", device: func(t *testing.T, v *victim) { v.put(t, keysDir+"other.pub", []byte("garbage")) }},
		{name: "a directory for a key", says: "cannot be used", device: func(t *testing.T, v *victim) { v.put(t, keysDir+"other.pub/x", nil) }},
		{name: "a file for the key directory", says: "cannot be used", device: func(t *testing.T, v *victim) {
			require.NoError(t, os.RemoveAll(filepath.Join(v.Root, keysDir)))
			v.put(t, strings.TrimSuffix(keysDir, "/"), v.kit.Pub)
		}},
		{name: "root keys without any", says: "cannot be used", device: func(t *testing.T, v *victim) { v.put(t, keysDir+"root/README", nil) }},
		{name: "keys.json that is not signed", says: "0 of 1 needed", device: func(t *testing.T, v *victim) { rotated(t, v) }},
		{name: "a threshold of 0", says: "at least 1", device: func(t *testing.T, v *victim) {
			rotated(t, v, "keys.json.minisig")
			v.put(t, keysDir+"root/threshold", []byte("0"))
		}},
		{name: "a threshold below 0", says: "at least 1", device: func(t *testing.T, v *victim) {
			rotated(t, v, "keys.json.minisig")
			v.put(t, keysDir+"root/threshold", []byte("-1"))
		}},
		{name: "one root key twice for a threshold of 2", says: "cannot be reached with 1 distinct", device: func(t *testing.T, v *victim) {
			rotated(t, v, "keys.json.minisig", "keys.json.2.minisig")
			v.put(t, keysDir+"root/b.pub", public)
			v.put(t, keysDir+"root/threshold", []byte("2"))
		}},
		{name: "one signature twice for a threshold of 2", says: "signed already", device: func(t *testing.T, v *victim) {
			rotated(t, v, "keys.json.minisig", "keys.json.2.minisig")
			v.put(t, keysDir+"root/b.pub", v.kit.Pub)
			v.put(t, keysDir+"root/threshold", []byte("2"))
		}},
	}
	for i := range list {
		list[i].code = steps.BadSignature
	}
	return list
}

// unfit are well-made bundles that are not for this device, or not now.
func unfit() []hostile {
	r := func(edit func(r *native.Release)) nativetest.Edit {
		return signed(func(b *nativetest.Bundle) { edit(&b.Release) })
	}
	committed := func(t *testing.T, v *victim) {
		share := filepath.Join(t.TempDir(), "newer.tope")
		require.NoError(t, os.WriteFile(share, v.kit.Make(t, nativetest.Edit{}), 0o600))
		v.requireTaken(t, share, false)
	}
	permitted := newer(file("bin/tool", func(f *native.File) { f.Mode = "0755 cap_sys_admin=ep" }))
	old := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	return []hostile{
		{name: "downgrade: a lower epoch", device: committed, edit: r(func(r *native.Release) { r.Epoch, r.Version = nativetest.Epoch-1, "1.0.5" }), code: steps.EpochTooLow, says: "step back"},
		{name: "downgrade: a lower epoch and a higher version", device: committed, edit: r(func(r *native.Release) { r.Epoch, r.Version = 0, "99.0.0" }), code: steps.EpochTooLow, says: "step back"},
		{name: "freeze: expired", edit: r(func(r *native.Release) { r.Created, r.Expires = old, old.Add(time.Hour) }), code: steps.ReleaseExpired, says: "expired at"},
		{name: "file capabilities that the configuration does not allow", edit: permitted, code: steps.InvalidManifest, says: "bin/tool"},
		{name: "file capabilities that nobody has signed for", device: func(t *testing.T, v *victim) {
			v.configure(t, "[trust]\nfile_capabilities = true\nallow_unsigned = true\n")
		}, edit: nativetest.Edit{Release: permitted.Release, Sign: func(*nativetest.Kit, []byte) []byte { return []byte(native.Unsigned) }}, code: steps.BadSignature, says: "no key of this device vouches for it"},
		{name: "another product", edit: r(func(r *native.Release) { r.Product = "other" }), code: steps.WrongDevice, says: `product "other"`},
		{name: "a product in another case", edit: r(func(r *native.Release) { r.Product = "Tope-Device" }), code: steps.WrongDevice, says: "product"},
		{name: "another hardware", edit: r(func(r *native.Release) { r.Hardware = []string{"rev-a"} }), code: steps.WrongDevice, says: "hardware rev-a"},
		{name: "a hardware that begins the same", edit: r(func(r *native.Release) { r.Hardware = []string{nativetest.Hardware + "2", "rev"} }), code: steps.WrongDevice, says: "hardware"},
	}
}

// Mender took artifacts without a signature when its keys could not be read.
func TestMissingKeysFailClosed_Mender(t *testing.T) {
	attack(t, nativetest.New(t), keyless(t)[:9])
}

// go-tuf counted one key twice, and took thresholds below 1.
func TestDuplicateKeysAndThresholdsBelowOne_go_tuf(t *testing.T) {
	attack(t, nativetest.New(t), keyless(t)[9:])
}

func TestDowngradeFreezeAndWrongDevice(t *testing.T) {
	attack(t, nativetest.New(t), unfit())
}

// swaps serve one bundle while it is judged and another when it is fetched.
func swaps() []hostile {
	other := func(file []byte, from int) []byte {
		bad := append([]byte(nil), file...)
		for i := from; i < len(bad); i++ {
			bad[i] ^= 0x55
		}
		return bad
	}
	// alternate answers the first n requests with a, the others with b.
	alternate := func(a, b []byte, n int64) http.Handler {
		var asked atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			file := b
			if asked.Add(1) <= n {
				file = a
			}
			// No tag and no time: the client cannot see that it is another file.
			http.ServeContent(w, r, "release.tope", time.Time{}, strings.NewReader(string(file)))
		})
	}
	const head = 4096 // is longer
	list := []hostile{{
		name: "another payload for a sound head", code: steps.InvalidPackage, says: "not what was signed",
		serve: func(file []byte) http.Handler { return alternate(file, other(file, head), 2) },
	}, {
		name: "another payload, with the solid member wanted", bare: true, code: steps.InvalidPackage, says: "not what was signed",
		serve: func(file []byte) http.Handler { return alternate(file, other(file, head), 2) },
	}, {
		name: "another head after the first block", code: steps.BadSignature, says: "did not sign",
		serve: func(file []byte) http.Handler {
			bad := append([]byte(nil), file...)
			bad[700] ^= 1
			return alternate(file, bad, 1)
		},
	}}
	return list
}

// endless are servers whose file does not end and does not tell its size.
func endless() []hostile {
	// stream sends the first n bytes of the file, and then data without end.
	stream := func(n int, data byte) func([]byte) http.Handler {
		return func(file []byte) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, err := w.Write(file[:min(n, len(file))])
				for more := bytes.Repeat([]byte{data}, 64<<10); err == nil; {
					_, err = w.Write(more)
				}
			})
		}
	}
	return []hostile{
		{name: "zeros for a payload, without end", bare: true, serve: stream(4096, 0), code: steps.InvalidPackage, says: "not what was signed"},
		{name: "zeros for a release file, without end", serve: stream(512, 0), code: steps.InvalidPackage, says: "release.json.zst.minisig"},
		{name: "blanks for a signature, without end", serve: stream(600, ' '), code: steps.InvalidPackage, says: "release.json.zst.minisig"},
	}
}

func TestEndlessData(t *testing.T) {
	attack(t, nativetest.New(t), endless())
}

// RAUC read the bundle again after it had checked it.
func TestSwappedBetweenCheckAndUse_RAUC_CVE_2020_25860(t *testing.T) {
	attack(t, nativetest.New(t), swaps())
}

// TestHostileBundlesAreAHundredAtLeast counts what the other tests try.
func TestHostileBundlesAreAHundredAtLeast(t *testing.T) {
	seen, n := map[string]bool{}, 0
	for _, group := range [][]hostile{
		traversals(), linksAndModes(), descriptions(), texts(), frames(t), signatures(), unsigned(), heads(),
		numbers(), unlisted(), trailing(), contents(t), wrongBytes(), keyless(t), unfit(), swaps(), endless(),
	} {
		for _, h := range group {
			require.NotEmpty(t, h.code, h.name)
			require.NotEmpty(t, h.says, h.name)
			seen[h.name] = true
			n++
		}
	}
	t.Logf("%d hostile bundles", n)
	require.GreaterOrEqual(t, n, 100)
	require.Len(t, seen, n, "each has a name of its own")
}
