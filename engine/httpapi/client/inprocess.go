package client

import (
	"bytes"
	"io"
	"net/http"

	"github.com/tope/updater/engine/httpapi"
)

// transport calls the handler instead of sending the request anywhere.
type transport struct{ handler http.Handler }

// RoundTrip runs the handler until it returns. The handler sees the request's
// context and ends early with it.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(httpapi.Here(req.Context()))
	in.Host, in.RequestURI = req.URL.Host, req.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	w := &writer{header: http.Header{}}
	t.handler.ServeHTTP(w, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	w.WriteHeader(http.StatusOK) // has no effect when the handler has said so already
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}

// writer keeps the answer in memory.
type writer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *writer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
