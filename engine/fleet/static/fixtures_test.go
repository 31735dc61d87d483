package static_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/static"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

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

// listed is a key in keys.json.
type listed struct {
	signer
	use     string
	revoked bool
}

// keysSigned is a keys.signed by a root key.
func keysSigned(t testing.TB, root signer, serial int, list ...listed) []byte {
	t.Helper()
	var entries []map[string]any
	for i, k := range list {
		e := map[string]any{"name": string(rune('a' + i)), "key": k.public.String(), "revoked": k.revoked}
		if k.use != "" {
			e["use"] = []string{k.use}
		}
		entries = append(entries, e)
	}
	return signedEntries(t, root, serial, entries...)
}

func signedEntries(t testing.TB, root signer, serial int, entries ...map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"schema": 1, "serial": serial, "keys": entries})
	require.NoError(t, err)
	signed, err := json.Marshal(map[string]any{"schema": 1, "keys": text, "signatures": [][]byte{minisign.Sign(root.private, text)}})
	require.NoError(t, err)
	return signed
}

// digest is the digest of a release that there is only in a test.
func digest(fill string) string { return "sha256:" + strings.Repeat(fill, 64)[:64] }

// host is a web server with the channel "stable", and files beside it. Its ETag is the
// content's. It is safe for concurrent use.
type host struct {
	mu    sync.Mutex
	files map[string][]byte
	asked []string
}

func (h *host) put(name string, text []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.files == nil {
		h.files = map[string][]byte{}
	}
	h.files[name] = text
}

// requests are those since the last call: "GET /stable.channel 304".
func (h *host) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.asked
	h.asked = nil
	return all
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	status := http.StatusOK
	text, ok := h.files[strings.TrimPrefix(r.URL.Path, "/")]
	tag := `"` + channel.Digest(text)[7:39] + `"`
	switch {
	case !ok:
		status = http.StatusNotFound
	case r.Header.Get("If-None-Match") == tag:
		status = http.StatusNotModified
	}
	h.asked = append(h.asked, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, status))
	if ok {
		w.Header().Set("ETag", tag)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = w.Write(text)
	}
}

// world is a publisher, a server and a device.
type world struct {
	host
	t                 *testing.T
	clock             *clocktest.Fake
	root, online, key signer
	dir               string // the device's keys
	source            *static.Source
	cfg               static.Config
	q                 fleet.Question
	serial            int64
	releases          []channel.Release
	change            func(*channel.File)
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: clocktest.New(), root: newSigner(t), online: newSigner(t), key: newSigner(t), dir: t.TempDir(), serial: 10}
	w.file("root/r.pub", w.root.public.String())
	w.keys(keysSigned(t, w.root, 1, listed{w.online, "channel", false}, listed{w.key, "", false}))
	w.cfg = static.Config{
		Name: "stable", URL: "http://updates.example/stable.channel",
		Device: channel.Device{ID: "device-1", Product: "printer", Hardware: "rev-b"},
		Keys:   func() (*trust.Keys, error) { return trust.Load(w.dir, w.clock.Now()) },
		UpdateKeys: func(_ context.Context, signed []byte) error {
			return trust.UpdateSigned(w.dir, signed, w.clock.Now())
		},
		Clock: w.clock, Build: w.clock.Now().Add(-180 * 24 * time.Hour), Version: "1.2.3", Web: nil,
	}
	w.q = fleet.Question{Version: "1.0.0", Uptime: time.Hour}
	return w
}

func (w *world) file(name, text string) {
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(text+"\n"), 0o600))
}

// keys puts a keys.signed in force on the device.
func (w *world) keys(signed []byte) {
	w.t.Helper()
	require.NoError(w.t, trust.UpdateSigned(w.dir, signed, w.clock.Now()))
}

// start is one of the updater.
func (w *world) start() *static.Source {
	w.t.Helper()
	s, err := static.New(w.cfg)
	require.NoError(w.t, err)
	w.source = s
	return s
}

// release is open to every device.
func (w *world) release(version, fill string) channel.Release {
	return channel.Release{
		Version: version, URL: "app-" + version + ".tope", Size: 1000, Digest: digest(fill), State: channel.Open,
		Rollout: channel.Rollout{Seed: version, Start: w.clock.Now().Add(-24 * time.Hour), Percent: channel.All},
	}
}

// next is the channel with the next serial, signed now and valid for two weeks.
func (w *world) next() *channel.File {
	w.serial++
	f := &channel.File{
		Content: channel.Content{Schema: 1, Channel: "stable", Product: "printer", Releases: append([]channel.Release{}, w.releases...)},
		Serial:  w.serial, Issued: w.clock.Now().UTC().Truncate(time.Second),
	}
	f.Expires = f.Issued.Add(14 * 24 * time.Hour)
	if w.change != nil {
		w.change(f)
	}
	return f
}

// sealed is a channel as it is published.
func sealed(t testing.TB, f *channel.File, by ...signer) []byte {
	t.Helper()
	body, err := f.Encode()
	require.NoError(t, err)
	var signatures [][]byte
	for _, s := range by {
		signatures = append(signatures, minisign.Sign(s.private, body))
	}
	file, err := channel.Seal(body, signatures)
	require.NoError(t, err)
	return file
}

// publish signs the next channel, by the online key unless others are named.
func (w *world) publish(by ...signer) *channel.File {
	w.t.Helper()
	if by == nil {
		by = []signer{w.online}
	}
	f := w.next()
	w.put("stable.channel", sealed(w.t, f, by...))
	return f
}

// ask asks as the loop does, and keeps the facts.
func (w *world) ask() (fleet.Answer, error) {
	w.t.Helper()
	w.q.Clock, w.q.Uptime = w.clock.Now(), w.clock.Monotonic()
	a, err := w.source.Ask(w.t.Context(), w.q)
	if a.Facts != nil {
		w.q.Facts = a.Facts
	}
	return a, err
}

func (w *world) offered() fleet.Offer {
	w.t.Helper()
	a, err := w.ask()
	require.NoError(w.t, err)
	require.NotNil(w.t, a.Offer, a.Text)
	return *a.Offer
}

// refuses asks, and requires this error and nothing else that is new.
func (w *world) refuses(want error) fleet.Answer {
	w.t.Helper()
	a, err := w.ask()
	require.ErrorIs(w.t, err, want)
	require.ErrorIs(w.t, err, fleet.ErrHeard)
	require.Nil(w.t, a.Offer)
	require.Nil(w.t, a.Cancel)
	return a
}

// waits asks, and requires that there is nothing to install, for a reason with this text.
func (w *world) waits(text string) fleet.Answer {
	w.t.Helper()
	a, err := w.ask()
	require.NoError(w.t, err)
	require.Nil(w.t, a.Offer)
	require.Contains(w.t, a.Text, text)
	return a
}
