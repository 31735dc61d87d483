// Package running has the code about the programs on a device that the steps from
// Switch on share: the services of a task, the units that stop and start with them,
// and the hooks and commands that a version brings. Switch uses the package to stop
// services and Restart to start them; HealthCheck and the preflight use it to list
// the services.
//
// The package promises that a step which is cut and entered again finds the units
// that ran: StopAll notes them in the journal before it stops the first one. The
// package moves no pointers and writes no file of a version. It does not decide
// whether an update goes on: its errors are *steps.Error, and the engine decides by
// their class.
//
// # Where to start reading
//
// Each file uses only those before it:
//
//   - brought.go reads an installed version's hooks and snapshot paths, and reports
//     whether Switch has to act on them;
//   - hook.go runs a version's hooks;
//   - services.go lists the services of a task, and turns a manager's errors into
//     those of a step;
//   - account.go tells why a service is not well, with the end of its log;
//   - companions.go is about the units that stop and start with the services;
//   - stop.go stops everything in the right order;
//   - units.go adds the unit files that versions carry to all of that.
package running
