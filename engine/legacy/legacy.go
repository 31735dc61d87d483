// Package legacy tells the engine's state in the words of the first updater,
// for clients that were written against it: a stage, a progress from 0 to 100,
// a message and an error. The legacy HTTP API and the reports to device-api
// say the same thing because both ask Of.
//
// It is pure: no I/O, no clock, no goroutine. Stages, messages, codes and the
// order of keys are frozen; golden files in testdata hold them, and changing
// one breaks clients that nobody can update any more.
//
// # Where to start reading
//
//   - table.go: every state of the engine and what it looks like from outside
//   - legacy.go: how a Status becomes a View
//   - body.go: the bodies of answers, byte by byte, and the codes of refusals
package legacy

import (
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
)

// SuccessVisible is how long a committed update shows as success before the
// stage is idle again. Clients poll once a minute at worst.
const SuccessVisible = 65 * time.Second

// Stage is the legacy word for where an update stands.
type Stage string

// The stages. There are no others.
const (
	Idle        Stage = "idle"
	Downloading Stage = "downloading"
	Verifying   Stage = "verifying"
	ToInstall   Stage = "toInstall"
	Installing  Stage = "installing"
	Rebooting   Stage = "rebooting"
	Success     Stage = "success"
	Failed      Stage = "failed"
)

// View is what a legacy client sees: the data of GET /api/v1.0/progress and the
// body of a report to device-api.
type View struct {
	Stage Stage `json:"stage"`
	// Progress is 0 to 100. For one update it never goes back within a stage.
	Progress int    `json:"progress"`
	Message  string `json:"message"`
	// Error is "CODE: text" when the stage is failed, else nil.
	Error *string `json:"error"`
}

// Of returns the view of a status: of the open update when there is one, else
// of the last. A success is shown for SuccessVisible, a failure until the next
// request is accepted.
func Of(s engine.Status) View {
	u := s.Update
	if u == nil {
		u = s.Last
	}
	if s.Replacing {
		// The update made room for a request that is about to be accepted: nothing
		// has failed, and nothing is known of the next bundle yet.
		u = &engine.UpdateStatus{Kind: engine.Install, State: engine.Requested}
	}
	if u == nil || u.State == engine.Committed && !fresh(u) {
		return View{Stage: Idle, Message: RowOf(engine.Idle, "").Message}
	}
	u = u.Outlined() // anybody may ask
	row := RowOf(u.State, steps.Kind(u.Kind))
	v := View{Stage: row.Stage, Progress: row.progressOf(u), Message: row.message(u)}
	if row.Stage == Failed {
		e := row.failure(u)
		v.Error = &e
	}
	return v
}

// Absent returns the view while there is no engine to ask, from the status that was told
// last. known is false when nobody remembers one. A client ends with the first view that
// looks like an end, so an update that may be under way must not look over: a device of
// which nothing is known is rebooting.
func Absent(last engine.Status, known bool) View {
	const starting = "The updater is starting..."
	if !known {
		return View{Stage: Rebooting, Message: starting}
	}
	v := Of(last)
	if v.Stage == Idle {
		v.Message = starting // it is not ready
	}
	return v
}

// fresh reports whether a committed update is still to be shown. An end in the
// future comes from a wall clock that was set back across a reboot. Its age is
// unknown, so the success is not shown: it could stay for a year.
func fresh(u *engine.UpdateStatus) bool {
	return u.SinceEnd >= 0 && u.SinceEnd < SuccessVisible
}

// progressOf is the progress to show. A stage never shows less than the update has
// reached in it before, and an update that failed stays where it was.
func (r Row) progressOf(u *engine.UpdateStatus) int {
	if r.Stage == Failed {
		at := engine.StateOf(steps.Name(u.Step))
		if at == "" {
			return 0
		}
		r = RowOf(at, steps.Kind(u.Kind))
	}
	p := r.progress(u.Progress)
	for s, reached := range u.Reached {
		if before := RowOf(s, steps.Kind(u.Kind)); before.Stage == r.Stage {
			p = max(p, before.progress(reached))
		}
	}
	return p
}

// progress maps the state's own 0 to 100 into its part of the stage.
func (r Row) progress(p int) int {
	return r.From + (r.To-r.From)*min(max(p, 0), 100)/100
}

// message is the row's message. While the update stands still, it goes on to say why,
// and when the next try is.
func (r Row) message(u *engine.UpdateStatus) string {
	text := r.filled(u)
	if u.Pause == nil || r.Stage == Failed {
		return text
	}
	text += " " + u.Pause.Why
	if u.Pause.Next <= 0 {
		return text + "; trying again"
	}
	return text + "; next try in " + strconv.Itoa(int((u.Pause.Next+time.Second-1)/time.Second)) + " s"
}

// filled fills the update's versions into the row's message.
func (r Row) filled(u *engine.UpdateStatus) string {
	if before, after, found := strings.Cut(r.Message, "{version}"); found {
		return before + u.To + after
	}
	if before, after, found := strings.Cut(r.Message, "{to}"); found {
		if u.To == "" { // not known before the bundle is read
			return before + "package" + after
		}
		return before + "version " + u.To + after
	}
	if before, after, found := strings.Cut(r.Message, "{from}"); found {
		if u.From == "" {
			return r.Nowhere
		}
		return before + "version " + u.From + after
	}
	return r.Message
}

// failure is the error field of a failed stage. An update that turned back
// says which level of rollback it reached, then why it turned back.
func (r Row) failure(u *engine.UpdateStatus) string {
	e := u.Error
	if r.Code != "" && u.Cause != nil {
		e = u.Cause
	}
	if e == nil && r.Code == "" {
		e = &engine.ErrorStatus{Code: string(steps.DeploymentFailed)}
	}
	if e == nil {
		e = &engine.ErrorStatus{}
	}
	text := e.Text
	if text == "" {
		text = r.Why
	}
	parts := make([]string, 0, 3)
	for _, p := range []string{r.Code, e.Code, text} {
		// A cancelled update carries CANCELLED twice: once is enough.
		if p != "" && (len(parts) == 0 || parts[len(parts)-1] != p) {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ": ")
}
