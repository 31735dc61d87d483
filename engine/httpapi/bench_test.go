package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/httpapitest"
)

// constant answers with a body as long as a progress poll's, and does nothing else.
func constant(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"code":200,"msg":"success","data":{"stage":"downloading","progress":42,"message":"Downloading version 1.2.0...","error":null},"stage":null,"progress":null}`)
}

func downloading() http.Handler {
	d := httpapitest.New()
	d.Open(engine.Downloading, 42)
	return d.Handler()
}

// BenchmarkProgress and BenchmarkConstant poll over loopback, one connection
// that is kept. Compare p99-µs: the aim is at most 1.5 times the constant.
func BenchmarkProgress(b *testing.B) { poll(b, downloading()) }

func BenchmarkConstant(b *testing.B) { poll(b, http.HandlerFunc(constant)) }

func poll(b *testing.B, h http.Handler) {
	s := httptest.NewServer(h)
	defer s.Close()
	url := s.URL + progress
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		start := time.Now()
		r, err := s.Client().Get(url)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, r.Body)
		require.NoError(b, err)
		r.Body.Close()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
}

// BenchmarkProgressHandler measures the part of a poll that is not net/http's.
func BenchmarkProgressHandler(b *testing.B) {
	h := downloading()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:12315"+progress, nil)
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// TestAPollAllocatesLittle guards the figure that the benchmarks measure, in a
// way that does not depend on the load of the machine.
func TestAPollAllocatesLittle(t *testing.T) {
	h := downloading()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:12315"+progress, nil)
	w := discard{http.Header{}}
	allocs := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) })
	require.LessOrEqual(t, allocs, 10.0)
}
