package figures_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps/bundle/channel"
)

// channelSite is a web server with a signed channel and its bundles, and their publisher.
type channelSite struct {
	publisher
	// dir has what is served, and the source of the channel.
	dir, url string
	// bytes counts what is read and written on the server's sockets, from the first byte
	// of a request to the last of its answer.
	bytes atomic.Int64
}

// hosts are the headers that servers send with a 304, besides Date and ETag. A site is each
// of them, below a path of that name.
var hosts = map[string]map[string]string{
	"nginx": {"Server": "nginx/1.26.3"},
	"s3": {
		"Server": "AmazonS3", "X-Amz-Request-Id": "318BC8BC148832E5",
		"X-Amz-Id-2": "eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran",
	},
}

func openChannel(b *testing.B, l *lab) *channelSite {
	b.Helper()
	c := &channelSite{publisher: newPublisher(b, l)}
	// Compressing is the publisher's time.
	c.level = 3
	var err error
	c.dir, err = os.MkdirTemp(l.dir, "channel-")
	require.NoError(b, err)
	run(b, c.dir, c.program, "keygen", "online")
	run(b, c.dir, c.program, "channel", "init", "stable.json", "--product", "figures")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	c.url = "http://" + listener.Addr().String() + "/printers/"
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(c.serve)}
	go func() { _ = server.Serve(countedListener{listener, &c.bytes}) }() // until it is closed
	b.Cleanup(func() { _ = server.Close() })
	return c
}

func (c *channelSite) serve(w http.ResponseWriter, r *http.Request) {
	host, name := filepath.Split(strings.TrimPrefix(r.URL.Path, "/printers/"))
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	tag := `"` + channel.Digest(text)[7:39] + `-1"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Last-Modified", "Sun, 29 Nov 2026 12:00:00 GMT")
	for key, value := range hosts[strings.TrimSuffix(host, "/")] {
		w.Header().Set(key, value)
	}
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified) // ServeContent would leave out Last-Modified
		return
	}
	http.ServeFile(w, r, filepath.Join(c.dir, name))
}

// release packs a version and writes it into the source of the channel, for all devices.
// Publish puts it in force.
func (c *channelSite) release(b *testing.B, version string, epoch int, files map[string][]byte) {
	b.Helper()
	name := "app-" + version + ".tope"
	require.NoError(b, os.Symlink(c.pack(b, plant(b, b.TempDir(), files), version, epoch), filepath.Join(c.dir, name)))
	run(b, c.dir, c.program, "channel", "add", "stable.json", name, "--percent", "100")
}

func (c *channelSite) publish(b *testing.B) {
	b.Helper()
	run(b, c.dir, c.program, "channel", "sign", "stable.json", "--key", "online.key")
}

// ask is the configuration of a device that asks the site as one of hosts.
func (c *channelSite) ask(host, more string) string {
	return fmt.Sprintf("[device]\nproduct = \"figures\"\n\n[fleet]\nchannel = %q\nid = \"device-1\"\nmetered = \"allow\"\n%s", c.url+host+"/stable.channel", more)
}

// device has a configuration, and the public keys of the site.
func (c *channelSite) device(b *testing.B, l *lab, config string) *device {
	b.Helper()
	d := l.bootSigned(b, c.publisher, config)
	public, err := os.ReadFile(filepath.Join(c.dir, "online.pub"))
	require.NoError(b, err)
	keys := filepath.Join(d.Root, "etc/tope-updater/keys/channel")
	require.NoError(b, os.MkdirAll(keys, 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(keys, "online.pub"), public, 0o600))
	return d
}

// check has the device ask now.
func (d *device) check(b *testing.B) {
	b.Helper()
	st, err := d.api.CheckFleet(b.Context())
	require.NoError(b, err)
	require.False(b, st.Heard.IsZero(), st.Text)
}

// committed runs a verb that begins the installation of a version, and returns the time
// from the start of that process to the record of the commit. Both are of the kernel's
// monotonic clock.
func (d *device) committed(b *testing.B, version string, verb ...string) time.Duration {
	b.Helper()
	began := clock.System().Monotonic()
	text, err := d.command(verb...).CombinedOutput()
	require.NoError(b, err, "%s", text)
	var st httpapi.Status
	require.NoError(b, d.api.Watch(b.Context(), time.Second, func(s httpapi.Status) bool {
		st = s
		return s.Update != nil || s.Last == nil || s.Last.To != version
	}))
	require.Equal(b, engine.Committed, st.Last.State, "%+v", st.Last.Error)
	recs, err := d.api.Records(b.Context(), st.Last.ID)
	require.NoError(b, err)
	for _, r := range recs {
		if r.To == engine.Committed {
			return r.Mono - began
		}
	}
	require.Fail(b, "no record of the commit")
	return 0
}

// countedListener counts the bytes of its connections, before the other side has them.
type countedListener struct {
	net.Listener
	bytes *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn, l.bytes}, nil
}

type countedConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.Conn.Write(p)
}
