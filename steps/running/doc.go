// Package running has what the steps from Switch on share: the services of a
// task, the units beside them, and the programs that a version runs.
package running
