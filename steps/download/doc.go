// Package download is the first step of an update: it brings the bundle from
// where it is published (http, https, a local file) into the update's own
// directory, and gives up only when going on has no point.
//
// # What it promises
//
//   - Success means that WorkDir/bundle is there, whole, of the declared size and
//     MD5 (where declared), and durable. Until then the bytes are in
//     WorkDir/bundle.part: a file called bundle is always complete.
//   - What was fetched and hashed before a checkpoint is neither fetched nor
//     hashed again, whatever happened in between: a kill, a power cut, a server
//     that went away for a week. A checkpoint is made at most every 2 s and
//     4 MiB; its bytes are synced before it is saved, so it never claims what
//     the disk does not have.
//   - Never more bytes on disk than the source declared, or, where nothing was
//     declared, than Config.MaxSize.
//   - The step waits for the end of an outage as long as it takes, with exponential
//     back-off and jitter. A failure that waiting will not cure (404, a redirect to
//     another scheme, a wrong size) is reported at once.
//   - Memory: one buffer, whatever the size of the bundle.
//
// A bundle of which only parts are needed (Config.Partial) is brought as a file
// with holes: its head first, which Partial.Plan judges and plans by, then the
// pieces that the plan names, each compared with its SHA-256. A piece whose
// bytes are on disk does not come again, whoever brought it.
//
// It never looks inside the bundle (that is Verify), and trusts no server:
// every answer is judged, in one pure function, before a byte of it is used.
//
// # Where to start reading
//
// Step (step.go) is the contract with the engine; run.go the loop of attempts,
// transfer.go one attempt, endure.go the wait before the next, finish.go the
// end. partial.go is the same for parts, partialnote.go its checkpoints,
// partialend.go its end and ranges.go its requests. answer.go explains each
// possible answer of a server, failure.go each way to fail. source.go, http.go and
// local.go are the places that bundles come from; sink.go and checkpoint.go write
// to the disk, pace.go notices servers that go quiet, and history.go collects what
// the journal will tell afterwards.
package download
