package dditest

import (
	"bytes"
	"crypto/md5" //nolint:gosec // hawkBit's ETags are
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Server is hawkBit for one tenant. It is safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	switches Switches
	targets  map[string]*target
	sets     map[int]*Set
	actions  []*action // the action N is at N-1
	requests []string
}

// New makes a server that knows nobody.
func New(s Switches) *Server {
	if s.Tenant == "" {
		s.Tenant = "DEFAULT"
	}
	if s.Sleep == "" {
		s.Sleep = "00:05:00"
	}
	return &Server{switches: s, targets: map[string]*target{}, sets: map[int]*Set{}}
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP answers. A Trouble that loses the answer ends the connection in its place.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := s.serve(r)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the device may be gone
}

// RoundTrip answers without a socket.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.Host = r.URL.Host
	a, ok := s.serve(in)
	_ = in.Body.Close() // as http.RoundTripper promises
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	w := httptest.NewRecorder()
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a buffer
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// serve is the answer; false when there is none.
func (s *Server) serve(r *http.Request) (answer, bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return answer{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	trouble := Trouble{}
	if s.switches.Trouble != nil {
		trouble = s.switches.Trouble(r)
	}
	switch {
	case trouble.Unheard:
		return answer{}, false
	case trouble.Status != 0:
		a := empty(trouble.Status)
		for name, value := range trouble.Header {
			a.header.Set(name, value)
		}
		a.body = []byte(trouble.Body)
		return a, true
	}
	a := s.route(r, body)
	return a, !trouble.Lost
}

// empty is an answer without a body.
func empty(status int) answer {
	return answer{status: status, header: http.Header{"Cache-Control": {"no-cache, no-store, max-age=0, must-revalidate"}}}
}

// refusal is an answer with hawkBit's JSON for people who do something wrong.
func refusal(status int, code, class, message string) answer {
	return document(status, "application/json", struct {
		ErrorCode      string `json:"errorCode"`
		ExceptionClass string `json:"exceptionClass"`
		Message        string `json:"message"`
	}{"hawkbit.server.error." + code, class, message})
}

func document(status int, mediaType string, v any) answer {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // values of this package
	a := empty(status)
	a.header.Set("Content-Type", mediaType)
	a.body = bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	return a
}

// resource is a document that a device looks at: it has a strong ETag of its text, and is
// not sent again to who has it.
func resource(r *http.Request, v any) answer {
	a := document(http.StatusOK, "application/hal+json", v)
	sum := md5.Sum(a.body) //nolint:gosec // as hawkBit
	tag := `"0` + hex.EncodeToString(sum[:]) + `"`
	a.header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		return answer{status: http.StatusNotModified, header: http.Header{"Etag": {tag}}}
	}
	return a
}

// route finds the answer: /TENANT/controller/v1/ID, and below it KIND/ACTION[/feedback].
func (s *Server) route(r *http.Request, body []byte) answer {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, s.switches.Prefix+"/"), "/")
	if len(parts) < 4 || parts[0] != s.switches.Tenant || parts[1] != "controller" || parts[2] != "v1" {
		return empty(http.StatusNotFound)
	}
	d := s.authenticated(r, parts[3])
	if d == nil {
		return empty(http.StatusUnauthorized)
	}
	rest := parts[4:]
	if len(rest) == 5 && rest[0] == "softwaremodules" && rest[2] == "artifacts" {
		return empty(http.StatusNotFound)
	}
	if len(rest) == 4 && rest[0] == "softwaremodules" && rest[2] == "artifacts" {
		return s.download(r, d, rest[1], rest[3])
	}
	type call struct{ method, kind, form string }
	do := map[call]func(*http.Request, *target, string, []byte) answer{
		{"GET", "", ""}:                          s.base,
		{"PUT", "configData", ""}:                s.attributes,
		{"GET", "confirmationBase", ""}:          s.confirmations,
		{"GET", "deploymentBase", "id"}:          s.deployment,
		{"GET", "installedBase", "id"}:           s.installed,
		{"GET", "cancelAction", "id"}:            s.cancel,
		{"GET", "confirmationBase", "id"}:        s.confirmation,
		{"POST", "deploymentBase", "feedback"}:   s.feedback,
		{"POST", "cancelAction", "feedback"}:     s.cancelFeedback,
		{"POST", "confirmationBase", "feedback"}: s.confirm,
	}
	c, id := call{method: r.Method}, ""
	switch {
	case len(rest) == 1:
		c.kind = rest[0]
	case len(rest) == 2:
		c.kind, c.form, id = rest[0], "id", rest[1]
	case len(rest) == 3 && rest[2] == "feedback":
		c.kind, c.form, id = rest[0], "feedback", rest[1]
	case len(rest) != 0:
		return empty(http.StatusNotFound)
	}
	answers := do[c]
	switch {
	case answers == nil:
		return empty(http.StatusNotFound)
	case r.Method != http.MethodGet && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return empty(http.StatusUnsupportedMediaType)
	}
	return answers(r, d, id, body)
}

// authenticated is the target that a request comes from; nil for nobody.
func (s *Server) authenticated(r *http.Request, id string) *target {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	d := s.targets[id]
	switch {
	case kind == "TargetToken" && !s.switches.NoTargetTokens && d != nil && d.token != "" && token == d.token:
	case kind == "GatewayToken" && s.switches.GatewayToken != "" && token == s.switches.GatewayToken:
		if d == nil {
			d = s.add(id, "")
		}
	case kind == "" && s.switches.Certificates && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && d != nil &&
		r.TLS.PeerCertificates[0].Subject.CommonName == id:
	default:
		return nil
	}
	return d
}
