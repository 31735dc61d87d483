// Package claims holds what the guides say was tried on systems and file systems,
// and makes it the word of the tests that tried it.
//
// A table of claims is a file of docs/claims. A row is a system, its facts are
// what the test read there, and Passed names the checks that were played on it
// and passed. A test of whole devices writes a row when it was told to
// (make matrix UPDATE=1), and otherwise fails when the row says more than it saw:
//
//	claims.Systems().Shown(t, claims.Row{Name: "Debian 11", Facts: …, Passed: …})
//
// The tables in the guides, in both languages, are made from the files:
//
//	go test ./cmd/internal/claims -update
//
// Start at Kind. A check has its words here, and its test elsewhere.
package claims
