#!/bin/sh
# Says which version this source tree is, as git describe would if releases were
# tags: that of the newest release in CHANGELOG.md, and behind it the number of
# commits and the commit when something stands under "Unreleased".
#
#   0.9.0             nothing is unreleased
#   0.9.0-412-gabc123 something is
#   0.9.0+dev         something is, and there is no git to say more
set -eu
cd "$(dirname "$0")/../.."

version=$(sed -n -E 's/^## \[([0-9][^]]*)\].*/\1/p' CHANGELOG.md | head -n 1)
[ -n "$version" ] || { echo "source-version.sh: CHANGELOG.md has no release" >&2; exit 1; }
unreleased=$(sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/{/^## /d; /^[[:space:]]*$/d; p;}' CHANGELOG.md)
if [ -n "$unreleased" ]; then
	if commits=$(git rev-list --count HEAD 2>/dev/null) && commit=$(git rev-parse --short=12 HEAD); then
		version=$version-$commits-g$commit
	else
		version=$version+dev
	fi
fi
printf '%s\n' "$version"
