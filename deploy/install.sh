#!/bin/sh
# Installs the updater without dpkg, on this device or into the tree of an image,
# or takes it away. What the Debian package does, with whatever tools there are,
# and what else a device needs: keys, a configuration, a first version. Run twice,
# it changes nothing more; run with a newer program, it is an upgrade: the daemon
# goes on from its journal.
#
# Usage: install.sh [--root DIR] [--program FILE] [--runs-here FILE]
#                   [--key FILE...] [--config FILE] [--factory BUNDLE|URL|DIR]
#        install.sh --uninstall [--purge] [--root DIR]
#   --root DIR        the tree of a device that does not run, not this device
#   --program FILE    the program (default: tope-updater beside this script, or the
#                     one for this machine in ../dist)
#   --runs-here FILE  what works on the tree in place of a program for another
#                     processor (default: the one for this machine in ../dist)
#   --key FILE...     publishers' public keys, NAME.pub
#   --config FILE     the configuration; it is checked first
#   --factory WHAT    the first version, and the one to fall back to: a bundle, its
#                     URL, or a directory vX.Y.Z. A device that has a version keeps it
#   --purge           takes the journal, the configuration and the keys too
#
# Versions and what leads to them are touched by --factory only.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root='' program='' uninstall='' purge='' here_runs='' keys='' new_config='' factory=''
die() {
	echo "install.sh: $*" >&2
	exit 1
}
warn() { echo "install.sh: $*" >&2; }
# absolute FILE: its path, which a shell does not look for among the programs.
absolute() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
has() { command -v "$1" >/dev/null 2>&1; }
while [ $# -gt 0 ]; do
	case $1 in
	--root) root=${2:?--root needs a directory} && shift ;;
	--program) program=${2:?--program needs a file} && shift ;;
	--runs-here) here_runs=${2:?--runs-here needs a file} && shift ;;
	--key)
		[ -n "${2-}" ] || die "--key needs a file"
		while [ $# -gt 1 ]; do
			case $2 in -*) break ;; esac
			case $2 in *.pub) ;; *) die "$2: a key's file is named NAME.pub" ;; esac
			[ -f "$2" ] || die "there is no key $2"
			keys="$keys$2
" && shift
		done
		;;
	--config) new_config=${2:?--config needs a file} && shift ;;
	--factory) factory=${2:?--factory needs a bundle or a directory} && shift ;;
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

# ours UNIT: nothing else has this unit's name. A unit of that name in /etc, or a
# drop-in, may run somebody else's program: that is neither enabled, stopped nor
# started again. What the unit would run tells, and what its process runs.
ours() {
	for dir in /etc/systemd/system /run/systemd/system; do
		if [ ! -e "$dir/$1" ] || [ "$(readlink "$dir/$1")" = /dev/null ]; then continue; fi # masked is still ours
		grep -qsF -e "$lib/tope-updater" -e /run/tope-updater/api.sock "$dir/$1" || return 1
	done
	running && has systemctl || return 0
	case $1 in *.service) ;; *) return 0 ;; esac
	run=$(systemctl show -p ExecStart "$1" 2>/dev/null) || return 0
	case $run in *path=*"$lib/tope-updater"*) ;; *path=*) return 1 ;; esac
	pid=$(systemctl show -p MainPID "$1" 2>/dev/null | sed 's/^MainPID=//')
	[ "${pid:-0}" != 0 ] || return 0
	exe=$(readlink "/proc/$pid/exe") || return 0
	case ${exe% (deleted)} in "$lib"/*tope-updater* | */v[0-9]*/bin/tope-updater) ;; *) return 1 ;; esac
}

# place MODE FILE TARGET: whole under its name, or not at all; a file that is there
# already stays as it is. If the power goes, the old file is there, or the new one;
# run it again.
place() {
	if [ "$(stat -c %a "$3" 2>/dev/null)" = "$1" ] && cmp -s "$2" "$3"; then return; fi
	mkdir -p "$(dirname "$3")"
	cp "$2" "$3.new"
	chmod "$1" "$3.new"
	sync "$3.new" 2>/dev/null || sync
	mv -f "$3.new" "$3"
}

# finish: an open update is brought to its end. One that was undone ended well.
finish() {
	code=0
	"$lib/tope-updater" recover --finish >/dev/null || code=$?
	case $code in
	0) ;;
	12) echo "the open update was undone; the device runs the version before it, or its factory version" ;;
	13) warn "the device needs attention" ;;
	*) warn "the open update was not finished (exit code $code)" ;;
	esac
}

uninstall() {
	if running; then
		# An open update is cancelled or brought to its end: nobody would
		# recover the device afterwards.
		[ ! -x "$lib/tope-updater" ] || "$lib/tope-updater" cancel >/dev/null 2>&1 || true
		for unit in $units; do ! ours "$unit" || systemctl stop "$unit" 2>/dev/null || true; done
		[ ! -x "$lib/tope-updater" ] || finish
	fi
	for unit in $units; do
		if running && ! ours "$unit"; then
			warn "$unit is somebody else's, and is left alone"
		else
			ctl disable --quiet "$unit" 2>/dev/null || true
			rm -f "$config"/*.wants/"$unit"
		fi
		rm -f "$system/$unit"
	done
	for dropin in "$config"/*.d/50-tope-updater.conf; do
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

# for_this_machine: a program that runs here.
for_this_machine() {
	case $(uname -m) in
	x86_64) arch=amd64 ;;
	aarch64) arch=arm64 ;;
	armv7* | armv8l) arch=armv7 ;;
	*) arch=unknown ;;
	esac
	for one in "$here/tope-updater" "$here/../dist/tope-updater-linux-$arch"; do
		[ ! -f "$one" ] || { echo "$one" && return; }
	done
	return 1
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

# find_worker: the program that works on the device. A tree's own may be for another
# processor.
find_worker() {
	worker=$lib/tope-updater
	[ -z "$here_runs" ] || worker=$(absolute "$here_runs")
	"$worker" version >/dev/null 2>&1 || worker=$(for_this_machine) || worker=none
	"$worker" version >/dev/null 2>&1 || die "$program does not run here; name one that does with --runs-here"
}

# work VERB...: the program, on this device or the tree.
work() { "$worker" ${root:+--root "$root"} "$@"; }

# settings: the keys and the configuration, each checked before it is put in place.
settings() {
	[ -n "$keys$new_config" ] || return 0
	with=$root/etc/tope-updater/config.toml
	[ -z "$new_config" ] || with=$new_config
	[ -f "$with" ] || with=
	# New keys count together with those that are there. What a link leads to is copied; a
	# link that leads nowhere is judged when it is used.
	trial=
	if [ -n "$keys" ]; then
		trial=$(mktemp -d)
		cp -R -L "$root/etc/tope-updater/keys/." "$trial" || true
		printf %s "$keys" | while read -r key; do cp "$key" "$trial/"; done
	fi
	code=0
	work ${with:+--config "$with"} reload --check ${trial:+--keys "$trial"} >/dev/null || code=$?
	[ -z "$trial" ] || rm -rf "$trial"
	[ "$code" = 0 ] || die "keys and configuration are as they were: the program refuses the new ones; files that [download] names have to be in ${root:-/} before"
	printf %s "$keys" | while read -r key; do
		place 644 "$key" "$root/etc/tope-updater/keys/${key##*/}"
		echo "key: ${key##*/}"
	done
	if [ -n "$new_config" ]; then
		place 600 "$new_config" "$root/etc/tope-updater/config.toml"
		echo "configuration: $new_config"
	fi
}

# trusted: an image without a key by mistake is not made in silence.
trusted() {
	case $(work reload --check 2>/dev/null) in
	*'trusts ANYBODY'*) warn "this device takes a release from anybody; name the publisher's keys with --key" ;;
	esac
}

# first_version: what the device runs until its first update, and falls back to.
first_version() {
	versions=$root/opt/tope/versions
	if [ -e "$versions/current" ] || [ -L "$versions/current" ]; then
		echo "version: it has $(readlink "$versions/current"), which stays"
	elif [ -d "$factory" ]; then
		name=$(basename "$factory")
		case $name in v[0-9]*.[0-9]*.[0-9]*) ;; *) die "$factory: the directory of a version is named vX.Y.Z" ;; esac
		# If the power goes before the rename, there is no version of that name.
		rm -rf "$versions/.installing"
		cp -R -p "$factory" "$versions/.installing"
		chown -R -h 0:0 "$versions/.installing"
		sync
		[ -e "$versions/$name" ] || mv "$versions/.installing" "$versions/$name"
		rm -rf "$versions/.installing"
		work links --pointers --current "${name#v}" >/dev/null || die "version $name cannot be made current"
		echo "version: $name, as it is in $factory"
	else
		work install "$factory" >/dev/null || die "$factory was not installed"
		echo "version: $(readlink "$versions/current"), of $factory"
	fi
	if [ ! -L "$versions/factory" ]; then
		work factory create >/dev/null || die "the version cannot be made the factory version"
		echo "factory: $(readlink "$versions/factory")"
	fi
}

# drop_ins: drop-ins that have the services start after recovery.
drop_ins() {
	work units >/dev/null || warn "the services have no drop-ins yet; run on the device: tope-updater units"
}

if [ -n "$uninstall" ]; then
	uninstall
	exit
fi
[ -n "$program" ] || program=$(for_this_machine) ||
	die "there is no program beside this script, nor for $(uname -m) in ../dist; name one with --program"
[ -f "$program" ] || die "there is no program $program"
upgrade=
[ ! -e "$lib/installed" ] || upgrade=yes

# The units last: with them, systemd looks for the program.
place 755 "$program" "$lib/tope-updater"
mkdir -p "$root/usr/bin"
[ "$(readlink "$root/usr/bin/tope-updater")" = ../lib/tope-updater/tope-updater ] ||
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
find_worker
settings
trusted
drop_ins
# Until it is there, the next run is a first one again.
[ -e "$lib/installed" ] || touch "$lib/installed"
if running; then
	! has journalctl || journalctl --update-catalog >/dev/null 2>&1 || true # only explanations
	if ! ours tope-updater.service; then
		warn "tope-updater.service is somebody else's, and is left alone; tope-updater doctor says what to do"
	elif systemctl --quiet is-enabled tope-updater.service 2>/dev/null || systemctl --quiet is-active tope-updater.service; then
		systemctl restart tope-updater.service || warn "the daemon does not start; journalctl -u tope-updater.service says why"
	fi
fi
if [ -n "$factory" ]; then
	first_version
	drop_ins # those of its services
	echo "installed"
else
	echo "installed; next: /usr/share/tope-updater/setup_symlinks.sh, then verify_setup.sh beside it"
fi
