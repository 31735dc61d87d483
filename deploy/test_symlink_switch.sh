#!/bin/sh
# Switches the device to another version and back, measures it, and proves that
# whoever reads the pointer meanwhile always finds a version behind it. It is a
# real switch: services are stopped and started, and the health gate decides.
# Afterwards "previous" leads to the other version.
#
# Usage: test_symlink_switch.sh [VERSION]
#   VERSION  the other version (default: previous's, else factory's)
#
# TOPE_UPDATER is the command it uses (default: tope-updater), TOPE_VERSIONS the
# directory of versions (default: /opt/tope/versions).
set -eu

updater=${TOPE_UPDATER:-tope-updater}
versions=${TOPE_VERSIONS:-/opt/tope/versions}
die() {
	echo "test_symlink_switch.sh: $*" >&2
	exit 1
}
case ${1:-} in
-h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" && exit ;;
-*) die "there is no option $1" ;;
esac

# leads POINTER: the version it leads to, without the v.
leads() { basename "$(readlink "$versions/$1" || true)" | sed 's/^v//'; }
now() { awk '{ print int($1 * 1000) }' /proc/uptime; } # milliseconds, whatever the clock does

from=$(leads current)
[ -d "$versions/current/." ] || die "current leads to no version; run setup_symlinks.sh"
to=${1:-}
to=${to#v}
for pointer in previous factory; do
	[ -n "$to" ] || [ "$(leads $pointer)" = "$from" ] || to=$(leads $pointer)
done
[ -n "$to" ] || die "there is no other version to switch to; install one, or name one"
[ "$to" != "$from" ] || die "$to is current already; name another version"

work=$(mktemp -d)
reader=
clean() {
	touch "$work/stop"
	[ -z "$reader" ] || wait "$reader" || true
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

# The reader asks as fast as it can, by what the shell has built in.
(
	reads=0 missing=0 gone=0
	while [ ! -e "$work/stop" ]; do
		reads=$((reads + 1))
		[ -L "$versions/current" ] || missing=$((missing + 1))
		[ -d "$versions/current/." ] || gone=$((gone + 1))
	done
	echo "$reads $missing $gone" >"$work/seen"
) &
reader=$!

failed=
for target in "$to" "$from"; do
	begun=$(now)
	# shellcheck disable=SC2086 # a command with its flags
	if ! $updater rollback --to "$target" >"$work/said" 2>&1; then
		cat "$work/said" >&2
		failed="the switch to $target did not work"
		break
	fi
	echo "switched to $target: $(($(now) - begun)) ms, the services' health gate included"
done

touch "$work/stop"
wait "$reader"
reader=
read -r reads missing gone <"$work/seen"
echo "the pointer was read $reads times meanwhile: missing $missing times, leading nowhere $gone times"
[ -z "$failed" ] || die "$failed; tope-updater journal show says why"
[ "$missing$gone" = 00 ] || die "readers must never see that"
[ "$(leads current)" = "$from" ] || die "current leads to $(leads current) now, not to $from as before"
echo "current leads to $from again"
