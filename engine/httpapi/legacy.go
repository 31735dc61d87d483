package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// buffers keeps the bodies of polls for reuse.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	buf := make([]byte, 0, 512)
	return &buf
}

func (a *api) legacyView() legacy.View { return legacy.Of(a.Engine.Status()) }

// progress is polled up to a thousand times a second during an install, so it
// reads the engine's status from memory and writes one buffer.
func (a *api) progress(w http.ResponseWriter, _ *http.Request) {
	buf := a.buffers.get()
	*buf = legacy.AppendProgress((*buf)[:0], a.legacyView())
	writeJSON(w, http.StatusOK, *buf)
	a.buffers.pool.Put(buf)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; the error has no other reader.
	_, _ = w.Write(body)
}

// legacyDownload asks for a download that waits for the install request.
// Unknown fields are ignored: old clients send some.
func (a *api) legacyDownload(w http.ResponseWriter, r *http.Request) {
	o, err := readObject(r)
	if err != nil {
		refuseBody(w, err)
		return
	}
	o.need("version", "package_url", "package_name", "package_size", "package_md5")
	s := steps.Source{
		Version: o.text("version"), URL: source.New(o.text("package_url")), Name: o.text("package_name"),
		Size: o.number("package_size"), MD5: o.text("package_md5"),
	}
	if err := checkLegacy(o, s); err != nil {
		refuseBody(w, err)
		return
	}
	_, err = a.Engine.Install(r.Context(), engine.InstallRequest{Source: s, Hold: true})
	a.legacyAnswer(w, r, err, s.Version)
}

// checkLegacy requires every field, and the URL of a web server.
func checkLegacy(o *object, s steps.Source) error {
	switch {
	case o.err != nil:
		return o.err
	case s.Version == "":
		return invalid("version must not be empty")
	case s.URL.Empty():
		return invalid("package_url must not be empty")
	case s.Name == "":
		return invalid("package_name must not be empty")
	case s.Size <= 0:
		return invalid("package_size must be greater than 0")
	case s.MD5 == "":
		return invalid("package_md5 must be 32 lower-case hex digits")
	}
	return checkWebSource(s)
}

// legacyUpdate installs the package that was downloaded.
func (a *api) legacyUpdate(w http.ResponseWriter, r *http.Request) {
	o, err := readObject(r)
	if err != nil {
		refuseBody(w, err)
		return
	}
	o.need("version")
	version := o.text("version")
	if err = o.err; err == nil {
		err = checkVersion(version)
	}
	if err != nil {
		refuseBody(w, err)
		return
	}
	_, err = a.Engine.Proceed(r.Context(), version)
	a.legacyAnswer(w, r, err, version)
}

func (a *api) legacyAnswer(w http.ResponseWriter, r *http.Request, err error, version string) {
	if err == nil {
		writeJSON(w, http.StatusOK, []byte(legacy.Accepted))
		return
	}
	a.Log.Warn("a legacy request was refused", "path", r.URL.Path, "version", version, "error", err)
	refusal := legacy.Refuse(err, version, a.legacyView())
	writeJSON(w, refusal.HTTP, refusal.Body)
}

// refuseBody answers a request whose body cannot be accepted.
func refuseBody(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, errMedia):
		status = http.StatusUnsupportedMediaType
	case errors.Is(err, errTooLarge):
		status = http.StatusRequestEntityTooLarge
	}
	text := strings.TrimPrefix(err.Error(), engine.ErrInvalid.Error()+": ")
	refusal := legacy.Invalid(status, text)
	writeJSON(w, refusal.HTTP, refusal.Body)
}
