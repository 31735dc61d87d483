#!/bin/bash
# Makes testdata/bundles/RELEASE and testdata/journals/RELEASE with the programs
# of this source tree: testdata/make.sh 0.9.0
#
# It is run once for each release that changes a format, from the commit that is
# released, and what it made is never changed afterwards. It needs go, zip, gzip
# and zstd.
set -euo pipefail
release=${1:?"usage: testdata/make.sh RELEASE"}
top=$(cd "$(dirname "$0")/.." && pwd)
bundles=$top/testdata/bundles/$release journals=$top/testdata/journals/$release
for dir in "$bundles" "$journals"; do
	[ ! -e "$dir" ] || { echo "$dir exists: what a release has written is never made again" >&2; exit 1; }
	mkdir -p "$dir"
done

# One fixed place, so that the paths in the journals are no particular machine's.
work=/var/tmp/tope-testdata
rm -rf "$work" && mkdir -p "$work"
# end stops the device's services, which outlive the updater, and removes it all.
updater=
end() {
	[ -z "$updater" ] || kill -9 "$updater" 2>/dev/null || true
	for p in /proc/[0-9]*; do
		if grep -qs "TOPE_SERVICE=app@$work/" "$p/environ"; then kill -9 "${p#/proc/}"; fi
	done
	chmod -R u+w "$work"
	rm -rf "$work"
}
trap end EXIT
cd "$work"
(cd "$top" && CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$release" -o "$work/" ./cmd/tope-updater ./cmd/tope-bundle)
export SOURCE_DATE_EPOCH=1767225600 TZ=UTC

# tree VERSION BODY: a release of one service, app.
tree() {
	mkdir -p "$1/bin" "$1/hooks" "$1/services/app"
	printf '#!/bin/sh\n# app %s\n%s\n' "$1" "$2" >"$1/bin/app"
	printf '#!/bin/sh\necho "about to switch to %s"\n' "$1" >"$1/hooks/check"
	# Long enough that a patch pays.
	for i in $(seq 60); do echo "line $i of what both versions have in common"; done >"$1/services/app/table"
	echo "version $1" >>"$1/services/app/table"
	ln -s ../../bin/app "$1/services/app/run"
	chmod 755 "$1/bin/app" "$1/hooks/check"
	cat >"$1.toml" <<-EOF
		product  = "printer"
		version  = "$1"
		epoch    = 1
		services = ["app"]
		links    = ["bin/app"]

		[notes]
		en = "release $1"

		[hooks]
		pre-switch = "hooks/check"

		[[writable]]
		path     = "services/app/data"
		snapshot = true

		[[health]]
		service = "app"
		kind    = "active"
		stable  = "300ms"
		timeout = "2s"
	EOF
}
runs='exec sleep 1000' dies='exit 7'
tree 1.0.0 "$runs"
tree 1.1.0 "$runs"
tree 1.2.0 "$dies"

./tope-bundle -q keygen test
pack() { ./tope-bundle -q pack "$@" >/dev/null; }
pack 1.0.0 --release 1.0.0.toml --key test.key -o 1.0.0.tope
pack 1.1.0 --release 1.1.0.toml --key test.key --from 1.0.0.tope -o 1.1.0.tope
pack 1.2.0 --release 1.2.0.toml --key test.key -o 1.2.0.tope
pack 1.0.0 --release 1.0.0.toml --unsigned -o 1.0.0-unsigned.tope 2>/dev/null

mkdir legacy
printf '#!/bin/sh\n# app 0.9.0\n%s\n' "$runs" >legacy/app
cat >legacy/manifest.json <<-EOF
	{"version":"0.9.0","modules":[{"name":"app","src":"app","dst":"/usr/local/bin/app","process_name":"app","restart_order":1}]}
EOF
chmod 755 legacy/app
touch -d @$SOURCE_DATE_EPOCH legacy/*
(cd legacy && zip -q -X ../0.9.0.zip manifest.json app)
cp 1.0.0.tope 1.1.0.tope 1.0.0-unsigned.tope 0.9.0.zip test.key test.pub "$bundles/"

# A device, and what happens to it. The updater works without a daemon.
root=$work/device
mkdir -p "$root/etc/tope-updater" "$root/bin"
printf 'not a shell\n' >"$root/bin/sh" && chmod 755 "$root/bin/sh"
cat >"$root/etc/tope-updater/config.toml" <<-EOF
	[http]
	listen = ""
	[device_api]
	url = ""
	[services]
	manager = "embedded"
	[[service]]
	name = "app"
	[[service.health]]
	kind = "active"
	stable = "300ms"
	timeout = "2s"
EOF
on=(--config "$root/etc/tope-updater/config.toml" --root "$root")
tu() { ./tope-updater "${on[@]}" "$@"; }
# expect CODE VERB...: the verb, with that exit code.
expect() {
	local want=$1 got=0
	shift
	tu "$@" >said 2>&1 || got=$?
	[ "$got" = "$want" ] || { echo "tope-updater $*: exit code $got, not $want"; cat said; exit 1; } >&2
}
# keep NAME: the journal as it is now, and what it holds, for the tests.
keep() {
	gzip -9n <"$root/var/lib/tope-updater/journal.db" >"$journals/$1.db.gz"
	tu journal export | gzip -9n >"$journals/$1.jsonl.gz"
}
# gate STABLE TIMEOUT: how long the service has to run.
gate() { sed -i "s/stable = .*/stable = \"$1\"/; s/timeout = .*/timeout = \"$2\"/" "$root/etc/tope-updater/config.toml"; }

expect 0 install 0.9.0.zip
expect 0 factory create 0.9.0
mkdir "$root/etc/tope-updater/keys" && cp test.pub "$root/etc/tope-updater/keys/"

# Killed in the health gate, and found so: an update that is open.
gate 60s 90s
./tope-updater "${on[@]}" install 1.0.0.tope >/dev/null 2>&1 &
updater=$!
until tu journal list 2>/dev/null | grep -q '1\.0\.0 .*CheckingHealth'; do sleep 0.1; done
kill -9 $updater
wait $updater 2>/dev/null || true
updater=
keep interrupted
gate 300ms 2s
expect 0 recover --finish

# Every way an update ends without a fault of the device.
expect 0 install 1.1.0.tope
expect 12 install 1.2.0.tope     # its service dies: rolled back, and in quarantine
expect 10 install 1.2.0.tope     # refused
expect 10 install 1.0.0-unsigned.tope
expect 0 rollback
keep outcomes

# Pruned down to the newest updates: what outlives the others stands in the anchor.
printf '[retention]\nupdates = 2\n' >>"$root/etc/tope-updater/config.toml"
expect 0 factory restore
expect 0 install --retry 1.1.0.tope
keep pruned
du -cb "$bundles"/* "$journals"/* | tail -1
