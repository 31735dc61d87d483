package steps

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
)

// SandboxHint is what to do about a sandbox that does not know a path.
const SandboxHint = "the daemon's sandbox denies it, not the storage: \"tope-updater units\" writes the drop-in that allows it, then \"systemctl restart tope-updater\""

// FromOS makes a *Error of an error of the operating system. what names the operation
// and the path: "cannot write /opt/tope/versions/x". A full disk and a failing disk
// have codes of their own, and so has a daemon's sandbox that denies what the storage
// would allow. The class is Local, since the release is not to blame, but
// the end of a context is Interrupted. A *Error keeps its class and code, and nil
// stays nil.
func FromOS(err error, what string) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		told := &Error{Class: e.Class, Code: e.Code, Err: fmt.Errorf("%s: %w", what, e.Err), Hint: e.Hint, Details: e.Details}
		if e.Outline != "" {
			told.Outline = what + ": " + e.Outline
		}
		return told
	}
	out := &Error{Class: Local, Code: Internal, Err: fmt.Errorf("%s: %w", what, err)}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		out.Class = Interrupted
	case disk.OutOfSpace(err):
		out.Code, out.Hint = DiskFull, "free some space there and try again"
	case look.DeniedBySandbox(err):
		out.Code, out.Hint = SandboxDenied, SandboxHint
	case errors.Is(err, syscall.EROFS):
		out.Code, out.Hint = IOError, "it is mounted read-only, or the kernel has made it so after an error (dmesg, fsck); \"tope-updater doctor\" looks at the mounts and at the daemon's sandbox"
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EUCLEAN):
		out.Code, out.Hint = IOError, "the storage is failing; check it (dmesg, fsck)"
	}
	return out
}

// Stopped returns the *Error of a step that ctx has ended: Interrupted, with ctx's
// cause.
func Stopped(ctx context.Context, what string) error {
	return &Error{Class: Interrupted, Code: CancelledByUser, Err: fmt.Errorf("%s: %w", what, context.Cause(ctx))}
}
