package fleetsim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/hawkbit"
	"github.com/tope/updater/engine/fleet/static"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/secret"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

const (
	token       = "t0ken"
	channelHost = "http://updates.test"
	hawkbitHost = "https://hawkbit.test"
	pollEvery   = 6 * time.Hour
)

// digestOf is a release's.
func digestOf(version string) string {
	sum := sha256.Sum256([]byte(version))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// servers are the fleet's: a host of a signed channel, and hawkBit, of which each shard has
// some devices, as its fake looks through all actions for each poll.
type servers struct {
	f      *sim
	keys   *trust.Keys
	online minisign.PrivateKey

	mu       sync.Mutex
	serial   int64
	releases []channel.Release
	// file is the channel, old the one before, and forked one that has its serial and says
	// something else.
	file, old, forked published

	shards []*dditest.Server
	// rand draws what goes wrong with a request.
	rand *rand.Rand
}

type published struct {
	tag  string
	body []byte
}

// perShard is how many devices a shard of hawkBit has.
const perShard = 64

func newServers(t *testing.T, f *sim) *servers {
	t.Helper()
	s := &servers{f: f, rand: rand.New(rand.NewPCG(f.seed, 1<<40))}
	rootPub, root, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	public, private, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	s.online = private
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "root"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "root/r.pub"), []byte(rootPub.String()+"\n"), 0o600))
	list, err := json.Marshal(map[string]any{"schema": 1, "serial": 1, "keys": []any{map[string]any{"name": "a", "key": public.String(), "use": []string{"channel"}}}})
	require.NoError(t, err)
	signed, err := json.Marshal(map[string]any{"schema": 1, "keys": list, "signatures": [][]byte{minisign.Sign(root, list)}})
	require.NoError(t, err)
	require.NoError(t, trust.UpdateSigned(dir, signed, f.now()))
	s.keys, err = trust.Load(dir, f.now())
	require.NoError(t, err)
	for range (f.n + 2*perShard - 1) / (2 * perShard) {
		h := dditest.New(dditest.Switches{Sleep: "06:00:00", Links: hawkbitHost, Trouble: s.trouble})
		for _, v := range []string{goodVersion, badVersion, lastVersion} {
			h.AddBundle("app-"+v+".tope", v, []byte("bundle "+v))
		}
		s.shards = append(s.shards, h)
	}
	return s
}

// shard is the hawkBit of a device.
func (s *servers) shard(d *device) *dditest.Server { return s.shards[d.n/2/perShard] }

// publish signs the channel as it is now.
func (s *servers) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	s.old = s.file
	s.file = s.sign(s.releases)
	s.forked = s.sign(nil)
}

func (s *servers) sign(releases []channel.Release) published {
	now := s.f.now().UTC().Truncate(time.Second)
	f := &channel.File{
		Content: channel.Content{Schema: 1, Channel: "stable", Product: "printer", Releases: append([]channel.Release{}, releases...)},
		Serial:  s.serial, Issued: now, Expires: now.Add(14 * 24 * time.Hour),
	}
	body, err := f.Encode()
	if err != nil {
		s.f.fail("the channel cannot be encoded: %v", err)
		return published{}
	}
	file, err := channel.Seal(body, [][]byte{minisign.Sign(s.online, body)})
	if err != nil {
		s.f.fail("the channel cannot be sealed: %v", err)
	}
	sum := sha256.Sum256(file)
	return published{`"` + hex.EncodeToString(sum[:16]) + `"`, file}
}

// change changes a release of the channel, and publishes that.
func (s *servers) change(version string, to func(*channel.Release)) {
	s.mu.Lock()
	for i := range s.releases {
		if s.releases[i].Version == version {
			to(&s.releases[i])
		}
	}
	s.mu.Unlock()
	s.publish()
}

// add adds a release to the channel, and publishes that.
func (s *servers) add(r channel.Release) {
	r.URL, r.Size, r.Digest, r.State = "app-"+r.Version+".tope", 1000, digestOf(r.Version), channel.Open
	r.Rollout.Seed = r.Version
	s.mu.Lock()
	s.releases = append(s.releases, r)
	s.mu.Unlock()
	s.publish()
}

func (s *servers) rolloutOf(version string) (r channel.Rollout, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.releases {
		if it.Version == version {
			return it.Rollout, true
		}
	}
	return r, false
}

// draw is a number below n.
func (s *servers) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

// trouble is what goes wrong with a request to either server.
func (s *servers) trouble(*http.Request) dditest.Trouble {
	switch {
	case s.f.down():
		return dditest.Trouble{Unheard: true}
	case !s.f.faulty():
		return dditest.Trouble{}
	}
	switch s.draw(60) {
	case 0:
		return dditest.Trouble{Lost: true}
	case 1:
		return dditest.Busy(strconv.Itoa(600 + s.draw(3000)))
	case 2:
		return dditest.Trouble{Status: http.StatusBadGateway}
	}
	return dditest.Trouble{}
}

// source is what a device asks, as a start of its updater makes it.
func (f *sim) source(d *device) fleet.Source {
	w := web{f, d}
	if !d.hawkbit {
		src, err := static.New(static.Config{
			Name: "stable", URL: channelHost + "/stable.channel", Clock: d.clock, Build: built, Web: w, Version: "1",
			Device: channel.Device{ID: d.id, Product: "printer", Hardware: d.hardware, Early: f.plant.early(d)},
			Keys:   func() (*trust.Keys, error) { return f.servers.keys, nil },
		})
		if err != nil {
			f.fail("%s: %v", d.id, err)
		}
		return src
	}
	c, err := ddi.New(ddi.Config{
		URL: hawkbitHost, ID: d.id, Auth: ddi.TargetToken, Web: w, Clock: d.clock, Version: "1",
		Token: func() (secret.Text, error) { return secret.New(token), nil },
	})
	if err != nil {
		f.fail("%s: %v", d.id, err)
	}
	return f.plant.source(d, hawkbit.New(hawkbit.Config{Client: c, Build: built}))
}

// web is the network of a device. Polls are counted.
type web struct {
	f *sim
	d *device
}

var errDown = errors.New("connection refused")

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.d.hawkbit {
		if strings.HasSuffix(r.URL.Path, "/controller/v1/"+w.d.id) {
			w.f.polled()
		}
		if r.Body != nil && strings.HasSuffix(r.URL.Path, "/feedback") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			w.d.tells(r.URL.Path, body)
		}
		return w.f.servers.shard(w.d).RoundTrip(r)
	}
	w.f.polled()
	return w.f.servers.serve(r, w.d)
}

// serve answers with the channel, or with what a bad day makes of it.
func (s *servers) serve(r *http.Request, d *device) (*http.Response, error) {
	switch t := s.trouble(r); {
	case t.Unheard || t.Lost:
		return nil, errDown
	case t.Status != 0:
		resp := response(r, t.Status, nil)
		for k, v := range t.Header {
			resp.Header.Set(k, v)
		}
		return resp, nil
	}
	which := 9
	if s.f.faulty() {
		which = s.draw(100)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file := s.file
	switch {
	case which == 0 && s.old.body != nil:
		file = s.old
		d.seen.misled.Store(true)
	case which == 1:
		file = s.forked
	}
	if r.Header.Get("If-None-Match") == file.tag {
		return response(r, http.StatusNotModified, nil), nil
	}
	resp := response(r, http.StatusOK, file.body)
	resp.Header.Set("ETag", file.tag)
	return resp, nil
}

func response(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		Status: fmt.Sprint(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}
