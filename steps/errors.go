package steps

import "errors"

// Class tells the engine how to react to a failure.
type Class string

// The classes of failure.
const (
	// Refused: the bundle is not acceptable and never will be (exit code 10).
	Refused Class = "refused"
	// Unavailable: the source cannot give the bundle, and waiting does not help:
	// 404, a changed file, a redirect to another scheme.
	Unavailable Class = "unavailable"
	// Transient: worth another attempt; the step's attempt budget bounds how many.
	Transient Class = "transient"
	// Local: this device is at fault: disk full, I/O error, a missing directory.
	// The release is not to blame and is never quarantined for it.
	Local Class = "local"
	// Unhealthy: the version failed its gate or could not be started. The
	// release is quarantined.
	Unhealthy Class = "unhealthy"
	// Late: the version did not pass a check within the check's time, and nothing of
	// it had failed. Late says which checks. Whether that says anything of the release
	// depends on how long the version before needs: the limit may be too short.
	Late Class = "late"
	// Lacking: a part that was planned to come from this device is damaged or
	// missing, and has to be fetched (the update goes back to Downloading).
	Lacking Class = "lacking"
	// Interrupted: the system is stopping, or ctx ended, before there was a result.
	// The update stays in its state.
	Interrupted Class = "interrupted"
)

// Code is the stable name of a failure, as the APIs show it.
type Code string

// The codes. The legacy API writes them before a colon in its error field.
const (
	MD5Mismatch  Code = "MD5_MISMATCH"
	SizeMismatch Code = "PACKAGE_SIZE_MISMATCH"
	// SHA256Mismatch: the file has another SHA-256 than its source has declared.
	SHA256Mismatch Code = "SHA256_MISMATCH"
	// OfferMismatch: the bundle is another release than the one that was offered.
	OfferMismatch Code = "OFFER_MISMATCH"
	DiskFull      Code = "DISK_FULL"
	IOError       Code = "IO_ERROR"
	// SandboxDenied: the storage is well, and the daemon's unit does not let it write there.
	SandboxDenied    Code = "SANDBOX_DENIED"
	InvalidManifest  Code = "INVALID_MANIFEST"
	InvalidPackage   Code = "INVALID_PACKAGE"
	DownloadFailed   Code = "DOWNLOAD_FAILED"
	PackageExpired   Code = "PACKAGE_EXPIRED"
	DeploymentFailed Code = "DEPLOYMENT_FAILED"
	ServiceFailed    Code = "SERVICE_FAILED"
	HealthFailed     Code = "HEALTH_CHECK_FAILED"
	VersionConflict  Code = "VERSION_CONFLICT"
	BudgetSpent      Code = "BUDGET_SPENT"
	// InterruptedTooOften: the updater was stopped or killed again and again.
	InterruptedTooOften Code = "INTERRUPTED_TOO_OFTEN"
	// OutOfMemory: the kernel ended the updater again and again because memory was short.
	OutOfMemory     Code = "OUT_OF_MEMORY"
	CancelledByUser Code = "CANCELLED"
	TargetUnusable  Code = "TARGET_UNUSABLE"
	Quarantined     Code = "QUARANTINED"
	AlreadyCurrent  Code = "ALREADY_CURRENT"
	BadSignature    Code = "BAD_SIGNATURE"
	WrongDevice     Code = "WRONG_DEVICE"
	EpochTooLow     Code = "EPOCH_TOO_LOW"
	ReleaseExpired  Code = "RELEASE_EXPIRED"
	TakeoverFailed  Code = "TAKEOVER_FAILED"
	CopyDamaged     Code = "COPY_DAMAGED"
	// OfferExpired: an offer was ready to be installed, and was not for as long as it may wait.
	OfferExpired Code = "OFFER_EXPIRED"
	// FailedProbation: a version was committed, and turned out bad afterwards.
	FailedProbation Code = "PROBATION"
	// LeftByHand: somebody has gone back from what an offer had brought.
	LeftByHand Code = "LEFT_BY_HAND"
	Internal   Code = "INTERNAL_ERROR"
)

// Error is how a step fails.
type Error struct {
	Class Class
	Code  Code
	// Err says what failed, on which path or URL, in a short line (LongestLine).
	Err error
	// Hint says what a person can do about the failure; may be empty.
	Hint string
	// Late are the checks of an error of class Late, each with the time that it had.
	Late []Figure
	// Details is what the line leaves out, in lines of their own: every check that
	// failed, the end of a log. Details that Err has with it (Detailed) need not be
	// here. Tell puts all of that together.
	Details string
	// Outline is what failed for readers who could not ask the server or read the file
	// themselves: Err and Hint without the status, headers, size, digest and bytes of what
	// came. It is empty when they say nothing of that.
	Outline string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "; " + e.Hint
}

func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as a *Error. Any other error becomes a Local one with the code
// Internal.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Local, Code: Internal, Err: err}
}
