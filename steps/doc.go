// Package steps is the contract between the engine and the ten things an update is
// made of: Download, Verify, Extract, Stage, Switch, Restart, HealthCheck, Commit,
// Rollback and Factory. Each is a package of its own below this one, and knows
// neither the journal, nor HTTP, nor any other step. Those before Switch share
// package bundle, those from Switch on package running.
//
// # How a step is used
//
// The engine journals its intent and calls Probe. Unless Probe finds the work Done
// already, the engine calls Do. It journals the answer together with the state that
// the answer leads to. The power may go, or the process be killed, between any two
// instructions of this sequence; at the next start the same step is entered again with
// the same Task. So every method must be safe to run again from wherever it was cut,
// any number of times:
//
//   - Probe looks at the world (files, pointers, units), never at the journal, and
//     changes nothing. What it finds done it makes durable before it says so: the
//     process that did it may have been killed before its sync, and the page cache
//     that Probe sees is not yet the disk.
//   - Do brings the world from any of those places to where the step should leave
//     it. Everything that Do reports as done is on disk, because Do has synced it.
//   - Undo removes what Do made. When an update ends without having switched, the
//     engine calls it for each step before Switch, in reverse order, also for steps
//     that never ran.
//
// # What a step returns
//
// Evidence is a plain struct, exported by the step's package, that goes into the
// journal as JSON: findings and results, with numbers. A failed step may return
// evidence too. An error is a *Error: its Class tells the engine how to react, its
// Code is for clients, and its text says what failed, on which path or URL, and what
// a person can do about it.
//
// A step stops waiting when ctx ends. The engine cancels ctx for a cancel request, for
// a deadline and at shutdown; context.Cause tells which of the three it was.
//
// # What one step tells another
//
// A step that later steps rely on embeds a fact (Downloaded, Verified, Switched) in
// its evidence. The later steps find the fact in Task.Facts. Package bundle has the
// names of the files in the work directory.
//
// # Where to start reading
//
// At Step, in step.go. Each file uses only those before it: update.go has the words
// for an update, errors.go and oserror.go the ways to fail, tell.go how a failure is told, progress.go how far a
// step is, facts.go what a step hands on, step.go the step and its task, and
// sequence.go makes one step of several.
//
// To add a step: name it here (update.go), write its package and run
// stepstest.Conform in its tests, give it its place in the engine's table, and make
// it where cmd/tope-updater makes the others.
package steps
