#!/bin/sh
# Sets a device up, or repairs it: the pointers current and previous, the links
# in /opt/tope/services and /usr/local/bin, and the drop-ins that have the
# services start after recovery. Run twice, it changes nothing more.
#
# Usage: setup_symlinks.sh [--adopt] [VERSION]
#   VERSION  becomes current if current leads nowhere yet (default: what
#            previous or factory leads to, else the only version there is)
#   --adopt  moves files that have a link's name aside, to NAME.before-tope;
#            without it they are left alone, and told
#
# TOPE_UPDATER is the command it uses (default: tope-updater).
set -eu

updater=${TOPE_UPDATER:-tope-updater}
usage() {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit "$1"
}

adopt='' version=''
for arg in "$@"; do
	case $arg in
	--adopt) adopt=--adopt ;;
	-h | --help) usage 0 ;;
	-*) echo "setup_symlinks.sh: there is no option $arg" >&2 && usage 2 >&2 ;;
	*) version=$arg ;;
	esac
done

# The updater does it all, durably and under its lock; pointers are never made
# with ln -sf, which puts a link inside the version when there is one already.
# shellcheck disable=SC2086 # a command with its flags
$updater links --pointers ${version:+--current "$version"} $adopt
# shellcheck disable=SC2086
$updater units
