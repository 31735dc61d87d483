package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
)

// AppendProgress appends the body of GET /api/v1.0/progress to b. It is called
// a thousand times a second: without a failure it allocates nothing.
func AppendProgress(b []byte, v View) []byte {
	failed := v.Stage == Failed
	if failed {
		b = append(b, `{"code":500,"msg":`...)
		b = appendString(b, "Update failed: "+*v.Error)
	} else {
		b = append(b, `{"code":200,"msg":"success"`...)
	}
	b = append(b, `,"data":{"stage":"`...)
	b = append(b, v.Stage...)
	b = append(b, `","progress":`...)
	b = strconv.AppendInt(b, int64(v.Progress), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, v.Message)
	b = append(b, `,"error":`...)
	if v.Error == nil {
		b = append(b, `null}`...)
	} else {
		b = appendString(b, *v.Error)
		b = append(b, '}')
	}
	if !failed {
		return append(b, `,"stage":null,"progress":null}`...)
	}
	return append(appendStanding(b, v), '}')
}

// appendStanding appends stage and progress at the root of a body.
func appendStanding(b []byte, v View) []byte {
	b = append(b, `,"stage":"`...)
	b = append(b, v.Stage...)
	b = append(b, `","progress":`...)
	return strconv.AppendInt(b, int64(v.Progress), 10)
}

// Accepted is the body of a POST that was accepted.
const Accepted = `{"code":200,"msg":"success","data":null}`

// Refusal is the answer to a POST that was refused.
type Refusal struct {
	// HTTP is the status line's: 200, unless the request itself was malformed.
	HTTP int
	Body []byte
}

// Invalid refuses a request that makes no sense: HTTP 400. Other HTTP statuses
// (415, 413) go into the code as well.
func Invalid(status int, text string) Refusal {
	return Refusal{HTTP: status, Body: refusal(status, "VALIDATION_ERROR: "+text, nil)}
}

// Forbid refuses a request whose sender may not make it. The first updater let everybody
// install, so its clients know no such answer; they show msg.
func Forbid(status int, text string) Refusal {
	return Refusal{HTTP: status, Body: refusal(status, "FORBIDDEN: "+text, nil)}
}

// Refuse says why the engine did not take a request for a version. v is what
// is shown at the moment. The codes:
//
//	409 another update is open: stage and progress say which
//	409 QUARANTINED: the release failed on this device before; it is not tried again through this API
//	409 the version is installed already
//	404 no such package
//	410 the package was verified too long ago
//	400 the engine finds the request senseless (HTTP 400, too)
//	500 DISK_FULL: there is no room for what has to be kept of the request
//	500 anything else
func Refuse(err error, version string, v View) Refusal {
	r := Refusal{HTTP: http.StatusOK}
	switch {
	case errors.Is(err, engine.ErrBusy):
		v = standing(err, v)
		r.Body = refusal(409, "Operation already in progress: "+string(v.Stage), &v)
	case errors.Is(err, engine.ErrQuarantined):
		r.Body = refusal(409, "QUARANTINED: version "+version+" failed on this device before and is not tried again", &v)
	case errors.Is(err, engine.ErrNothingToDo):
		r.Body = refusal(409, "Version already installed: "+version, &v)
	case errors.Is(err, engine.ErrNotFound):
		r.Body = refusal(404, "Package not found: "+version, nil)
	case errors.Is(err, engine.ErrExpired):
		r.Body = refusal(410, "Package expired (>24h after verification)", &v)
	case errors.Is(err, engine.ErrInvalid):
		return Invalid(http.StatusBadRequest, err.Error())
	default:
		r.Body = refusal(500, string(steps.AsError(err).Code)+": "+err.Error(), nil)
	}
	return r
}

// standing is the view of the update that the device was busy with when the
// engine refused. A moment later the device may be past that, and "busy: idle"
// would be no answer.
func standing(err error, v View) View {
	var busy *engine.BusyError
	if errors.As(err, &busy) {
		if row := RowOf(busy.State, ""); row.Stage != v.Stage {
			v.Stage, v.Progress = row.Stage, row.From
		}
	}
	return v
}

// refusal is a body without data; v adds where the updater stands.
func refusal(code int, msg string, v *View) []byte {
	b := append([]byte(`{"code":`), strconv.Itoa(code)...)
	b = appendString(append(b, `,"msg":`...), msg)
	if v != nil {
		b = appendStanding(b, *v)
	}
	return append(b, '}')
}

// appendString appends s as a JSON string. Like the first updater it writes
// <, > and & as they are.
func appendString(b []byte, s string) []byte {
	if plain(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Encoding a string into memory cannot fail; the encoder ends it with a newline.
	_ = enc.Encode(s)
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// plain reports whether s needs no escaping in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
