# What a developer and CI run. `make help` lists it.
#
# Go is all that is needed for demo and build. `make test` installs the rest itself,
# from tools/debian-packages. Tool versions are pinned in tools/go.mod.

SHELL   := /bin/bash
BIN     := bin
DIST    := dist
VERSION ?= $(shell deploy/deb/source-version.sh)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
# Version and commit are stated here and not left to Go, so that the bytes depend
# on the source alone and not on the state of the checkout.
# The time of the commit, in seconds: no right clock is before it.
BUILT   ?= $(shell git log -1 --format=%ct 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.revision=$(COMMIT) -X main.built=$(BUILT)
# nethttpomithttp2 leaves out HTTP/2, which all that speaks HTTP here has turned off
# (docs/decisions/0021): half a megabyte that no code can reach.
# Nothing is inlined in what talks to people and to the network, where no time is lost that
# counts: half a megabyte of the arm64 program. What hashes, unpacks and patches is
# compiled as it comes, and so is all that takes the journal apart.
# The tests build with the same flags, so they are a file.
BUILD   := CGO_ENABLED=0 go build $(shell cat tools/buildflags)
TOOL    := go tool -modfile=tools/go.mod
SEED    ?= 1
SAMPLE  ?= 0
DEVICES ?= 10000
DAYS    ?= 30
FUZZ    ?= 20s
CUTS    ?= 102
SUITES  ?= bullseye bookworm trixie
WHOLE   ?= 0
# The tests of provisioning install much and take long: make ansible and make images have them.
PACKAGES ?= $$(go list ./... | grep -v /devices/provisioning$$)
APT     ?= $(DIST)/apt
SCRIPTS := deploy/*.sh deploy/deb/*.sh $(addprefix deploy/deb/,postinst prerm postrm) deploy/images/provision deploy/images/mkosi/mkosi.finalize $(filter-out %.py,$(wildcard .ci/*))

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the device program (amd64, arm64, armv7) and the publisher's (amd64, arm64), static and stripped, into dist/
	GOOS=linux GOARCH=amd64       $(BUILD) -ldflags '$(LDFLAGS)' -o $(DIST)/tope-updater-linux-amd64 ./cmd/tope-updater
	GOOS=linux GOARCH=arm64       $(BUILD) -ldflags '$(LDFLAGS)' -o $(DIST)/tope-updater-linux-arm64 ./cmd/tope-updater
	GOOS=linux GOARCH=arm GOARM=7 $(BUILD) -ldflags '$(LDFLAGS)' -o $(DIST)/tope-updater-linux-armv7 ./cmd/tope-updater
	GOOS=linux GOARCH=amd64       $(BUILD) -ldflags '$(LDFLAGS)' -o $(DIST)/tope-bundle-linux-amd64 ./cmd/tope-bundle
	GOOS=linux GOARCH=arm64       $(BUILD) -ldflags '$(LDFLAGS)' -o $(DIST)/tope-bundle-linux-arm64 ./cmd/tope-bundle
	@ls -l $(DIST)

.PHONY: deb
deb: build ## Debian packages: tope-updater (amd64, arm64, armhf) and tope-bundle (amd64, arm64), into dist/
	@for arch in amd64 arm64 armhf; do DIST=$(DIST) deploy/deb/build.sh tope-updater $$arch $(VERSION) || exit 1; done
	@for arch in amd64 arm64; do DIST=$(DIST) deploy/deb/build.sh tope-bundle $$arch $(VERSION) || exit 1; done

.PHONY: apt-repo
apt-repo: deb ## an apt repository of the packages in dist/, in dist/apt (APT=DIR for another); KEY= names a secret key of gpg, or its file
	@deploy/deb/repository.sh $(APT) "$${KEY:?KEY= says who signs: a secret key of gpg, or the file of one}" $(DIST)/*.deb

.PHONY: release
release: ## all that is published: programs, packages, an SBOM for each program, and SHA256SUMS, into an empty dist/
	rm -rf $(DIST)
	@$(MAKE) --no-print-directory deb
	@for program in $(DIST)/*-linux-*; do GOFLAGS=-trimpath $(TOOL) cyclonedx-gomod bin -json -std -noserial -notimestamp \
		-version $(VERSION) -output $$program.cdx.json $$program || exit 1; done
	@cd $(DIST) && LC_ALL=C && sha256sum -- * > SHA256SUMS && cat SHA256SUMS

.PHONY: reproduce
reproduce: release ## a second release, from another checkout at another path, must have the same bytes
	.ci/reproduce $(DIST)

# The programs the demo and the crash laboratory run, for this machine.
.PHONY: programs
programs:
	$(BUILD) -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/tope-updater ./cmd/internal/fixtures/device-api ./cmd/internal/fixtures/web-server

.PHONY: demo
demo: programs ## a good update, a bad one, a kill -9 in the middle of a third, and the journal of it all
	$(BIN)/tope-updater demo $(DEMOFLAGS)

.PHONY: demo-fleet
demo-fleet: programs ## twelve devices and a signed channel: a canary that fails, a halt, and a release that goes out in three steps
	$(BUILD) -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/tope-bundle ./cmd/internal/fleetdemo/demo-fleet
	$(BIN)/demo-fleet

.PHONY: setup
setup: ## install what the tests need besides Go: Debian packages, as root; says what to do elsewhere
	@.ci/setup

# What plays whole devices from the outside, longest first: the programs in them are
# as they are shipped, and the race detector would watch only the tests. A simulated fleet
# would take minutes with it; engine/fleet has the same code with it.
MACHINES := ./cmd/crashlab/internal/trials ./cmd/internal/devices/powercut ./cmd/internal/devices/fleet ./cmd/internal/devices/selfupdate \
	./cmd/crashlab/internal/device ./cmd/internal/devices/systems ./cmd/internal/devices/... ./cmd/internal/fleetsim
# The tests' temporary files are in memory, where syncing them waits for nothing, and
# go when the tests are over; the compiler's stay where they are. A program with the
# race detector would sleep for a second before it exits.
TESTENV := tmp=$$(mktemp -d -p "$$(test -w /dev/shm && echo /dev/shm || echo $${TMPDIR:-/tmp})" tope-test-XXXXXX) && \
	chmod 755 "$$tmp" && trap 'rm -rf "$$tmp"' EXIT && \
	export GOTMPDIR=$${GOTMPDIR:-$${TMPDIR:-/tmp}} TMPDIR=$$tmp GORACE=atexit_sleep_ms=0 TOPE_WHOLE=$(WHOLE);

.PHONY: test
test: setup ## every test (PACKAGES=./journal/... for some; WHOLE=1 for each trial of the long sweeps), the race detector in all that is not a device; as root, for machines, loop devices and name spaces
	@$(TESTENV) failed=0; \
	all=$$(go list $(PACKAGES)) || exit 1; \
	devices=$$(go list $(MACHINES) | grep -xFf <(echo "$$all")); \
	rest=$$(grep -vxFf <(go list $(MACHINES)) <<<"$$all"); \
	test -z "$$devices" || go test -p 3 -timeout 20m $(TESTFLAGS) $$devices || failed=1; \
	test -z "$$rest" || go test -race -timeout 20m $(TESTFLAGS) $$rest || failed=1; \
	exit $$failed

.PHONY: quick
quick: ## the tests that need neither root nor a machine, without the race detector: a minute and a half
	@$(TESTENV) go test -short -timeout 10m $(TESTFLAGS) ./... && echo "quick: what needs root or a machine was skipped; make test has all"

.PHONY: check
check: ## formatting, vet, lint, stale generated files, known vulnerabilities where a database can be reached
	@out=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not formatted (gofumpt -w):"; echo "$$out"; exit 1; }
	go vet ./...
	go mod tidy -diff
	@if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS); else echo "shellcheck: not installed here; CI has it"; fi
	@if command -v ansible-playbook >/dev/null; then ANSIBLE_LOCALHOST_WARNING=0 ansible-playbook -i localhost, --syntax-check deploy/ansible/site.yml; \
		else echo "ansible-playbook: not installed here; CI has it"; fi
	$(TOOL) golangci-lint run ./...
	@out=$$($(TOOL) govulncheck ./cmd/tope-updater 2>&1) && echo "$$out" || case "$$out" in \
		*'fetching vulnerabilities'*) echo "govulncheck: no database can be reached from here" ;; \
		*) echo "$$out"; exit 1 ;; esac

.PHONY: bench
bench: ## the figures of docs/figures.md, each against a floor in the same run; FIGURE=recover for one
	go test -run '^$$' -bench 'Figures/$(FIGURE)' -benchtime 1x -timeout 60m ./cmd/internal/figures/

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ (20s) each
	@set -e; for pkg in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZ) -fuzzminimizetime 1x $$pkg; done; done

.PHONY: fleet
fleet: ## a fleet in virtual time: DEVICES=10000 DAYS=30 SEED=1, with servers down, power cuts, wrong clocks and a bad release
	go test -run '^TestFleet$$' -count 1 -v -timeout 60m ./cmd/internal/fleetsim/ -devices $(DEVICES) -days $(DAYS) -seed $(SEED)

.PHONY: crash
crash: programs ## the crash sweeps: SAMPLE=0 is exhaustive and long; CI takes a seeded sample
	$(BUILD) -o $(BIN)/ ./cmd/crashlab
	$(BIN)/crashlab all --bin $(BIN) --seed $(SEED) --sample $(SAMPLE)

.PHONY: boots
boots: ## the tests on booted machines with a real systemd; CUTS=102 power cuts, spread by SEED; BOOT=TwoCuts for one test
	TOPE_CUTS=$(CUTS) TOPE_SEED=$(SEED) go test -timeout 60m -v -run '$(BOOT)' ./cmd/internal/devices/...

.PHONY: matrix
matrix: CUTS := 12
matrix: setup ## updates, packages and CUTS=12 power cuts on each of SUITES, suites of Debian; UPDATE=1 writes what was shown into the guides
	@$(TESTENV) export TOPE_SUITES="$(SUITES)" TOPE_MATRIX_CUTS=$(CUTS) TOPE_SEED=$(SEED) TOPE_CLAIMS_UPDATE=$(UPDATE); \
	go test -count=1 -timeout 120m -v ./cmd/internal/devices/systems $(if $(UPDATE),&& go test -count=1 ./cmd/internal/claims -update)

.PHONY: filesystems
filesystems: setup ## a device's life on each file system of the guide; UPDATE=1 writes what was shown into the guides
	TOPE_CLAIMS_UPDATE=$(UPDATE) go test -count=1 -v ./cmd/internal/devices/filesystems $(if $(UPDATE),&& go test -count=1 ./cmd/internal/claims -update)

.PHONY: ansible
ansible: ## the Ansible role on a booted device
	go test -timeout 30m -v -run Ansible ./cmd/internal/devices/provisioning

.PHONY: images
images: ## images by mkosi and debos, each booted and updated (apt-get install mkosi debos)
	@for tool in mkosi debos; do command -v $$tool >/dev/null || { echo "there is no $$tool: apt-get install --no-install-recommends mkosi debos"; exit 1; }; done
	go test -timeout 60m -v -run Image ./cmd/internal/devices/provisioning

.PHONY: hawkbit
hawkbit: ## the whole table of hawkBit's DDI, against a real one: URL=, TENANT=DEFAULT, ADMIN=admin, and PASSWORD in the environment; FULL=1 with 1,000 entries
	@TENANT="$${TENANT:-DEFAULT}" ADMIN="$${ADMIN:-admin}" go run ./engine/fleet/hawkbit/hawkbitplay --url "$${URL:?URL= says where hawkBit is}" $(if $(FULL),--full) table

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) $(DIST)
