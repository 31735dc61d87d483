// Package fleettest has one conformance suite for every fleet.Source, and a network that
// goes wrong in the ways in which networks and servers do.
//
// A package that implements a Source gives Conform a function that starts a Server: a
// handler in the same process that offers releases to one device. The suite drives it
// through Network, without sockets and without waiting.
//
// Reading starts at Server, and then at Conform. Only tests may import this package.
package fleettest
