#!/usr/bin/env bash
# Builds one Debian package from what `make build` left in dist/ and from the
# source tree. dpkg-deb is all it needs. The same tree gives the same bytes.
#
# Usage: build.sh tope-updater|tope-bundle ARCH VERSION
#   ARCH     amd64, arm64 or armhf
#   VERSION  as source-version.sh says it; see version.sh
# From the environment: DIST (dist), SOURCE_DATE_EPOCH (the last commit's time),
# COMPRESSION (xz; "none" is quick).
set -euo pipefail
cd "$(dirname "$0")/../.."

package=${1:?which package?} arch=${2:?for which architecture?} described=${3:?of which version?}
dist=${DIST:-dist}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
version=$(deploy/deb/version.sh "$described" "$(git rev-list --count HEAD 2>/dev/null || true)")-1
maintainer='TOP.E Updater developers <https://github.com/tope/updater/issues>'
umask 022
# Several threads compress to other bytes than one does.
export DPKG_DEB_THREADS_MAX=1

tree=$(mktemp -d)
chmod 755 "$tree"
trap 'rm -rf "$tree"' EXIT

# put MODE FILE DIRECTORY [NAME]
put() { install -D -m "$1" "$2" "$tree/$3/${4:-$(basename "$2")}"; }
# squeeze FILE DIRECTORY NAME: compressed, without a time in it
squeeze() {
	mkdir -p "$tree/$2"
	gzip -9 -n -c "$1" >"$tree/$2/$3.gz"
	chmod 644 "$tree/$2/$3.gz"
}

case $arch in
armhf) suffix=armv7 ;;
*) suffix=$arch ;;
esac
program=$dist/$package-linux-$suffix
[ -f "$program" ] || { echo "build.sh: cannot find $program; run make build first" >&2; exit 1; }

case $package in
tope-updater)
	# Not at its place: the updater updates itself, and dpkg must not put an
	# older program over a newer one (docs/decisions/0015). postinst decides.
	put 755 "$program" usr/lib/tope-updater/package tope-updater
	mkdir -p "$tree/usr/bin" "$tree/etc/tope-updater/keys"
	ln -s ../lib/tope-updater/tope-updater "$tree/usr/bin/tope-updater"
	put 644 deploy/systemd/tope-updater.sysusers usr/lib/sysusers.d tope-updater.conf
	put 644 deploy/systemd/tope-updater.tmpfiles usr/lib/tmpfiles.d tope-updater.conf
	for f in deploy/systemd/* deploy/*.sh; do
		case $f in
		*.service | *.socket) put 644 "$f" usr/lib/systemd/system ;;
		*.preset) put 644 "$f" usr/lib/systemd/system-preset ;;
		*.catalog) put 644 "$f" usr/lib/systemd/catalog ;;
		*/install.sh) ;; # for devices without dpkg
		*.sh) put 755 "$f" usr/share/tope-updater ;;
		esac
	done
	# The configuration is no conffile: an upgrade that nobody watches must not
	# ask, and without a file the defaults hold.
	put 644 deploy/config.toml usr/share/tope-updater/examples
	for f in deploy/systemd/examples/*; do put 644 "$f" usr/share/tope-updater/examples; done
	mkdir -p "$tree/usr/share/doc/$package"
	ln -s ../../tope-updater/examples "$tree/usr/share/doc/$package/examples"
	# The oldest that is tried (docs/claims/systems.json).
	depends='systemd (>= 247)'
	recommends='dbus'
	summary='updates the software of this device, whatever happens to its power'
	description=' It replaces the application software of a device, unattended. A power cut at
 any instant leaves the device running one whole version: the old one, the new
 one or, when both proved bad, the factory'\''s. Everything it did, and why, can
 be read afterwards from one file.'
	;;
tope-bundle)
	put 755 "$program" usr/bin tope-bundle
	depends=
	recommends=
	summary='makes, signs and serves releases for tope-updater'
	description=' The publisher'\''s side of tope-updater: it packs a directory into a bundle,
 signs it, makes differences between releases, and serves them for trials.'
	;;
*) echo "build.sh: there is no package $package" >&2; exit 2 ;;
esac

for page in docs/man/"$package".1 docs/man/"$package"-*.1; do
	squeeze "$page" usr/share/man/man1 "$(basename "$page")"
done
put 644 "docs/completions/$package.bash" usr/share/bash-completion/completions "$package"
put 644 "docs/completions/_$package" usr/share/zsh/vendor-completions
put 644 "docs/completions/$package.fish" usr/share/fish/vendor_completions.d
put 644 deploy/deb/copyright "usr/share/doc/$package"
squeeze CHANGELOG.md "usr/share/doc/$package" changelog
printf '%s (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' \
	"$package" "$version" "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$tree/changelog"
squeeze "$tree/changelog" "usr/share/doc/$package" changelog.Debian
rm "$tree/changelog"

(cd "$tree" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$tree.md5sums"
size=$(find "$tree" -printf '%y %s\n' | awk '{ k += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print k }')
mkdir "$tree/DEBIAN"
mv "$tree.md5sums" "$tree/DEBIAN/md5sums"
{
	printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' "$package" "$version" "$arch" "$maintainer"
	printf 'Installed-Size: %s\n' "$size"
	[ -z "$depends" ] || printf 'Depends: %s\n' "$depends"
	[ -z "$recommends" ] || printf 'Recommends: %s\n' "$recommends"
	printf 'Section: admin\nPriority: optional\nHomepage: https://github.com/tope/updater\n'
	printf 'Description: %s\n%s\n' "$summary" "$description"
} >"$tree/DEBIAN/control"
if [ "$package" = tope-updater ]; then
	for script in preinst postinst prerm postrm; do
		[ ! -e "deploy/deb/$script" ] || install -m 755 "deploy/deb/$script" "$tree/DEBIAN/$script"
	done
fi
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Z"${COMPRESSION:-xz}" -b "$tree" "$dist/${package}_${version}_$arch.deb" >/dev/null
echo "$dist/${package}_${version}_$arch.deb"
