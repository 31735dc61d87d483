// Package engine moves a device from one version to another and, whatever
// cuts it short, decides what to do next.
//
// It is built around one table (Table): a state, a trigger, the next state.
// Nothing else knows the transitions; the diagram in the docs, the machine that
// runs, the tests that enumerate it and the names in the journal come from it.
//
// # Where to start reading
//
//   - table.go: the states and what moves them
//   - decide.go: recovery, as a pure function of the journal's fold and what
//     was observed
//   - recover.go: the plumbing around it, at boot and at every daemon start
//   - engine.go and work.go: the loop, and the one worker beside it
//   - submit.go: what users may ask for
//
// # What it promises
//
// The journal's record is written before an effect and again after it; an
// outcome, the state it leads to and the next intent are one transaction.
// Success is told only once the record that enters Committed is durable. After
// an error from the journal the engine stops acting: Run returns ErrJournal,
// and the caller opens the journal again and recovers.
//
// # What it never does
//
// It touches no file, process or socket itself: everything goes through the
// interfaces in ports.go, each with one fake in enginetest. It imports the
// contract in package steps, never a step.
package engine
