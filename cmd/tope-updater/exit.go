package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/token"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/trust"
)

// The exit codes, as scripts rely on them.
const (
	exitDone      = 0
	exitError     = 1
	exitUsage     = 2 // or nothing to do
	exitNotFound  = 3
	exitRefused   = 10 // by verification or quarantine
	exitBusy      = 11 // or too late to cancel
	exitBack      = 12 // rolled back, or fell back to the factory version
	exitAttention = 13
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// endError is an update that did not end as requested.
type endError struct{ update engine.UpdateStatus }

func (e endError) Error() string {
	u := e.update
	s := fmt.Sprintf("update %s ended as %s", u.ID, u.State)
	if u.State == engine.Cancelled {
		return s
	}
	if why := reason(u); why != nil {
		s += ": " + why.Code + ": " + why.Text
		if why.Details != "" {
			s += fmt.Sprintf("; \"tope-updater journal show %s\" tells more", u.ID)
		}
	}
	return s
}

// reason is the failure that decided the update: the cause that made
// it turn back, if there is one.
func reason(u engine.UpdateStatus) *engine.ErrorStatus {
	if u.Cause != nil {
		return u.Cause
	}
	return u.Error
}

// ended returns nil for an update that did what was asked, else how it ended.
func ended(u engine.UpdateStatus) error {
	if engine.Success(u.State) {
		return nil
	}
	return endError{u}
}

// exitCode is the one switch from errors to exit codes.
func exitCode(err error) int {
	var end endError
	var use usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &end):
		return end.exitCode()
	case errors.Is(err, config.ErrMistake):
		return exitError
	case errors.As(err, &use), errors.Is(err, engine.ErrNothingToDo), errors.Is(err, engine.ErrInvalid), errors.Is(err, token.ErrInvalid):
		return exitUsage
	case errors.Is(err, engine.ErrQuarantined), errors.Is(err, engine.ErrEpoch), errors.Is(err, engine.ErrExpired),
		errors.Is(err, errRefused), errors.Is(err, trust.ErrRefused):
		return exitRefused
	case errors.Is(err, engine.ErrBusy), errors.Is(err, engine.ErrTooLate), errors.Is(err, versions.ErrInUse), errors.Is(err, errLocked):
		return exitBusy
	case errors.Is(err, engine.ErrNotFound), errors.Is(err, versions.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, token.ErrUnknown):
		return exitNotFound
	case errors.Is(err, errAttention):
		return exitAttention
	}
	return exitError
}

var (
	// errRefused: a verification on demand found something wrong.
	errRefused = errors.New("verification failed")
	// errLocked: another process has the journal.
	errLocked = errors.New("another tope-updater works on this device")
	// errAttention: the device needs somebody to look at it.
	errAttention = errors.New("the device needs attention")
)

func (e endError) exitCode() int {
	switch e.update.State {
	case engine.RolledBack, engine.FellBack:
		return exitBack
	case engine.NeedsAttention:
		return exitAttention
	}
	why := reason(e.update)
	if why != nil && why.Code == string(steps.AlreadyCurrent) {
		return exitUsage
	}
	if why != nil && (why.Class == string(steps.Refused) || why.Code == string(steps.Quarantined)) {
		return exitRefused
	}
	return exitError
}
