// Package house checks that the source keeps to its own rules (docs/architecture.md,
// CONTRIBUTING.md), as far as "go list" and a look at the files can tell: who may
// import whom, what the device program contains, how a package presents itself, and
// which words comments, messages and guides do not use (words_test.go).
//
// There is nothing here but tests.
package house
