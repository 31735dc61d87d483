// Package house checks that the source keeps to its own rules (docs/architecture.md,
// CONTRIBUTING.md), as far as "go list" and a look at the files can tell: who
// may import whom, what the device program is made of, and how a package
// presents itself.
//
// There is nothing here but tests.
package house
