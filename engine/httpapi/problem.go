package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Problem is an error of v2 as problem details (RFC 9457). The client returns
// it as its error, in which errors.Is and errors.As find the engine's error. So
// a verb behaves the same, whether a daemon ran it or the command itself.
type Problem struct {
	// Type is TypePrefix and one of the kinds below.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Update and State name the update that keeps the device busy.
	Update string       `json:"update,omitempty"`
	State  engine.State `json:"state,omitempty"`
	// Code, Class and Hint are a step's failure.
	Code  steps.Code  `json:"code,omitempty"`
	Class steps.Class `json:"class,omitempty"`
	Hint  string      `json:"hint,omitempty"`
	// Problems are the files a version was refused for.
	Problems []versions.Problem `json:"problems,omitempty"`
}

// TypePrefix is the beginning of every problem's type.
const TypePrefix = "urn:problem-type:tope-updater:"

// kind is one type of problem: its name behind TypePrefix, its status, its
// title, and the error it stands for on both sides.
type kind struct {
	name   string
	status int
	title  string
	err    error
}

// The kinds that do not stand for an error of the engine.
var (
	noRoute       = kind{"no-route", http.StatusNotFound, "no such route", nil}
	wrongMethod   = kind{"wrong-method", http.StatusMethodNotAllowed, "wrong method", nil}
	foreignHost   = kind{"foreign-host", http.StatusForbidden, "foreign host", nil}
	foreignOrigin = kind{"foreign-origin", http.StatusForbidden, "foreign origin", nil}
	foreignPeer   = kind{"foreign-peer", http.StatusForbidden, "not yours to change", nil}
	unauthorized  = kind{"unauthorized", http.StatusUnauthorized, "a token is needed", nil}
	lacksScope    = kind{"scope", http.StatusForbidden, "the token does not allow it", nil}
	tooMany       = kind{"too-many", http.StatusTooManyRequests, "too many requests at once", nil}
	wrongMedia    = kind{"media-type", http.StatusUnsupportedMediaType, "wrong media type", errMedia}
	largeBody     = kind{"large-body", http.StatusRequestEntityTooLarge, "body too large", errTooLarge}
	refused       = kind{"refused", http.StatusUnprocessableEntity, "refused", nil}
	diskFull      = kind{"disk-full", http.StatusInsufficientStorage, "no space left", nil}
	stopping      = kind{"stopping", http.StatusServiceUnavailable, "the updater is stopping", context.Canceled}
	internal      = kind{"internal", http.StatusInternalServerError, "internal error", nil}
)

// kinds lists the kinds with an error of the engine. The first match counts.
func kinds() []kind {
	return []kind{
		{"busy", http.StatusConflict, "an update is in progress", engine.ErrBusy},
		{"quarantined", http.StatusConflict, "the release is in quarantine", engine.ErrQuarantined},
		{"epoch", http.StatusConflict, "the epoch is below this device's floor", engine.ErrEpoch},
		{"too-late", http.StatusConflict, "too late to cancel", engine.ErrTooLate},
		{"nothing-to-do", http.StatusConflict, "nothing to do", engine.ErrNothingToDo},
		{"expired", http.StatusGone, "verified too long ago", engine.ErrExpired},
		{"invalid", http.StatusBadRequest, "invalid request", engine.ErrInvalid},
		{"configuration", http.StatusUnprocessableEntity, "the configuration cannot be used", ErrConfiguration},
		{"journal", http.StatusServiceUnavailable, "the journal cannot be written", engine.ErrJournal},
		{"in-use", http.StatusConflict, "the version is in use", versions.ErrInUse},
		{"exists", http.StatusConflict, "another release of that version is installed", versions.ErrExists},
		{"factory-set", http.StatusConflict, "a factory version is set already", versions.ErrFactorySet},
		{"current-set", http.StatusConflict, "current leads to a version already", versions.ErrCurrentSet},
		{"foreign-file", http.StatusConflict, "not made by the updater", versions.ErrForeign},
		{"damaged", http.StatusConflict, "the version is damaged", versions.ErrDamaged},
		{"mismatch", http.StatusUnprocessableEntity, "the files do not match the manifest", versions.ErrMismatch},
		{"not-executable", http.StatusUnprocessableEntity, "programs that cannot be started", versions.ErrNotExecutable},
		{"special-bits", http.StatusUnprocessableEntity, "setuid, setgid or sticky bits", versions.ErrSpecialBits},
		{"stray-link", http.StatusUnprocessableEntity, "a link that does not belong to the version", versions.ErrStrayLink},
		{"no-manifest", http.StatusConflict, "the version was made by hand", versions.ErrNoManifest},
		{"mounted", http.StatusConflict, "something is mounted there", disk.ErrMounted},
		{"no-version", http.StatusNotFound, "no such version", versions.ErrNotFound},
		{"not-found", http.StatusNotFound, "not found", engine.ErrNotFound},
		{"source", http.StatusBadGateway, "the source of offers could not be asked", ErrSource},
		wrongMedia, largeBody, stopping,
	}
}

func newProblem(k kind, detail string) *Problem {
	return &Problem{Type: TypePrefix + k.name, Title: k.title, Status: k.status, Detail: detail}
}

// problemOf turns an error into problem details.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	p = newProblem(internal, err.Error())
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			p = newProblem(k, err.Error())
			break
		}
	}
	var busy *engine.BusyError
	if errors.As(err, &busy) {
		p.Update, p.State = busy.Update, busy.State
	}
	var step *steps.Error
	isStep, unknown := errors.As(err, &step), p.Type == TypePrefix+internal.name
	switch {
	case unknown && (disk.OutOfSpace(err) || isStep && step.Code == steps.DiskFull):
		p = newProblem(diskFull, err.Error())
	case unknown && isStep && step.Class == steps.Refused:
		p = newProblem(refused, err.Error())
	}
	if isStep {
		p.Code, p.Class, p.Hint = step.Code, step.Class, step.Hint
	}
	return p
}

func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the errors that the problem stands for: the engine's sentinel
// (a *engine.BusyError for busy), and a *steps.Error where a step failed.
func (p *Problem) Unwrap() []error {
	var errs []error
	for _, k := range kinds() {
		if p.Type != TypePrefix+k.name {
			continue
		}
		if errors.Is(k.err, engine.ErrBusy) {
			errs = append(errs, &engine.BusyError{Update: p.Update, State: p.State})
		} else {
			errs = append(errs, k.err)
		}
		if errors.Is(k.err, versions.ErrNotFound) { // a missing version counts as "not found"
			errs = append(errs, engine.ErrNotFound)
		}
	}
	if p.Class != "" {
		errs = append(errs, &steps.Error{Class: p.Class, Code: p.Code, Err: errors.New(p.Detail)})
	}
	return errs
}

func (p *Problem) write(w http.ResponseWriter) {
	due(w)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	// The client may be gone; the error has no other reader.
	_ = json.NewEncoder(w).Encode(p)
}
