package dditest

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // as hawkBit
	"crypto/sha1" //nolint:gosec // as hawkBit
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// download gives an artifact of an action that is not over, whole or in ranges. Each
// whole one, and each HEAD, is an entry of the action; a range is none.
func (s *Server) download(r *http.Request, d *target, module, name string) answer {
	missing := func() answer {
		a := document(http.StatusNotFound, "application/json", nil)
		a.body = nil
		return a
	}
	plain, sum := strings.CutSuffix(name, ".MD5SUM")
	a, f := s.fileOf(d, module, plain)
	switch {
	case f == nil, r.Method != http.MethodGet && r.Method != http.MethodHead:
		return missing()
	case sum:
		out := empty(http.StatusOK)
		out.header.Set("Content-Disposition", "attachment;filename="+name)
		out.header.Set("Content-Type", "text/plain")
		out.body = fmt.Appendf(nil, "%x  %s", md5.Sum(f.Body), f.Name) //nolint:gosec // as hawkBit
		return out
	}
	tag := fmt.Sprintf(`"%x"`, sha1.Sum(f.Body)) //nolint:gosec // as hawkBit
	mark := func(h http.Header) {
		h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
		h.Set("Content-Disposition", "attachment;filename="+name)
		h.Set("Content-Type", "application/octet-stream")
		h.Set("ETag", tag)
		h.Set("Accept-Ranges", "bytes")
		h.Set("Last-Modified", "Sun, 29 Nov 2026 10:28:52 GMT")
	}
	w := httptest.NewRecorder()
	mark(w.Header())
	asked := r.Clone(r.Context())
	asked.Header.Del("If-None-Match") // ignored
	asked.Header.Del("If-Modified-Since")
	http.ServeContent(w, asked, "", time.Date(2026, 11, 29, 10, 28, 52, 0, time.UTC), bytes.NewReader(f.Body))
	out := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	switch w.Code {
	case http.StatusPreconditionFailed:
		return empty(w.Code)
	case http.StatusRequestedRangeNotSatisfiable:
		mark(out.header)
		out.body = nil
	case http.StatusOK:
		a.log("download", "Update Server: Target downloads "+r.URL.Path)
	}
	return out
}

// fileOf is an artifact of an action of the target that is not over.
func (s *Server) fileOf(d *target, module, name string) (*action, *File) {
	for _, a := range s.actions {
		if a.target != d || !a.active() {
			continue
		}
		set := s.sets[a.set]
		for _, m := range set.Modules {
			for i := range m.Artifacts {
				if strconv.Itoa(m.number) == module && m.Artifacts[i].Name == name {
					return a, &m.Artifacts[i]
				}
			}
		}
	}
	return nil, nil
}
