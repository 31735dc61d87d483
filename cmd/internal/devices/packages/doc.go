// Package packages tries whether what an operator installs works: the Debian
// packages, install.sh and the scripts beside it, on a booted device and in trees
// that are only being built; through upgrades, removals and cuts between them.
package packages
