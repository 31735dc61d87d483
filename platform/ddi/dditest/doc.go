// Package dditest is a server of Direct Device Integration for tests, as strict as
// Eclipse hawkBit 1.1.0: each of its answers was tried there first, and its tests have
// those answers. What was not tried is refused, or said to be so where it is answered.
//
// Server is an http.Handler, and an http.RoundTripper for thousands of devices without
// sockets. Its operator assigns and cancels (operator.go); Switches make it behave as
// servers and networks do on bad days: a busy server, an answer that is lost after the
// server has acted, links that lead elsewhere (switches.go).
//
// Reading starts at server.go, which finds the answer for a request. base.go is what a
// device is offered, feedback.go what it may say, download.go the artifacts.
package dditest
