// Package engine moves a device from one version to another and, whatever
// cuts it short, decides what to do next.
//
// It is built around two tables. Table is the only place that knows how an update
// moves: a state, a trigger, the next state. The diagram in the docs, the machine
// that runs, the tests that enumerate it and the names in the journal come from
// it. Beside it, each state has one row with all else that the engine knows of it.
//
// # Where to start reading
//
// A file uses those below it in this list, not those above. Read it from the top
// to see how an update runs, from the bottom to see what it is made of.
//
// What users see:
//
//   - offers.go: the requests of whoever carries out the offers of a source
//   - requests.go: the requests that the engine takes
//   - quarantine.go: reading and clearing the quarantine
//   - everywhere.go: the end of an update that an older program kept no outbox for
//   - trust.go: the signed release that was committed, and letting go of it
//   - engine.go: Engine, and how a program recovers and runs it
//
// Recovery, before the loop runs:
//
//   - recover.go: the rounds of looking, deciding and acting
//   - apply.go: how a decision is carried out
//   - putback.go: services' data from before the update, put back at boot
//   - observe.go: looking at the world
//   - decide.go: recovery's decision, a pure function of what the journal and
//     the world tell
//
// The loop, in the goroutine of Run:
//
//   - run.go: how the loop waits, and how it goes on with an update
//   - outcome.go: the loop's answer to a worker's result
//   - closing.go: the end of an update
//   - leaving.go: the end of the updater, in order, while an update is open
//   - takeover.go: handing an update to another updater, and back
//   - timer.go: the work that comes due as time passes
//   - loop.go: the state that belongs to the loop
//
// The worker, in the other goroutine:
//
//   - work.go: how a state's step is run
//   - cleanup.go: the clean-up of an update that is over
//   - task.go: the task that a step is given
//   - worker.go: the worker, its jobs and its results
//   - programs.go: the updater that has to go on
//
// What they write and show:
//
//   - records.go: records and transactions: the journal as the engine writes it
//   - owed.go: what is owed to others, in the record that it tells of
//   - machine.go: the table, ready to fire
//   - narrate.go, event.go: the log
//   - board.go: the answers to polls
//
// What they go by:
//
//   - epoch.go, admission.go: which release may come, and which is put into quarantine
//   - source.go: the bundles that a request may name, and what the journal has of them
//   - goal.go: where the pointers should go
//   - figures.go: how long starts and checks took, and what that says of a release
//   - graph.go: the table as a diagram
//   - config.go: the parts of an Engine
//   - errors.go: the errors of requests
//   - memory.go, status.go: what was told last, and what there is to tell
//   - table.go: the states, their rows, and the transitions between them
//   - rules.go: the names of the rules of recovery
//   - ports.go: the interfaces that the engine needs of the world
//   - asker.go: who asks
//
// # Which goroutine
//
// The type of a method says it. A loop, and the book that it writes, belong to the
// goroutine that calls Recover and then Run. A worker and its jobs are never
// written to, and the worker cannot reach the loop. Engine's other methods only
// read the board or send the loop a call.
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
