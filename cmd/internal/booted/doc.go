// Package booted tries the updater on booted machines with a real systemd, with
// the units that are shipped and with real services: releases that are good and
// ones that fail in every way, power cuts at every state, reboots, a daemon that
// is killed, a bus that restarts. It has tests only; bootedtest is its device.
package booted
