#!/bin/sh
# Makes a version that dpkg can compare out of what source-version.sh or git
# describe says:
#
#   v1.2.0            1.2.0
#   v1.2.0-rc.1       1.2.0~rc.1        before 1.2.0
#   v1.2.0-4-gabc123  1.2.0+4.gabc123   after 1.2.0
#   ...-dirty         ...+dirty
#   abc123            0~git87.abc123    no tag yet, 87 commits: before every release
#
# Usage: version.sh DESCRIBED [COMMITS]
set -eu

described=${1:?usage: version.sh DESCRIBED [COMMITS]}
dirty=
case $described in *-dirty) dirty=+dirty described=${described%-dirty} ;; esac
case $described in
v[0-9]*.* | [0-9]*.*)
	printf '%s' "${described#v}" |
		sed -E 's/-([0-9]+)-g([0-9a-f]+)$/+\1.g\2/; s/-/~/g; s/[^A-Za-z0-9.+~]/./g'
	;;
*) printf '0~git%s.%s' "${2:-}" "$described" | sed 's/[^A-Za-z0-9.+~]/./g' ;;
esac
printf '%s\n' "$dirty"
