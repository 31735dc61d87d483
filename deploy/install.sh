#!/bin/sh
# Installs the updater on a device without dpkg, or takes it away. What the
# Debian package does, with whatever tools there are. Run twice, it does the same
# again; run with a newer program, it is an upgrade: the daemon goes on from its
# journal.
#
# Usage: install.sh [--root DIR] [--program FILE]
#        install.sh --uninstall [--purge] [--root DIR]
#   --root DIR      an image that is being built, not this device
#   --program FILE  the program (default: tope-updater beside this script, or the
#                   one for this machine in ../dist)
#   --purge         takes the journal, the configuration and the keys too
#
# Versions and what leads to them are never touched.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root='' program='' uninstall='' purge=''
die() {
	echo "install.sh: $*" >&2
	exit 1
}
warn() { echo "install.sh: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
while [ $# -gt 0 ]; do
	case $1 in
	--root) root=${2:?--root needs a directory} && shift ;;
	--program) program=${2:?--program needs a file} && shift ;;
	--uninstall) uninstall=yes ;;
	--purge) purge=yes ;;
	-h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" && exit ;;
	*) die "there is no option $1; --help lists them" ;;
	esac
	shift
done
[ -z "$purge" ] || [ -n "$uninstall" ] || die "--purge needs --uninstall"
[ -z "$root" ] || root=$(cd "$root" && pwd) || die "there is no directory $root"
[ "$root" != / ] || root=
[ "$(id -u)" = 0 ] || die "run it as root"

lib=$root/usr/lib/tope-updater
system=$root/usr/lib/systemd/system
config=$root/etc/systemd/system
units='tope-updater-recover.service tope-updater.service tope-updater-rescue.service tope-updater.socket'
# running: this device, with systemd at work.
running() { [ -z "$root" ] && [ -d /run/systemd/system ] && has systemctl; }
# ctl COMMAND...: systemctl, for this device or the image.
ctl() {
	has systemctl || return 1
	if [ -n "$root" ]; then systemctl --root="$root" "$@"; else systemctl "$@"; fi
}

# place MODE FILE TARGET: whole under its name, or not at all. If the power goes,
# the old file is there, or the new one; run it again.
place() {
	mkdir -p "$(dirname "$3")"
	cp "$2" "$3.new"
	chmod "$1" "$3.new"
	sync "$3.new" 2>/dev/null || sync
	mv -f "$3.new" "$3"
}

uninstall() {
	if running; then
		# An open update is cancelled or brought to its end: nobody would
		# recover the device afterwards.
		[ ! -x "$lib/tope-updater" ] || "$lib/tope-updater" cancel >/dev/null 2>&1 || true
		# shellcheck disable=SC2086 # several words
		systemctl stop $units 2>/dev/null || true
		[ ! -x "$lib/tope-updater" ] || "$lib/tope-updater" recover --finish >/dev/null || warn "recovery says that the device needs attention"
	fi
	# shellcheck disable=SC2086
	ctl disable --quiet $units 2>/dev/null || true
	for unit in $units; do
		rm -f "$system/$unit" "$config"/*.wants/"$unit"
	done
	for dropin in "$config"/*.service.d/50-tope-updater.conf; do
		grep -qs '^# Written by tope-updater' "$dropin" || continue
		rm -f "$dropin"
		rmdir "$(dirname "$dropin")" 2>/dev/null || true # others have drop-ins there
	done
	rm -f "$root/usr/lib/systemd/system-preset/90-tope-updater.preset" "$root/usr/lib/systemd/catalog/tope-updater.catalog" \
		"$root/usr/lib/sysusers.d/tope-updater.conf" "$root/usr/lib/tmpfiles.d/tope-updater.conf" "$root/usr/bin/tope-updater"
	rm -rf "$lib" "$root/usr/share/tope-updater"
	[ -z "$purge" ] || rm -rf "$root/var/lib/tope-updater" "$root/etc/tope-updater"
	! running || systemctl daemon-reload
	echo "removed; versions and links are as they were"
}

# find_program: what is to be installed.
find_program() {
	case $(uname -m) in
	x86_64) arch=amd64 ;;
	aarch64) arch=arm64 ;;
	armv7* | armv8l) arch=armv7 ;;
	*) arch=unknown ;;
	esac
	for program in "$here/tope-updater" "$here/../dist/tope-updater-linux-$arch"; do
		[ ! -f "$program" ] || return 0
	done
	die "there is no program beside this script, nor for $(uname -m) in ../dist; name one with --program"
}

group() {
	! grep -qs '^tope-updater:' "$root/etc/group" || return 0
	! { has systemd-sysusers && systemd-sysusers ${root:+--root="$root"} tope-updater.conf 2>/dev/null; } || return 0
	! { has groupadd && groupadd --system ${root:+--prefix "$root"} tope-updater; } || return 0
	! { [ -z "$root" ] && has addgroup && { addgroup -S tope-updater || addgroup --system tope-updater; } 2>/dev/null; } || return 0
	warn "cannot make the group tope-updater; only root can use the socket"
}

# enable_units: as the preset says, once; afterwards it is the operator's.
enable_units() {
	if [ -n "$upgrade" ]; then return; fi
	! ctl preset --quiet tope-updater-recover.service tope-updater.service tope-updater.socket 2>/dev/null || return 0
	for one in basic.target/tope-updater-recover.service multi-user.target/tope-updater.service; do
		mkdir -p "$config/${one%/*}.wants"
		ln -sf "/usr/lib/systemd/system/${one#*/}" "$config/${one%/*}.wants/${one#*/}"
	done
}

# drop_ins: drop-ins that have the services start after recovery.
drop_ins() {
	set -- "$lib/tope-updater"
	if [ -n "$root" ]; then
		set -- "$@" --root "$root"
		[ ! -f "$root/etc/tope-updater/config.toml" ] || set -- "$@" --config "$root/etc/tope-updater/config.toml"
	fi
	"$@" units >/dev/null || warn "the services have no drop-ins yet; run on the device: tope-updater units"
}

if [ -n "$uninstall" ]; then
	uninstall
	exit
fi
[ -n "$program" ] || find_program
[ -f "$program" ] || die "there is no program $program"
upgrade=
[ ! -e "$lib/installed" ] || upgrade=yes

# The units last: with them, systemd looks for the program.
place 755 "$program" "$lib/tope-updater"
mkdir -p "$root/usr/bin"
ln -sfn ../lib/tope-updater/tope-updater "$root/usr/bin/tope-updater"
place 644 "$here/systemd/tope-updater.sysusers" "$root/usr/lib/sysusers.d/tope-updater.conf"
place 644 "$here/systemd/tope-updater.tmpfiles" "$root/usr/lib/tmpfiles.d/tope-updater.conf"
place 644 "$here/systemd/90-tope-updater.preset" "$root/usr/lib/systemd/system-preset/90-tope-updater.preset"
[ ! -f "$here/systemd/tope-updater.catalog" ] || place 644 "$here/systemd/tope-updater.catalog" "$root/usr/lib/systemd/catalog/tope-updater.catalog"
for script in setup_symlinks.sh create_factory_version.sh verify_setup.sh test_symlink_switch.sh; do
	place 755 "$here/$script" "$root/usr/share/tope-updater/$script"
done
for example in "$here/config.toml" "$here"/systemd/examples/*.service; do
	place 644 "$example" "$root/usr/share/tope-updater/examples/${example##*/}"
done
group
mkdir -p "$root/etc/tope-updater/keys" "$root/var/lib/tope-updater" "$root/opt/tope/versions" "$root/opt/tope/services" "$root/opt/tope/shared"
[ -n "$root" ] || ! has systemd-tmpfiles || systemd-tmpfiles --create tope-updater.conf || warn "cannot make all directories"
for unit in $units; do place 644 "$here/systemd/$unit" "$system/$unit"; done
enable_units
! running || systemctl daemon-reload
drop_ins
# Until it is there, the next run is a first one again.
touch "$lib/installed"
if running; then
	! has journalctl || journalctl --update-catalog >/dev/null 2>&1 || true # only explanations
	if systemctl --quiet is-enabled tope-updater.service 2>/dev/null || systemctl --quiet is-active tope-updater.service; then
		systemctl restart tope-updater.service || warn "the daemon does not start; journalctl -u tope-updater.service says why"
	fi
fi
echo "installed; next: /usr/share/tope-updater/setup_symlinks.sh, then verify_setup.sh beside it"
