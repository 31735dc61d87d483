// Package packaged tries what an operator installs: the Debian packages,
// install.sh and the scripts beside it, on a booted Debian with a real systemd and
// in trees that are only being built. It has tests only.
package packaged
