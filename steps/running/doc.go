// Package running has what the steps from Switch on share about the programs that
// run on a device: the services of a task, the units that stop and start with them,
// and the hooks and commands that a version brings. Switch stops with it, Restart
// starts, and HealthCheck and the preflight ask which services those are.
//
// It promises that a step which is cut and entered again finds what it needs:
// StopAll notes the units in the journal before it stops the first one. It moves no
// pointers and writes no file of a version, and it does not decide whether an update
// goes on: its errors are *steps.Error, and the engine decides by their class.
//
// # Where to start reading
//
// Each file uses only those before it:
//
//   - command.go runs one program, with a deadline and bounded output;
//   - brought.go says what an installed version brings, and what Switch owes it;
//   - hook.go runs a version's hooks;
//   - services.go lists the services of a task, and turns a manager's errors into
//     those of a step;
//   - companions.go is about the units that stop and start with the services;
//   - stop.go stops everything in the right order;
//   - units.go adds the unit files that versions carry to all of that.
package running
