// Package steps is the contract between the engine and the ten things an
// update is made of: Download, Verify, Extract, Stage, Switch, Restart,
// HealthCheck, Commit, Rollback and Factory. Each lives in a package of its
// own below this one and knows neither the journal, nor HTTP, nor any other step.
//
// # How a step is used
//
// The engine journals its intent, calls Probe, and, unless Probe finds the work
// Done already, calls Do. The answer is journaled together with the state it
// leads to. Power may go, or the process be killed, between any two
// instructions of that; at the next start the same step is entered again with
// the same Task. So every method must be safe to run again from wherever it was
// cut, any number of times:
//
//   - Probe looks at the world (files, pointers, units), never at the journal,
//     and changes nothing.
//   - Do brings the world from wherever it is to where the step should leave
//     it. Whatever it returns success for is on disk: it has synced it.
//   - Undo removes what Do made. It is called for the steps before Switch when
//     an update ends without having switched, in reverse order, also for steps
//     that never ran.
//
// # What a step returns
//
// Evidence is a plain struct, exported by the step's package, that goes into
// the journal as JSON: what was seen and done, with numbers. A failed step may
// return evidence too. An error is a *Error: its Class tells the engine what to
// do, its Code is what clients see, its text says what failed, on which path or
// URL, and what to do.
//
// A step that waits does so on ctx; the engine cancels it for a cancel request,
// for a deadline and at shutdown, and context.Cause tells which.
package steps
