package engine

import (
	"errors"
	"fmt"
)

// Errors callers branch on; match them with errors.Is.
var (
	// ErrBusy: another update is open. The error is a *BusyError.
	ErrBusy = errors.New("an update is in progress")
	// ErrNotFound: no such version, bundle or update.
	ErrNotFound = errors.New("not found")
	// ErrNothingToDo: the device is already where it was asked to go.
	ErrNothingToDo = errors.New("nothing to do")
	// ErrQuarantined: the release failed on this device before.
	ErrQuarantined = errors.New("the release is in quarantine")
	// ErrEpoch: the version's epoch is below what this device has committed.
	ErrEpoch = errors.New("the epoch is too low")
	// ErrTooLate: the update has begun to switch and can no longer be cancelled.
	ErrTooLate = errors.New("too late to cancel")
	// ErrExpired: the bundle was verified longer ago than the trust window.
	ErrExpired = errors.New("the package was verified too long ago")
	// ErrJournal: the journal could not be written; the outcome is unknown
	// until it has been opened again and recovery has run.
	ErrJournal = errors.New("the journal cannot be written")
	// ErrInvalid: the request makes no sense.
	ErrInvalid = errors.New("invalid request")
)

// BusyError says what the device is busy with.
type BusyError struct {
	Update string
	State  State
	// Offer is the source of the update, when it waits and gives way only to a request that
	// says so; empty otherwise.
	Offer string
}

func (e *BusyError) Error() string {
	if e.Offer != "" {
		return fmt.Sprintf("update %s of %s is in progress (%s); --supersede takes its place, and \"cancel\" ends it", e.Update, e.Offer, e.State)
	}
	return fmt.Sprintf("update %s is in progress (%s)", e.Update, e.State)
}

// Is makes errors.Is(err, ErrBusy) true.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }
