#!/bin/sh
# Makes an apt repository of Debian packages, or adds them to one: files to be
# served as they are, by any web server, or from a disk. Older packages stay, so that
# a device can be put back to one.
#
# Usage: repository.sh DIRECTORY KEY PACKAGE.deb...
#   DIRECTORY  the repository; it is made if it is missing
#   KEY        who signs: a name that gpg knows a secret key by, or the file of an
#              exported secret key
# From the environment: SUITE (stable).
#
# It needs apt-ftparchive (apt-utils) and gpg.
set -eu
umask 022
die() { echo "repository.sh: $*" >&2 && exit 1; }

[ $# -ge 3 ] || die "usage: repository.sh DIRECTORY KEY PACKAGE.deb..."
for tool in apt-ftparchive gpg; do
	command -v "$tool" >/dev/null || die "there is no $tool; install apt-utils and gpg"
done
repository=$1 key=$2 suite=${SUITE:-stable} arches='amd64 arm64 armhf'
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -f "$key" ]; then
	export GNUPGHOME="$work/gnupg"
	mkdir -m 700 "$GNUPGHOME"
	gpg --batch --quiet --import "$key" || die "$key is not an exported secret key"
	key=$(gpg --batch --with-colons --list-secret-keys | sed -n 's/^fpr:*\([0-9A-F]*\):.*/\1/p' | head -n 1)
fi
gpg --batch --list-secret-keys "$key" >/dev/null 2>&1 || die "gpg has no secret key $key"

# A package never changes under its name: a device may have read its digest already.
pool=$repository/pool/main/t/tope-updater
mkdir -p "$pool"
for deb in "$@"; do
	name=$(basename "$deb")
	if [ ! -e "$pool/$name" ]; then
		cp "$deb" "$pool/$name.new" && mv "$pool/$name.new" "$pool/$name"
	else
		cmp -s "$deb" "$pool/$name" || die "$name is in the repository already, with other bytes; give the package another version"
	fi
done

for arch in $arches; do
	index=$work/dists/$suite/main/binary-$arch
	mkdir -p "$index"
	(cd "$repository" && apt-ftparchive --arch "$arch" -o APT::FTPArchive::MD5=false -o APT::FTPArchive::SHA1=false packages pool) >"$index/Packages"
	gzip -9 -n -k "$index/Packages"
done
(cd "$work" && apt-ftparchive -o APT::FTPArchive::Release::Origin=tope-updater -o APT::FTPArchive::Release::Label=tope-updater \
	-o APT::FTPArchive::Release::Suite="$suite" -o APT::FTPArchive::Release::Codename="$suite" \
	-o APT::FTPArchive::Release::Architectures="$arches" -o APT::FTPArchive::Release::Components=main \
	-o APT::FTPArchive::MD5=false -o APT::FTPArchive::SHA1=false release "dists/$suite") >"$work/Release"
mv "$work/Release" "$work/dists/$suite/Release"
gpg --batch --quiet --yes --local-user "$key" --digest-algo SHA512 --clearsign -o "$work/dists/$suite/InRelease" "$work/dists/$suite/Release"
gpg --batch --quiet --yes --local-user "$key" --digest-algo SHA512 --armor --detach-sign -o "$work/dists/$suite/Release.gpg" "$work/dists/$suite/Release"
# What devices check signatures with.
gpg --batch --quiet --yes --export -o "$work/tope-updater.gpg" "$key"
mv "$work/tope-updater.gpg" "$repository/tope-updater.gpg"

# The indexes as a whole. In between the repository has none: copy it to the server
# when it is done, pool first.
mkdir -p "$repository/dists"
rm -rf "$repository/dists/$suite"
mv "$work/dists/$suite" "$repository/dists/$suite"
echo "$repository: $(find "$pool" -name '*.deb' | wc -l) packages, signed by $key"
