package dditest_test

import (
	"crypto/md5"
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi/dditest"
)

func TestDownload(t *testing.T) {
	s, bundle := hawkbit()
	require.Equal(t, 404, get(t, s, file).status, "nothing is assigned")
	s.Assign("dev1", 1, dditest.Forced)
	tag := fmt.Sprintf(`"%x"`, sha1.Sum(bundle))
	for _, c := range []struct {
		header           string
		status           int
		contentRange, is string
	}{
		{"X-None: 1", 200, "", string(bundle)},
		{"Range: bytes=100-199", 206, "bytes 100-199/300000", string(bundle[100:200])},
		{"Range: bytes=299990-", 206, "bytes 299990-299999/300000", string(bundle[299990:])},
		{"Range: bytes=-10", 206, "bytes 299990-299999/300000", string(bundle[299990:])},
		{"Range: bytes=300000-", 416, "bytes */300000", ""},
		{"If-None-Match: " + tag, 200, "", string(bundle)},
	} {
		a := get(t, s, file, c.header)
		require.Equal(t, c.status, a.status, c.header)
		require.Equal(t, c.contentRange, a.header.Get("Content-Range"), c.header)
		require.True(t, c.is == a.body, c.header)
		for name, value := range map[string]string{
			"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream",
			"Content-Disposition": "attachment;filename=app-1.1.0.tope", "Last-Modified": "Sun, 29 Nov 2026 10:28:52 GMT",
		} {
			require.Equal(t, value, a.header.Get(name), c.header)
		}
	}
	a := get(t, s, file, "Range: bytes=0-9,20-29")
	require.Equal(t, 206, a.status)
	require.True(t, strings.HasPrefix(a.header.Get("Content-Type"), "multipart/byteranges; boundary="))
	require.Equal(t, 206, get(t, s, file, "Range: bytes=100-199", "If-Range: "+tag).status)
	require.Equal(t, 200, get(t, s, file, "Range: bytes=100-199", `If-Range: "other"`).status)
	a = get(t, s, file, "If-Match: other")
	require.Equal(t, 412, a.status)
	require.Empty(t, a.body)
	require.Equal(t, 401, get(t, s, file, "Authorization:").status)

	a = get(t, s, file+".MD5SUM")
	require.Equal(t, said{200, a.header, fmt.Sprintf("%x  app-1.1.0.tope", md5.Sum(bundle))}, a)
	for _, none := range []string{".SHA256", ".sha256"} {
		require.Equal(t, 404, get(t, s, file+none).status)
	}
	a = call(t, s, http.MethodHead, file, "")
	require.Equal(t, 200, a.status)
	require.Equal(t, "300000", a.header.Get("Content-Length"))
	require.Equal(t, []string{"running", "download", "download", "download", "download"}, states(s, "1"),
		"each whole one, and each HEAD, and no range")
}

// TestSwitches: what goes wrong before the server, and behind it.
func TestSwitches(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	http1 := httptest.NewServer(s)
	t.Cleanup(http1.Close)
	ways := map[string]*http.Client{http1.URL: http1.Client(), "http://127.0.0.1:18980": {Transport: s}}
	tell := func(url string, c *http.Client) (*http.Response, error) {
		r, err := http.NewRequest(http.MethodPost, url+me+"/deploymentBase/1/feedback", strings.NewReader(proceeding))
		require.NoError(t, err)
		r.Header.Set("Authorization", "TargetToken "+token)
		r.Header.Set("Content-Type", "application/json")
		return c.Do(r)
	}
	entries := 1
	for url, client := range ways {
		for _, c := range []struct {
			trouble dditest.Trouble
			heard   bool
			status  int
		}{
			{dditest.Trouble{}, true, 200},
			{dditest.Trouble{Unheard: true}, false, 0},
			{dditest.Trouble{Lost: true}, true, 0},
			{dditest.Busy("17"), false, 429},
			{dditest.Trouble{Status: 502, Body: "<html>"}, false, 502},
		} {
			s.Switch(func(w *dditest.Switches) { w.Trouble = func(*http.Request) dditest.Trouble { return c.trouble } })
			resp, err := tell(url, client)
			if c.heard {
				entries++
			}
			require.Len(t, s.Action("1").Entries, entries)
			if c.status == 0 {
				require.Error(t, err)
				continue
			}
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.trouble.Body, string(body))
			require.Equal(t, c.trouble.Header["Retry-After"], resp.Header.Get("Retry-After"))
		}
	}
	require.Len(t, s.Requests(), 10)
	require.Empty(t, s.Requests())
	s.Switch(func(w *dditest.Switches) {
		w.Trouble, w.Links, w.PlainName, w.Prefix = nil, "https://up.example.com", false, "/hawkbit"
	})
	body := get(t, s, "/hawkbit"+me+"/deploymentBase/1").body
	require.Contains(t, body, `"download":{"href":"https://up.example.com/hawkbit/DEFAULT/controller/v1/dev1/softwaremodules/1/artifacts/app-1.1.0.tope"}`)
	require.NotContains(t, body, "-http")
	s.RemoveTarget("dev1")
	require.Equal(t, 401, get(t, s, "/hawkbit"+me).status)
}
