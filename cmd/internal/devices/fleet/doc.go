// Package fleet tries whether a device updates itself: whole devices ask a signed channel
// or a hawkBit server, in the daemon's sandbox, while releases are bad, people cancel and
// hold, servers are away and the power goes.
package fleet
