package fleetdemo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// site is a web server with files, as any bucket is one: it has ETags and ranges, and
// knows nothing of channels.
type site struct {
	dir, url string
	server   *http.Server

	mu sync.Mutex
	// sent counts answers with content, and unchanged those without, by the file's name.
	sent, unchanged map[string]int
}

func openSite(ctx context.Context, dir string) (*site, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir, url: "http://" + l.Addr().String(), sent: map[string]int{}, unchanged: map[string]int{}}
	s.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(s.serve)}
	go func() { _ = s.server.Serve(l) }() // until close
	return s, nil
}

func (s *site) close() error { return s.server.Close() }

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	name := filepath.Base(r.URL.Path)
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	// A file is replaced by another one, never written over: which of them it is tells them apart.
	info, err := f.Stat()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256([]byte(name + info.ModTime().Format(time.RFC3339Nano)))
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	s.count(name, r.Header.Get("If-None-Match") == tag)
	http.ServeContent(w, r, name, info.ModTime(), f)
}

func (s *site) count(name string, same bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if same {
		s.unchanged[name]++
	} else {
		s.sent[name]++
	}
}

// answers counts what a file was asked for: answers with content of it, and those that it has
// not changed.
func (s *site) answers(name string) (sent, unchanged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[name], s.unchanged[name]
}
