package dditest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi/dditest"
)

const (
	token = "dev1secretdev1secretdev1secret00"
	me    = "/DEFAULT/controller/v1/dev1"
	file  = me + "/softwaremodules/1/artifacts/app-1.1.0.tope"
	// closed and its like are what devices post.
	closed     = `{"status":{"execution":"closed","result":{"finished":"success"}}}`
	failed     = `{"status":{"execution":"closed","result":{"finished":"failure"},"code":7,"details":["HEALTH_CHECK_FAILED"]}}`
	proceeding = `{"status":{"execution":"proceeding","result":{"finished":"none"}}}`
)

// hawkbit is the server that the transcripts are of, with dev1 and the bundle 1.1.0.
func hawkbit() (*dditest.Server, []byte) {
	s := dditest.New(dditest.Switches{Sleep: "00:00:30", GatewayToken: "gatewaysecret0123456789abcdef", PlainName: true})
	s.AddTarget("dev1", token)
	bundle := bytes.Repeat([]byte("tope "), 60_000)
	s.AddBundle("app-1.1.0.tope", "1.1.0", bundle)
	return s, bundle
}

// said is an answer.
type said struct {
	status int
	header http.Header
	body   string
}

// call asks as dev1, unless a header says otherwise: "Name: value", or "Name:" for none.
func call(t *testing.T, s http.Handler, method, path, body string, headers ...string) said {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:18980"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "TargetToken "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if r.Header.Set(name, strings.TrimSpace(value)); value == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusNotModified {
		require.Equal(t, plainHeader().Get("Cache-Control"), w.Header().Get("Cache-Control"))
	}
	return said{w.Code, w.Header(), w.Body.String()}
}

func get(t *testing.T, s http.Handler, path string, headers ...string) said {
	t.Helper()
	return call(t, s, http.MethodGet, path, "", headers...)
}

func post(t *testing.T, s http.Handler, path, body string) said {
	t.Helper()
	return call(t, s, http.MethodPost, me+path, body)
}

// links are those of the base, by name, without what follows a question mark.
func links(t *testing.T, s http.Handler) map[string]string {
	t.Helper()
	var v struct {
		Links map[string]struct{ Href string } `json:"_links"`
	}
	require.NoError(t, json.Unmarshal([]byte(get(t, s, me).body), &v))
	all := map[string]string{}
	for name, l := range v.Links {
		path, _, _ := strings.Cut(l.Href, "?")
		all[name] = strings.TrimPrefix(path, "http://127.0.0.1:18980"+me+"/")
	}
	return all
}
