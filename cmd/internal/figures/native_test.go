package figures_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// publisher packs signed bundles with the publishers' program.
type publisher struct {
	program string
	key     string // the secret key; its .pub lies beside it
	about   string // what a bundle depends on besides its input
	level   int    // zstd's
}

func newPublisher(b *testing.B, l *lab) publisher {
	b.Helper()
	p := publisher{program: filepath.Join(l.dir, "tope-bundle"), level: 19}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", p.program, "../../tope-bundle")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", text)
	p.key = filepath.Join(once(b, "key", func(dir string) {
		run(b, dir, p.program, "keygen", "bench")
	}), "bench.key")
	sum := sha256.New()
	for _, path := range []string{p.program, p.key} {
		data, err := os.ReadFile(path)
		require.NoError(b, err)
		_, _ = sum.Write(data) // never fails
	}
	if path, err := exec.LookPath("zstd"); err == nil {
		fmt.Fprintln(sum, run(b, l.dir, path, "--version"))
	}
	p.about = hex.EncodeToString(sum.Sum(nil))
	return p
}

// pack makes a bundle, or finds the one that the same programs made of the same
// input. from are bundles to make patches against.
func (p publisher) pack(b *testing.B, tree, version string, epoch int, from ...string) string {
	b.Helper()
	args := []string{
		"pack", tree, "-o", "out.tope", "--product", "figures", "--version", version, "--epoch", fmt.Sprint(epoch),
		"--created", "2026-01-01T00:00:00Z", "--key", p.key, "--level", fmt.Sprint(p.level),
	}
	sum := sha256.New()
	fmt.Fprintln(sum, p.about, args[4:], digestOfTree(b, tree), from)
	for _, f := range from {
		args = append(args, "--from", f)
	}
	// The names of those in the cache tell what is in them.
	dir := once(b, filepath.Join("bundles", hex.EncodeToString(sum.Sum(nil))), func(dir string) { run(b, dir, p.program, args...) })
	return filepath.Join(dir, "out.tope")
}

// counted serves files, and counts what it sends: the bytes of the answers'
// bodies, and the requests.
type counted struct {
	url             string
	files           map[string]string
	bytes, requests atomic.Int64
}

func serveCounted(b *testing.B) *counted {
	b.Helper()
	c := &counted{files: map[string]string{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	c.url = "http://" + listener.Addr().String()
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		http.ServeFile(&countedAnswer{w, c}, r, c.files[r.URL.Path])
	})}
	go func() { _ = server.Serve(listener) }() // until it is closed
	b.Cleanup(func() { _ = server.Close() })
	return c
}

// countedAnswer has no ReadFrom, so that it sees every byte of a body.
type countedAnswer struct {
	http.ResponseWriter
	c *counted
}

func (a *countedAnswer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.c.bytes.Add(int64(n))
	return n, err
}

// offer gives the file a URL.
func (c *counted) offer(path, version string) steps.Source {
	name := "/" + version + ".tope"
	c.files[name] = path
	return steps.Source{URL: source.New(c.url + name)}
}

// installed is the cost of an install.
type installed struct {
	steps.Wire
	// bytes and requests are the server's count.
	bytes, requests int64
	// staged is the time from the request to the version on the disk; applied is
	// the part of it that verifies and extracts; peak is the process's VmHWM.
	staged, applied time.Duration
	peak            float64
}

// bootSigned is a device that trusts the publisher and has nothing that a
// release could reuse.
func (l *lab) bootSigned(b *testing.B, p publisher, more string) *device {
	b.Helper()
	d := l.boot(b, fixtures.Options{Manager: "none", NoFactory: true, More: more}, fixtures.Release{})
	d.stop(b)
	public, err := os.ReadFile(p.key[:len(p.key)-len("key")] + "pub")
	require.NoError(b, err)
	keys := filepath.Join(d.Root, "etc/tope-updater/keys")
	require.NoError(b, os.MkdirAll(keys, 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(keys, "bench.pub"), public, 0o600))
	d.start(b)
	return d
}

// take installs a bundle with a daemon that has done nothing before, and
// compares what the server counted with what the update's status says.
func (d *device) take(b *testing.B, c *counted, path, version string) (got installed) {
	b.Helper()
	d.stop(b)
	d.start(b)
	src := c.offer(path, version)
	bytes, requests := c.bytes.Load(), c.requests.Load()
	recs := d.install(b, src)
	got.bytes, got.requests = c.bytes.Load()-bytes, c.requests.Load()-requests
	status, err := d.api.Status(b.Context())
	require.NoError(b, err)
	require.NotNil(b, status.Last.Wire)
	got.Wire = *status.Last.Wire
	require.NotEmpty(b, got.SignedBy)
	// Pieces that lie close together are fetched by one request, with the few
	// bytes between them. This count has those bytes, the status does not.
	require.LessOrEqual(b, got.Head+got.Payload, got.bytes, "the device tells of what the server did not send")
	got.staged = took(b, recs, engine.Staging)
	got.applied = took(b, recs, engine.Extracting) - took(b, recs, engine.Downloading)
	got.peak = highWater(b, d.daemon.Process.Pid)
	return got
}
