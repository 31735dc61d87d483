package fleet_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
)

const channelConfig = "[fleet]\nchannel = \"http://" + address + "/stable.channel\"\nid = \"" + id + "\"\n[device]\nproduct = \"device\"\n"

// publisher is a directory with a channel, its keys and its bundles, on a web server. What
// is done to it tope-bundle does.
type publisher struct {
	t   testing.TB
	dir string

	mu    sync.Mutex
	asked []string
}

func publishing(t testing.TB) *publisher {
	t.Helper()
	p := &publisher{t: t, dir: t.TempDir()}
	p.do("keygen", "release")
	p.do("keygen", "online")
	p.do("channel", "init", "stable.json", "--product", "device")
	p.sign()
	return p
}

// do runs tope-bundle in the directory.
func (p *publisher) do(args ...string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), builttest.Program(p.t, "tope-bundle", builttest.Version), append([]string{"-q"}, args...)...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s: %s", args, out)
}

func (p *publisher) sign() {
	p.t.Helper()
	p.do("channel", "sign", "stable.json", "--key", "online.key")
}

// publish makes a signed bundle of a release, and offers it to all devices.
func (p *publisher) publish(r fixtures.Release) {
	p.t.Helper()
	legacy, err := builttest.Services(p.t).Package(p.t.TempDir(), r)
	require.NoError(p.t, err)
	name := "device-" + r.Version + ".tope"
	p.do("convert", "--product", "device", "--epoch", "0", "--level", "1", "--key", "release.key", "-o", name, legacy.Path)
	p.do("channel", "add", "stable.json", name, "--percent", "100", "--start", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	p.sign()
}

// ServeHTTP is a file server with ETags.
func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Header.Get("Range")+" "+r.URL.Path)
	p.mu.Unlock()
	text, err := os.ReadFile(filepath.Join(p.dir, filepath.Base(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(text)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(text)))
}

// requests are those for files of a kind since the last call, such as "GET bytes=7- /a.tope".
func (p *publisher) requests(ext string) (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.asked {
		if strings.HasSuffix(a, ext) {
			all = append(all, a)
		}
	}
	p.asked = nil
	return all
}

// subscribed is a device that follows the channel and knows its keys.
func subscribed(t testing.TB, p *publisher, config string) *rig {
	t.Helper()
	return subscribedWith(t, p, "/etc/tope-updater/keys", config)
}

// subscribedWith has its keys in a directory.
func subscribedWith(t testing.TB, p *publisher, keys, config string) *rig {
	t.Helper()
	r := rigged(t, devicetest.Options{Config: channelConfig + config}, p)
	r.Put(filepath.Join(p.dir, "release.pub"), keys+"/release.pub", 0o644)
	r.Put(filepath.Join(p.dir, "online.pub"), keys+"/channel/online.pub", 0o644)
	return r
}

// A release is published, and the device installs it; one that is bad is taken back, and
// not tried again.
func TestAReleaseOfAChannel(t *testing.T) {
	t.Parallel()
	p := publishing(t)
	r := subscribed(t, p, "")
	r.on()
	require.Nil(t, r.check().Offer)

	p.publish(fixtures.Release{Version: "1.1.0"})
	said := r.MustRun(devicetest.Updater, "fleet", "check")
	require.Contains(t, said, "version 1.1.0 of channel stable")
	r.Within(time.Minute, "it is installed", func() bool { return r.Answers().Pointers.Current == "1.1.0" && r.fleet().Update == nil })
	r.Whole("1.1.0")
	s := r.fleet()
	require.Equal(t, engine.Committed, s.Ends[0].State)
	require.NotNil(t, s.Probation)
	require.Equal(t, "1.0.0", s.Probation.Back)
	require.Empty(t, s.Outbox)
	require.Contains(t, r.MustRun(devicetest.Updater, "fleet", "status"), "probation   1.1.0 is watched for another 2")
	require.Nil(t, r.check().Offer)

	p.publish(fixtures.Release{Version: "1.2.0", WebServer: "unhealthy"})
	r.check()
	r.Within(time.Minute, "it is taken back", func() bool { s = r.fleet(); return s.Ends[0].State == engine.RolledBack && s.Update == nil })
	r.Whole("1.1.0")
	require.Contains(t, r.MustRun(devicetest.Updater, "quarantine", "list"), "1.2.0")
	p.requests("")
	for range 2 {
		s = r.check()
		require.Nil(t, s.Update)
	}
	require.Empty(t, p.requests(".tope"))
	require.Nil(t, s.Offer, s.Text)
	r.cut()
	require.Nil(t, r.check().Offer)
	require.Empty(t, p.requests(".tope"))
	r.Whole("1.1.0")
}

// later is a configuration with a window that is open at another time of the day.
func later() string {
	at := time.Now().UTC().Add(6 * time.Hour)
	return "[[fleet.window]]\nfrom = \"" + at.Format("15:04") + "\"\nto = \"" + at.Add(time.Hour).Format("15:04") + "\"\n[legacy]\ntrust_window = \"1s\"\n"
}

// What waits for its window goes on waiting, whatever happens to the device, for the same
// reason; it is installed when somebody says so, and not when it is stopped meanwhile.
func TestAnOfferThatWaits(t *testing.T) {
	t.Parallel()
	p := publishing(t)
	r := subscribed(t, p, later())
	r.on()
	p.publish(fixtures.Release{Version: "1.1.0"})
	r.check()
	first := r.waits(fleet.OutsideWindow)
	require.Contains(t, first.Wait.Text, "the next maintenance window opens at")
	same := func() {
		t.Helper()
		s := r.waits(fleet.OutsideWindow)
		require.Equal(t, first.Wait, s.Wait)
		require.Equal(t, first.Update.ID, s.Update.ID)
		require.Equal(t, "1.0.0", r.Answers().Pointers.Current)
	}
	r.cut()
	same()
	r.check()
	same()
	r.reboot()
	same()

	r.MustRun(devicetest.Updater, "fleet", "hold", "--until", "release", "--why", "a fair")
	s := r.waits(fleet.Held)
	require.Equal(t, "a fair", s.Held.Why)
	r.cut()
	require.Equal(t, s.Wait, r.waits(fleet.Held).Wait)
	require.Equal(t, "a fair", r.fleet().Held.Why)
	r.MustRun(devicetest.Updater, "fleet", "release")
	same()

	p.do("channel", "halt", "stable.json", "1.1.0", "--why", "loses the calibration")
	p.sign()
	r.check()
	action := first.Offer.Action
	end := r.ends(action)
	require.Equal(t, engine.Cancelled, end.State)
	require.Contains(t, end.Text, "loses the calibration")
	require.Equal(t, "1.0.0", r.Answers().Pointers.Current)

	// It has waited for longer than the trust window: it is verified once more.
	p.publish(fixtures.Release{Version: "1.3.0"})
	r.check()
	s = r.waits(fleet.OutsideWindow)
	time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // the trust window, by the device's clock
	said := r.MustRun(devicetest.Updater, "fleet", "install")
	require.Contains(t, said, "1.3.0")
	r.Whole("1.3.0")
	var verified int
	for _, rec := range r.Records(s.Update.ID) {
		if rec.To == engine.Verifying {
			verified++
		}
	}
	require.Equal(t, 2, verified)
}
