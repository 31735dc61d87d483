// Package systemdtest gives tests a machine with a real systemd: a small Debian
// tree, booted by systemd-nspawn. A boot takes half a second, a power cut (Kill)
// next to nothing, and what was on the machine's disk is there at the next boot.
//
//	m := systemdtest.New(t)
//	m.Write("/etc/systemd/system/a.service", unit, 0o644)
//	m.Boot()
//	m.MustRun("systemctl", "start", "a.service")
//	m.Kill()
//	m.Boot()
//
// # What it promises
//
// The tree is made once, by debootstrap, below the user's cache directory, and
// never changed afterwards: a machine has it as the lower layer of an overlay,
// with the upper one in memory. Machines have host names, networks, process
// names and cgroups of their own, so tests that use them may be parallel. A
// machine that asks for a reboot gets one. When a test has failed, the end of
// the machine's journal is in its log. Nothing outlives the test: mounts are in
// a mount namespace that ends with its holder, the holder ends with the thread
// that started it.
//
// # What it does not promise
//
// A cut of this kind loses no page of the kernel's cache: what was written is
// on disk, synced or not. The crash laboratory (cmd/crashlab) is for the rest.
// The kernel is the host's, and so is its clock. Resource limits (MemoryMax=)
// have no effect where the host's controllers are those of cgroup v1.
//
// It needs root, systemd-nspawn (package systemd-container) and debootstrap.
package systemdtest
