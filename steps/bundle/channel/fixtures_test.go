package channel_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// today is the time at which the tests take place, and built the build time of the
// device's updater.
func today() time.Time { return time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) }
func built() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

// signer is a key pair.
type signer struct {
	public  minisign.PublicKey
	private minisign.PrivateKey
}

func newSigner(t testing.TB) signer {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	return signer{public, private}
}

// key is the signer as a device knows it.
func (s signer) key() trust.Key { return trust.Key{Public: s.public.String()} }

// seal signs a body, whatever it says.
func seal(t testing.TB, body []byte, by ...signer) []byte {
	t.Helper()
	var signatures [][]byte
	for _, s := range by {
		signatures = append(signatures, minisign.Sign(s.private, body))
	}
	file, err := channel.Seal(body, signatures)
	require.NoError(t, err)
	return file
}

// publish signs a channel.
func publish(t testing.TB, f *channel.File, by ...signer) []byte {
	t.Helper()
	body, err := f.Encode()
	require.NoError(t, err)
	return seal(t, body, by...)
}

// listed is a key in the keys.json of a device.
type listed struct {
	signer
	use     string
	revoked bool
}

// keys are a device's, with a keys.json of this serial.
func keys(t testing.TB, serial int, list ...listed) *trust.Keys {
	t.Helper()
	root, dir := newSigner(t), t.TempDir()
	var entries []map[string]any
	for i, k := range list {
		e := map[string]any{"name": string(rune('a' + i)), "key": k.public.String(), "revoked": k.revoked}
		if k.use != "" {
			e["use"] = []string{k.use}
		}
		entries = append(entries, e)
	}
	text, err := json.Marshal(map[string]any{"schema": 1, "serial": serial, "keys": entries})
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "root"), 0o755))
	for name, data := range map[string]string{
		"root/r.pub": root.public.String() + "\n", "keys.json": string(text),
		"keys.json.minisig": string(minisign.Sign(root.private, text)),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
	}
	k, err := trust.Load(dir, today())
	require.NoError(t, err)
	return k
}

// digest is the digest of a release that there is only in a test.
func digest(fill string) string { return "sha256:" + strings.Repeat(fill, 64) }

// release is open to every device from a day before today.
func release(version, fill string) channel.Release {
	return channel.Release{
		Version: version, URL: "app-" + version + ".tope", Size: 1000, Digest: digest(fill), State: channel.Open,
		Rollout: channel.Rollout{Seed: version, Start: today().Add(-24 * time.Hour), Percent: channel.All},
	}
}

// stable is a channel that was signed an hour before today, for two weeks.
func stable(serial int64, releases ...channel.Release) *channel.File {
	issued := today().Add(-time.Hour)
	return &channel.File{
		Content: channel.Content{Schema: 1, Channel: "stable", Product: "printer", Releases: append([]channel.Release{}, releases...)},
		Serial:  serial, Issued: issued, Expires: issued.Add(14 * 24 * time.Hour),
	}
}

func device() channel.Device {
	return channel.Device{ID: "device-1", Product: "printer", Hardware: "rev-b", Version: "1.0.0"}
}

// receives has a device take a channel, and returns what it remembers afterwards.
func receives(t testing.TB, file []byte, k *trust.Keys, m channel.Memory) channel.Memory {
	t.Helper()
	_, next, err := channel.Receive(file, k, "stable", m)
	require.NoError(t, err)
	return next
}
