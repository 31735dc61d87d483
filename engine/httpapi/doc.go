// Package httpapi is the thin layer between HTTP and the engine. It checks and
// decodes requests, submits them to the engine or asks the journal, and writes
// the answer; it decides nothing about updates itself.
//
// Two APIs share one handler: the legacy one under /api/v1.0, whose bodies are
// frozen (package legacy writes them), and /api/v2, which openapi.json
// describes and tests hold to it. A POST under v2 that changes something is
// answered with 202 and a Location; errors are problem details (RFC 9457).
//
// # Where to start reading
//
//   - routes.go: every route, and the parts of the handler
//   - guard.go: requests that are refused before a route sees them: foreign hosts
//     and origins, other media types, large bodies
//   - problem.go: the engine's errors as problem details, and back again
//   - server.go: addresses, the unix socket, time limits
//
// # What it promises
//
// Progress and status read memory only: a poll costs no disk access, whatever
// the journal or the update are doing. Every handler ends when its client goes
// away or the server stops. The handler is safe for concurrent use, and may be
// called without a server (client.InProcess), so that the CLI takes the same
// path with a daemon and without.
package httpapi
