// Package download is the first step of an update: it brings the bundle from its
// source (http, https, a local file) into the update's own directory. It gives up only
// when another try cannot help.
//
// # What it promises
//
//   - Success means that WorkDir/bundle is there, whole, of the declared size and
//     MD5 (where declared), and durable. Until then the bytes are in
//     WorkDir/bundle.part: a file called bundle is always complete.
//   - Bytes that were fetched and hashed before a checkpoint are neither fetched nor
//     hashed again, whatever happens: a kill, a power cut, a server that goes away
//     for a week. A checkpoint is made at most every 2 s and 4 MiB. The bytes are
//     synced before the checkpoint is saved, so it never covers bytes that the disk
//     does not have.
//   - The bundle never takes more bytes on disk than the source declared, or, where
//     no size was declared, than Config.MaxSize.
//   - The step waits for the end of an outage as long as it takes, with exponential
//     back-off and jitter, and says what it waits for.
//   - An answer that is not of the file that was begun (a login page, a refusal, another
//     file) costs nothing that was fetched. The step waits until such an answer is
//     believed: failure.go has the rules. A download that has nothing yet reports a
//     failure that waiting will not cure (404, another size) at once.
//   - The part of a bundle belongs to its release. It outlives the update (Config.Shelf),
//     and the next download of the same release goes on from it, whatever its URL.
//   - The step needs memory for one buffer, whatever the size of the bundle.
//
// A bundle of which only parts are needed (Config.Partial) becomes a file with holes.
// Its head is fetched first, and Partial.Plan judges the head and makes the plan from
// it. Then come the pieces that the plan names, each compared with its SHA-256. A piece
// whose bytes are on disk already is not fetched again.
//
// The step never looks inside the bundle; that is Verify's task. It trusts no server:
// one pure function judges every answer before a byte of it is used.
//
// # Where to start reading
//
// Step (step.go) is the contract with the engine. run.go is one run of it, endure.go its
// loop of attempts, with the wait before each. whole.go is the attempt to fetch a whole
// bundle, transfer.go how its bytes come and finish.go its end. partial.go is the attempt
// to fetch parts, head.go their head, partialnote.go their checkpoints, partialend.go
// their end and ranges.go their requests. answer.go explains each possible answer of a
// server, failure.go each way to fail, why.go what people are told meanwhile. source.go,
// http.go and local.go are the places that bundles come from; sink.go and checkpoint.go
// write to the disk, shelf.go keeps what was not finished, pace.go notices servers that
// go quiet, and history.go collects what the journal will tell afterwards.
package download
