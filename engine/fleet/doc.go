// Package fleet lets a device update itself: it asks a Source what there is, decides when
// that may be fetched and installed, and tells what became of it.
//
// # What it promises
//
//   - What a source has to remember is durable before its answer is acted upon.
//   - What is told is durable before it is told, and is told in order until it was
//     delivered or is known never to be wanted. Success is told only of what is committed.
//   - An offer waits for as long as somebody who may decide says so: windows, veto, a hold,
//     its source. It is not failed for that before its patience is over, and nobody holds it
//     without end.
//   - A version that its offer has brought is watched for some time after its commit. When
//     it dies, or cuts the device off from its source, the device goes back once.
//   - A fleet asks evenly, also after all of it was started in one moment.
//
// # Where to start reading
//
// source.go is the contract of a source, and packages static and hawkbit are two of them.
// loop.go is the loop: what it does in a round, and when the next one is. ask.go asks,
// act.go begins what is offered, wait.go says when it may go on, tell.go empties the
// outbox, probation.go watches. pace.go and windows.go are the arithmetic of time.
// config.go is what a loop needs, status.go what it shows.
//
// A Loop belongs to the goroutine of Run; Check and Status may be called by anybody. The
// loop writes nothing itself: the engine journals what it is asked to, so that a loop that
// is begun anew finds all that counts in the journal's fold.
package fleet
