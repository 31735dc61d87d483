// Package pack is the publisher's side of the native bundle: it makes a bundle from
// a directory, signs it, and reads a whole bundle back to check every byte. The device
// program does not contain this package.
//
// The same directory, description, time stamp, bases and zstd program give the
// same bytes, whatever the machine's number of processors, write bits or file times.
//
// Start at Build.
package pack
