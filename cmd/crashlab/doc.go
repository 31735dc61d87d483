// Crashlab is the crash laboratory: test equipment that breaks a real device,
// which runs the real, unmodified updater, in every way it can, and checks the
// result. It is never shipped.
//
//	crashlab all     all of what follows, exhaustively or a sample
//	crashlab kill    the power is cut at each call that changes the disk, and half-way through each write
//	crashlab pairs   ... and once more during the recovery
//	crashlab errno   each call fails, with ENOSPC and with EIO, or the disk is full from it on
//	crashlab lose    whatever was not synced is lost, in all combinations
//	crashlab plant   bugs are planted in a copy of the source, and each must be found
//	crashlab judge   a kept device is judged again
//	crashlab trace   any program: its calls, cut or failed where you like
//
// It needs Linux on amd64 and root, for PID namespaces and seccomp. The parts,
// from the bottom: internal/trace (machines that lose power), internal/model
// (what a power cut may leave on a disk), internal/sweep (the modes),
// internal/device (the updater's device, its flows, and what must hold),
// internal/plant (bugs).
package main
