# The menu. `make help` prints it.

GO      ?= go
TAGS    := sqlite_omit_load_extension netgo osusergo
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null | sed 's/^v//')
LDFLAGS := -s -w -linkmode external -extldflags -static $(if $(VERSION),-X github.com/hien-wifi/hien.Version=$(VERSION))
FUZZTIME ?= 20s
BENCH   ?= .
TIMEOUT ?= 12m
CROSS   ?= arm64 mipsle

# SQLite is compiled for size: it is a router. Every target uses the same
# flags, so that it is compiled once.
export CGO_CFLAGS := -Os
export GOFLAGS := $(GOFLAGS) -trimpath -buildvcs=false

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: build test demo check fuzz bench size clean help deps-test deps-demo

build: ## builds bin/hien, bin/hien-demo and bin/hien-verify
	$(GO) build -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o bin/ ./cmd/hien ./cmd/hien-demo ./cmd/hien-verify

# With SUMMARY=1 the results are counted and a skipped test is a failure. What
# the browser has seen is kept in bin/artifacts.
test: export HIEN_ARTIFACTS ?= $(CURDIR)/bin/artifacts
test: deps-test ## installs what tests lack, then runs all of them
ifdef SUMMARY
	@mkdir -p bin
	@$(GO) -C tools build -o ../bin/testsummary ./testsummary
	$(GO) test -json -tags '$(TAGS)' -timeout $(TIMEOUT) ./... | bin/testsummary -noskip
else
	$(GO) test -tags '$(TAGS)' -timeout $(TIMEOUT) ./...
endif

demo: deps-demo build ## one shopper, end to end, in a small world (STAY=1 leaves it up)
	bin/hien-demo -hien bin/hien $(if $(STAY),-stay) $(if $(ARTIFACTS),-artifacts '$(ARTIFACTS)')

check: ## gofmt, vet, vet for other machines without cgo, staticcheck, the shape of the house, shell scripts
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not in gofmt's form:" $$unformatted; exit 1; }
	$(GO) vet -tags '$(TAGS)' ./...
	for arch in $(CROSS); do CGO_ENABLED=0 GOARCH=$$arch $(GO) vet -tags '$(TAGS)' ./...; done
	$(GO) -C tools vet ./...
	$(GO) -C tools test ./...
	$(GO) tool -modfile=tools/go.mod staticcheck -tags '$(TAGS)' ./...
	$(GO) test -tags '$(TAGS)' -run '^Test(House|Dependencies)' .
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run scripts/*; else echo "shellcheck is not installed: scripts were not looked at"; fi

fuzz: ## runs each fuzz target for FUZZTIME (20s)
	scripts/fuzz '$(GO)' '$(TAGS)' '$(FUZZTIME)'

bench: deps-test ## prints the figures of all benchmarks (BENCH=regexp picks)
	$(GO) test -tags '$(TAGS)' -run '^$$' -bench '$(BENCH)' -benchmem -timeout 30m ./...

size: build ## prints the size of the router's binary and what makes it up
	@stat -c '%n: %s bytes' bin/hien
	@if command -v xz >/dev/null; then printf 'as xz: %s bytes\n' "$$(xz -c bin/hien | wc -c)"; fi
	@$(GO) list -deps -tags '$(TAGS)' -f '{{with .Module}}{{.Path}} {{.Version}}{{end}}' ./cmd/hien | sort -u

clean: ## removes what make made
	rm -rf bin

help: ## prints this menu
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

deps-test deps-demo: deps-%:
	@scripts/deps $*
