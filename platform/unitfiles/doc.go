// Package unitfiles makes /etc/systemd/system agree with the version current
// leads to: a version may carry units in its systemd directory, and they are
// the device's while it is current, and only then.
//
// They are copied, not linked: systemd may read its units before the versions
// are mounted. Each copy begins with a line that says whose it is, so that what
// is there tells everything and no record can be lost. What an operator or a
// package had there under the name of such a unit is kept beside it, and put
// back when no version needs the name any more. A masked unit stays masked, and
// drop-ins of others are never touched.
//
// A unit that is new is enabled as its [Install] section asks for; from then on
// the operator's systemctl enable and disable count. Services that run from the
// current version have a drop-in that has them start after recovery.
//
// Store.Follow is all of it. It may be cut at any instant and run again: every
// file is found old or new, whole, and the last call decides. Nothing here tells
// systemd to read its units again, nor starts or stops any: that is the caller's.
//
// Start at plan.go, which says what is to be done; the other files do it.
package unitfiles
