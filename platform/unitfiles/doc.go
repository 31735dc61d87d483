// Package unitfiles makes /etc/systemd/system agree with the version current
// leads to: a version may carry units in its systemd directory, which the device
// has while that version is current, and only then.
//
// They are copied, not linked: systemd may read its units before the versions
// are mounted. Each copy begins with a line that says whose it is: the files
// themselves are the record, which cannot be lost. A file that an operator or a
// package had there under such a unit's name is kept beside it, and put back when
// no version needs the name any more. A masked unit stays masked, and drop-ins of
// others are never touched.
//
// A unit that is new is enabled as its [Install] section asks for; from then on
// the operator's systemctl enable and disable count. Services that run from the
// current version have a drop-in that has them start after recovery.
//
// Store.Follow does all of this. It may be cut at any instant and run again: every
// file is the old or the new one, whole, and the last call decides. The caller
// tells systemd to read its units again, and starts and stops them.
//
// Start at plan.go, which decides what to do; the other files do it.
package unitfiles
