package download

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/fetch/fetchtest"
	"github.com/tope/updater/steps/bundle"
)

// TestMiddleBoxesOnTheWay: proxies that refuse, and names that lead to somebody else, for
// a while and in the middle of a download. All of them are waited out.
func TestMiddleBoxesOnTheWay(t *testing.T) {
	h := published(900_000, [2]int64{2000, 600_000}, [2]int64{700_000, 100_000})
	ca, other := fetchtest.NewAuthority(t), fetchtest.NewAuthority(t)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>Please log in"))
	})
	portal := httptest.NewServer(page)
	t.Cleanup(portal.Close)
	disguised := httptest.NewUnstartedServer(page)
	disguised.Config.ErrorLog = quietLog()
	disguised.TLS = other.Server("updates.test")
	disguised.StartTLS()
	t.Cleanup(disguised.Close)

	for name, c := range map[string]struct {
		scheme string
		on     func(p *fetchtest.Proxy)
		says   string
	}{
		"a proxy that forbids":                 {"https", func(p *fetchtest.Proxy) { p.Refuse = http.StatusForbidden }, "403"},
		"a proxy that wants a password":        {"https", func(p *fetchtest.Proxy) { p.Refuse = http.StatusProxyAuthRequired }, "407"},
		"a proxy that cannot reach the server": {"https", func(p *fetchtest.Proxy) { p.Refuse = http.StatusBadGateway }, "502"},
		"a name that leads to a stranger":      {"https", func(p *fetchtest.Proxy) { p.To = disguised.Listener.Addr().String() }, "cannot trust the server"},
		"a name that leads to a portal":        {"http", func(p *fetchtest.Proxy) { p.To = portal.Listener.Addr().String() }, "login page"},
	} {
		for _, file := range []string{"r.tope", "r.zip"} {
			t.Run(name+", "+file, func(t *testing.T) {
				var p *fetchtest.Proxy
				var cut atomic.Bool
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("ETag", tag)
					if (file == "r.zip" || strings.HasPrefix(r.Header.Get("Range"), "bytes=2000-")) && cut.CompareAndSwap(false, true) {
						c.on(p)
						w = &cutting{w, 450_000}
					}
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.b))
				}))
				s.Config.ErrorLog = quietLog()
				if c.scheme == "https" {
					s.TLS = ca.Server("updates.test")
					s.StartTLS()
				} else {
					s.Start()
				}
				t.Cleanup(s.Close)
				good := s.Listener.Addr().String()
				p = fetchtest.NewProxy(t, good, nil)

				clk := newPatient()
				task := newTask(t, at(c.scheme+"://updates.test/"+file))
				if file == "r.zip" {
					task.Source.Size, task.Source.MD5 = int64(len(h.b)), sum(h.b)
				}
				var heard []string
				step := stepFor(clk, whenPaused(clk, task, func(why string) {
					if heard = append(heard, why); len(heard) == 12 {
						p.Refuse, p.To = 0, good
					}
				}), func(cfg *Config) {
					cfg.Web, cfg.Partial = reach(clk, fetch.Settings{Proxy: p.URL, CAFile: ca.File}), h
				})
				out, err := do(t, step, task)
				require.NoError(t, err)
				require.Contains(t, strings.Join(heard[1:], "\n"), c.says)
				got, err := os.ReadFile(filepath.Join(task.WorkDir, bundle.FileName))
				require.NoError(t, err)
				for _, piece := range h.pieces {
					require.Equal(t, sum(h.b[piece.Offset:piece.End()]), sum(got[piece.Offset:piece.End()]))
				}
				ev, ok := out.Evidence.(Evidence)
				require.True(t, ok)
				wanted := int64(headSize + 700_000)
				if file == "r.zip" {
					wanted = int64(len(h.b))
				}
				require.LessOrEqual(t, ev.Received, wanted+bufferSize, "what was fetched was thrown away")
			})
		}
	}
}
