# The menu. `make help` prints it.

GO      ?= go
TAGS    := $(file <cmd/hien/tags)
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null | sed 's/^v//')
LDFLAGS := -s -w -linkmode external -extldflags -static $(if $(VERSION),-X github.com/hien-wifi/hien.Version=$(VERSION))
FUZZTIME ?= 20s
BENCH   ?= .
TIMEOUT ?= 12m
CROSS   ?= arm64 mipsle

# The machines that packages are made for; docs/hardware.md lists them.
ARCHS   ?= amd64 arm64 armv7 armv5 386 riscv64 mipsle mips

# SQLite is compiled for size: it is a router. Every target uses the same
# flags, so that it is compiled once.
export CGO_CFLAGS := -Os
export GOFLAGS := $(GOFLAGS) -trimpath -buildvcs=false

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: build test demo check fuzz bench size release desktop twice qemu hardware openwrt openwrt-test openwrt-root \
	clean help summary deps-test deps-check deps-demo deps-release deps-qemu

build: ## builds bin/hien, bin/hien-demo, bin/hien-verify and bin/hien-unseal
	$(GO) build -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o bin/ ./cmd/hien ./cmd/hien-demo ./cmd/hien-verify ./cmd/hien-unseal

# With SUMMARY=1 the results are counted and a skipped test is a failure. What
# the browser has seen is kept in bin/artifacts.
COUNTED := $(if $(SUMMARY),| $(CURDIR)/bin/testsummary -noskip)

test: export HIEN_ARTIFACTS ?= $(CURDIR)/bin/artifacts
test: deps-test $(if $(SUMMARY),summary) ## installs what tests lack, then runs all of them
	$(GO) test $(if $(SUMMARY),-json) -tags '$(TAGS)' -timeout $(TIMEOUT) ./... $(COUNTED)

summary:
	@mkdir -p bin
	@$(GO) -C tools build -o ../bin/testsummary ./testsummary

demo: deps-demo build ## one shopper, end to end, in a small world (STAY=1 leaves it up, LIKE=FILE wears your texts)
	bin/hien-demo -hien bin/hien $(if $(STAY),-stay) $(if $(LIKE),-like '$(LIKE)') $(if $(ARTIFACTS),-artifacts '$(ARTIFACTS)')

check: deps-check $(if $(SUMMARY),summary) ## gofmt, vet, vet for other machines without cgo, staticcheck, the shape of the house, shell scripts
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not in gofmt's form:" $$unformatted; exit 1; }
	$(GO) vet -tags '$(TAGS)' ./...
	for arch in $(CROSS); do CGO_ENABLED=0 GOARCH=$$arch $(GO) vet -tags '$(TAGS)' ./...; done
	for os in windows darwin; do CGO_ENABLED=0 GOOS=$$os $(GO) vet ./cmd/hien-unseal ./cmd/hien-verify; done
	$(GO) -C tools vet ./...
	$(GO) -C tools test $(if $(SUMMARY),-json) ./... $(COUNTED)
	$(GO) tool -modfile=tools/go.mod staticcheck -tags '$(TAGS)' ./...
	$(GO) test -tags '$(TAGS)' -run '^Test(House|Dependencies)' .
	shellcheck .ci/run scripts/*

fuzz: ## runs each fuzz target for FUZZTIME (20s)
	scripts/fuzz '$(GO)' '$(TAGS)' '$(FUZZTIME)'

bench: deps-test ## prints the figures of all benchmarks (BENCH=regexp picks)
	$(GO) test -tags '$(TAGS)' -run '^$$' -bench '$(BENCH)' -benchmem -timeout 30m ./...

size: ARCHS := $(if $(filter file,$(origin ARCHS)),arm64,$(ARCHS))
size: deps-release ## prints what arm64's package weighs, as a download and on flash, and what makes it up
	@$(RELEASE) size
	@$(GO) list -deps -tags '$(TAGS)' -f '{{with .Module}}{{.Path}} {{.Version}}{{end}}' ./cmd/hien | sort -u

# What is below is made for the machines in ARCHS: make openwrt ARCHS='amd64 arm64'.
RELEASE = $(GO) -C tools run ./release -archs '$(ARCHS)' $(if $(VERSION),-version '$(VERSION)')

release: deps-release ## builds the program for every machine into bin/release (ARCHS picks)
	$(RELEASE) build

# What runs on no router: for whoever holds the keys, and for auditors.
DESKTOPS := windows-amd64 darwin-arm64 darwin-amd64 linux-amd64

desktop: ## builds hien-unseal and hien-verify for computers (Windows, macOS, Linux) into bin/desktop
	for it in $(DESKTOPS); do CGO_ENABLED=0 GOOS=$${it%-*} GOARCH=$${it#*-} $(GO) build \
		-ldflags '-s -w $(if $(VERSION),-X github.com/hien-wifi/hien.Version=$(VERSION))' -o bin/desktop/$$it/ ./cmd/hien-unseal ./cmd/hien-verify; done
	cd bin/desktop && sha256sum */* >SHA256SUMS && cat SHA256SUMS

twice: deps-release ## builds from two copies of the sources in two places: not a bit may differ
	$(RELEASE) twice

qemu: deps-qemu ## tries each machine's program under QEMU: an opt-in and more
	$(RELEASE) qemu

hardware: deps-release deps-test ## writes the table of sizes and memory in docs/hardware.md, always of all machines
	$(GO) -C tools run ./release $(if $(VERSION),-version '$(VERSION)') doc

# OPKG_KEY and APK_KEY are the files of the keys that sign the feeds; without
# them the feeds are signed by keys for development, made once.
openwrt: release ## packs bin/release for OpenWrt and Debian, with signed feeds, into bin/openwrt
	$(GO) -C tools run ./openwrt -out ../bin/openwrt $(if $(VERSION),-version '$(VERSION)') \
		$(if $(OPKG_KEY),-opkg-key '$(abspath $(OPKG_KEY))') $(if $(APK_KEY),-apk-key '$(abspath $(APK_KEY))') \
		$(foreach arch,$(ARCHS),-bin $(arch)=../bin/release/hien-$(arch))

openwrt-test: deps-test ## holds the feeds in bin/openwrt to their formats, hashes and signatures
	$(GO) -C tools test -count=1 -run '^TestFeeds$$' ./openwrt -made ../../bin/openwrt

# Without OPENWRT_ROOT the router is played, and the program is the real one.
openwrt-root: ## a package's whole life in OPENWRT_ROOT, a root file system of OpenWrt's, or in a played one
ifdef OPENWRT_ROOT
	openwrt/rootfs-test '$(OPENWRT_ROOT)' '$(or $(PACKAGES),bin/openwrt)'
else
	@scripts/deps test
	@$(MAKE) --no-print-directory build
	HIEN_PROGRAM='$(CURDIR)/bin/hien' $(GO) test -count=1 -timeout $(TIMEOUT) -tags '$(TAGS) rootfs' -run Rootfs ./openwrt/openwrttest
endif

clean: ## removes what make made
	rm -rf bin

help: ## prints this menu
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 19

deps-test deps-check deps-demo: deps-%:
	@scripts/deps $*

deps-release deps-qemu: deps-%:
	@scripts/deps $* $(ARCHS)
