// Package devices is the roof over the tests that play whole devices: each package
// below it asks one question of the updater from the outside, with the programs as
// they are shipped. There is nothing here but this list.
//
//	powercut    does a power cut at any instant leave one whole version, and a device
//	            that takes the next update?
//	outcomes    does an update that nothing disturbs end as the table says?
//	preflight   is what can be known before a switch asked before it?
//	origin      do the services run from the version that is committed?
//	unitfiles   do the unit files that a release brings come and go with it?
//	selfupdate  can a release bring a new updater, also a broken one?
//	daemon      does the daemon do its work in its sandbox, its limits, its socket?
//	fleet       does a device update itself, by a signed channel and by hawkBit?
//	systemlog   does systemd's journal tell of an update, and can an update do without it?
//	systems     does it all hold on other systems: another systemd, another libc?
//	packages    do the packages and scripts install, upgrade and remove the updater?
//	provisioning  do the Ansible role and the image builders' recipes set devices up?
//	guides      do the guides do what they say?
//	doctor      does the doctor tell what ails a device, and does its advice heal it?
//	filesystems does all of it work on each file system that the guide names?
//	hostile     is a bundle that was made to harm a device refused, for that reason?
//
// All but filesystems and hostile boot machines: package devicetest makes their device. Two questions
// are asked elsewhere, with tools of the crash laboratory that stop a program before
// a system call: cmd/crashlab/internal/trials asks what full disks and damaged
// journals do to a device, cmd/crashlab what a disk does that loses what was not
// synced. Their devices have no systemd, which could not be stopped like that.
package devices
