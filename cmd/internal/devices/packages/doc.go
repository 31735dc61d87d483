// Package packages tries whether the things that an operator installs work: the
// Debian packages, install.sh and the scripts beside it, on a booted device and in
// trees that are only being built; through upgrades, removals and cuts between them.
package packages
