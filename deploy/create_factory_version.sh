#!/bin/sh
# Makes a version the factory version, the last one to fall back to: directories
# 0555, files without write bits but with their execute bits, every file read
# back, every program checked to be startable, and only then the pointer. It
# tells of services that work inside the version: they can write there no more.
#
# Usage: create_factory_version.sh [--replace] [VERSION]
#   VERSION    a complete version (default: the current one)
#   --replace  replaces the factory version there is; without it that is refused
#
# Nothing has to be unlocked to replace it later: install the new version, then
# run this with --replace. The old one stays until it is pruned.
#
# TOPE_UPDATER is the command it uses (default: tope-updater).
set -eu

updater=${TOPE_UPDATER:-tope-updater}
usage() {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit "$1"
}

replace='' version=''
for arg in "$@"; do
	case $arg in
	--replace) replace=--replace ;;
	-h | --help) usage 0 ;;
	-*) echo "create_factory_version.sh: there is no option $arg" >&2 && usage 2 >&2 ;;
	*) version=$arg ;;
	esac
done

# shellcheck disable=SC2086 # a command with its flags
$updater factory create $replace ${version:+"$version"}
# shellcheck disable=SC2086
$updater factory verify
