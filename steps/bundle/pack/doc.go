// Package pack is the publisher's side of the native bundle: it makes a bundle
// of a directory, signs it, reads a whole bundle back and checks every byte of
// it. The device program does not contain it.
//
// The same directory, description, time stamp, bases and zstd program give the
// same bytes, whatever the machine's number of processors, umask or file times.
//
// Start at Build.
package pack
