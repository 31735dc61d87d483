package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A device with keys learns from the first 512 bytes that a package is none that it
// takes, and asks for no more; so it does of what is not a bundle at all.
func TestAPackageIsRefusedByItsFirstBytes(t *testing.T) {
	d := newDevice(t, "1.0.0")
	bundles := filepath.Join(released, "bundles/0.9.0")
	putKey(t, d, bundles)
	unsigned, err := os.ReadFile(filepath.Join(bundles, "1.0.0-unsigned.tope"))
	require.NoError(t, err)
	pack := append([]byte("PK\x03\x04"), make([]byte, 4<<20)...)
	for name, file := range map[string][]byte{"x.zip": pack, "x": pack, "x.tope": append(unsigned, make([]byte, 4<<20)...), "x.tar": append([]byte("\x1f\x8b"), make([]byte, 4<<20)...)} {
		var sent atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(countedWriter{w, &sent}, r, name, time.Time{}, bytes.NewReader(file))
		}))
		on := []string{"--config", d.Config, "--root", d.Root, "install"}
		perform(t, 10, append(on, server.URL+"/"+name)...)
		require.LessOrEqual(t, sent.Load(), int64(4096), name)
		server.Close()
	}
}

type countedWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c countedWriter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.sent.Add(int64(n))
	return n, err
}
