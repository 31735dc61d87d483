package fleet_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/ddi/dditest"
)

const (
	token     = "0b3c7d52e1aa4f6b9d"
	tokenFile = "/etc/tope-updater/fleet.token"

	serverConfig = "[fleet]\nhawkbit = \"http://" + address + "\"\nid = \"" + id + "\"\n"
	withToken    = "token_file = \"" + tokenFile + "\"\n"
)

// hawkbit is a server, whose downloads a test can hold up in their midst.
type hawkbit struct {
	*dditest.Server
	t testing.TB

	mu sync.Mutex
	// shut holds up downloads until it is closed; nil lets them pass.
	shut chan struct{}
	// told is called with what a device tells, before the server hears it; when it says so,
	// the answer is lost. nil for nobody.
	told func(body string) (lost bool)
}

func serving(t testing.TB) *hawkbit {
	h := &hawkbit{Server: dditest.New(dditest.Switches{}), t: t}
	h.AddTarget(id, token)
	return h
}

// offer assigns a release, and returns its action.
func (h *hawkbit) offer(r fixtures.Release) string {
	h.t.Helper()
	body, err := builttest.Services(h.t).Zip(r)
	require.NoError(h.t, err)
	return h.Assign(id, h.AddBundle("device-"+r.Version+".zip", r.Version, body), dditest.Forced)
}

// shutter holds downloads up, or lets them pass.
func (h *hawkbit) shutter(shut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut != nil {
		close(h.shut)
		h.shut = nil
	}
	if shut {
		h.shut = make(chan struct{})
	}
}

// listen has each thing that is told shown to somebody.
func (h *hawkbit) listen(told func(body string) (lost bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = told
}

func (h *hawkbit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	shut, told := h.shut, h.told
	h.mu.Unlock()
	if told != nil && r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		lost := told(string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		if lost {
			h.Server.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
	}
	if shut == nil || !strings.Contains(r.URL.Path, "/artifacts/") {
		h.Server.ServeHTTP(w, r)
		return
	}
	whole := httptest.NewRecorder()
	h.Server.ServeHTTP(whole, r)
	for name, values := range whole.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(whole.Code)
	text := whole.Body.Bytes()
	_, _ = w.Write(text[:len(text)/2]) // the device may be gone
	_ = http.NewResponseController(w).Flush()
	select {
	case <-shut:
		_, _ = w.Write(text[len(text)/2:])
	case <-r.Context().Done():
	}
}

// counted is how an action has ended at the server, and how often it was told of an end.
func (h *hawkbit) counted(action string) (state string, ends int) {
	v := h.Action(action)
	for _, e := range v.Entries {
		switch e.State {
		case dditest.Finished, dditest.Failed, dditest.Canceled:
			ends++
		}
	}
	return v.State, ends
}

// states are what the operator sees of an action, without the server's own entries.
func (h *hawkbit) states(action string) (all []string) {
	for _, e := range h.Action(action).Entries {
		if e.State != "retrieved" && !strings.HasPrefix(e.Messages[0], "Update Server:") && !strings.HasPrefix(e.Messages[0], "Assignment") {
			all = append(all, e.State+" "+e.Messages[0])
		}
	}
	return all
}

// enrolled is a device of the server, with its token in a file.
func enrolled(t testing.TB, h *hawkbit, o devicetest.Options) *rig {
	t.Helper()
	o.Config = serverConfig + withToken + o.Config
	r := rigged(t, o, h)
	r.Write(tokenFile, token+"\n", 0o600)
	return r
}
