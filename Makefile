# quorate: `make demo` shows it, `make test` proves it. Each does its own set-up. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
BIN       := bin
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X main.version=$(VERSION)
GOBUILD    = $(GO) build -ldflags '$(LDFLAGS)'
# One setting for all but the race detector, so that everything is compiled once.
export CGO_ENABLED = 0
# The packages that need neither root nor namespaces nor another kernel.
UNIT       = $(shell $(GO) list ./... | grep -v /integration)
# Those of them that know neither time nor a kernel.
PURE       = $(shell $(GO) list ./fsm ./config/...)
# Long schedules of faults in virtual time, in ./agent and ./cluster/...; no others are called so.
SCHEDULES  = ^Test(FallbackSchedules|FallbackMutants|Sim.*|Walks.*)$$

# Debian packages: what `make test` needs beyond Go, each with the file that shows that it is there.
PACKAGES  := gcc:/usr/bin/gcc libc6-dev:/usr/include/stdlib.h kmod:/sbin/depmod user-mode-linux:/usr/bin/linux.uml \
             ipvsadm:/sbin/ipvsadm keepalived:/usr/sbin/keepalived nftables:/usr/sbin/nft qemu-system-x86:/usr/bin/qemu-system-x86_64 \
             nginx:/usr/sbin/nginx openssl:/usr/bin/openssl haproxy:/usr/sbin/haproxy dnsmasq-base:/usr/sbin/dnsmasq exim4-daemon-light:/usr/sbin/exim4 etcd-server:/usr/bin/etcd \
             redis-server:/usr/bin/redis-server mariadb-server-core:/usr/sbin/mariadbd postgresql:/usr/lib/postgresql \
             bird2:/usr/sbin/bird frr:/usr/lib/frr/vrrpd
# A stock kernel for test-stock, downloaded and unpacked there, never installed.
export QUORATE_STOCK_KERNEL ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/quorate/stock-kernel

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/quorate and bin/quorate-lab (static, no cgo)
	@mkdir -p $(BIN)
	$(GOBUILD) -o $(BIN)/ ./cmd/quorate ./cmd/quorate-lab

.PHONY: demo
demo: need-root build ## three directors in network namespaces, real traffic, one of everything that goes wrong (60 s)
	$(BIN)/quorate-lab demo

.PHONY: test
test: need-root deps build lint test-unit test-beside test-ipvs ## everything, on this machine; at most 30 minutes on two cores
	@echo "make test: all passed"

.PHONY: check
check: ## the fast subset for every save: vet, unit tests without the race detector; under two minutes
	$(GO) vet ./...
	$(GO) test -short $(UNIT) ./integration/sim/...

.PHONY: test-unit
test-unit: ## the other unit tests under the race detector; the commands' without, which start a process for each line of a script
	CGO_ENABLED=1 $(GO) test -race -timeout 8m -skip '$(SCHEDULES)' $(filter-out %/cmd/quorate %/cmd/quorate-lab $(PURE),$(UNIT))
	$(GO) test -timeout 8m ./cmd/...
	$(GO) test ./cluster -run 'NewAddress'

.PHONY: test-pure
test-pure: ## the unit tests of what has neither time nor a kernel, or virtual time alone, under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(PURE)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m -run '$(SCHEDULES)' ./agent ./cluster ./cluster/lease

.PHONY: test-cross
test-cross: ## it builds for arm64, and the client commands for darwin
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/quorate
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/quorate

.PHONY: test-sim
test-sim: ## fault schedules in virtual time, and the planted mutants that they must catch
	$(GO) test -timeout 20m ./integration/sim/...

# The hosts wait for most of the time. What knows no real time, or only its own guest's, fills it, with what the processors have left: a lease must not notice.
.PHONY: test-beside
test-beside: need-root ## test-hosts, and beside it test-pure, test-cross, test-sim, test-stock and test-fuzz
	$(MAKE) -j2 -Oline --no-print-directory test-hosts test-idle

# The stock kernel's guest is first and by itself: some minutes later a fault of the hosts (TestMatrix/hosts/cpu) takes all processors for ten seconds, for which what is idle
# stands still. Nothing else of it has deadlines in real time.
.PHONY: test-idle
test-idle:
	chrt --idle 0 $(MAKE) --no-print-directory test-stock
	chrt --idle 0 $(MAKE) --no-print-directory test-pure test-cross test-sim test-fuzz

# By a count, for about 60 s of one processor: a time that ends while a worker waits for one is reported as a failure (go.dev/issue/75804). Of the other targets the
# corpus is run with the unit tests: whether chance finds an input that is new is for make fuzz to say, not for the judgement of a change.
.PHONY: test-fuzz
test-fuzz: ## what anybody on the link may send, fuzzed from the corpus that is kept
	$(GO) test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime 900000x -fuzzminimizetime 10x -parallel 1 ./vip/vrrp

.PHONY: test-hosts
test-hosts: need-root ## whole clusters of the real program on hosts in network namespaces
	$(GO) test -timeout 17m -count=1 -p 1 ./integration ./integration/checks ./integration/lab ./integration/matrix

.PHONY: test-ipvs
test-ipvs: deps ## the same on a kernel that has IPVS (User-Mode Linux)
	$(GO) test -timeout 12m -count=1 ./integration/guest/... ./integration/uml/...

.PHONY: test-stock
test-stock: deps stock-kernel ## what needs IPVS beside nftables, on a stock Debian kernel (QEMU)
	$(GO) test -timeout 8m -count=1 ./integration/qemu/...

.PHONY: stock-kernel
stock-kernel: ## download and unpack Debian's cloud kernel for test-stock; nothing is installed
	@integration/qemu/fetch.sh $(QUORATE_STOCK_KERNEL) || echo "without a stock kernel its tests are skipped"

.PHONY: bench
bench: need-root deps build ## failover beside keepalived, idle cost, every fault (an hour)
	$(BIN)/quorate-lab bench failover --runs 10
	$(BIN)/quorate-lab bench idle
	$(BIN)/quorate-lab bench many
	$(BIN)/quorate-lab bench matrix
	$(MAKE) bench-lvs bench-health

.PHONY: bench-lvs
bench-lvs: need-root deps build ## programming IPVS beside ipvsadm and keepalived, on a kernel that has it (User-Mode Linux; three minutes)
	$(GO) run ./integration/uml/cmd/uml-run --memory 3G --timeout 15m $(CURDIR)/$(BIN)/quorate-lab bench lvs --dir /run --output text

.PHONY: bench-health
bench-health: need-root deps build ## what checks cost, beside keepalived on a kernel with IPVS (User-Mode Linux), and how soon a dead server is out (five minutes)
	$(BIN)/quorate-lab bench health --output text
	$(GO) run ./integration/uml/cmd/uml-run --memory 3G --timeout 15m $(CURDIR)/$(BIN)/quorate-lab bench health --keepalived --dir /run --output text

.PHONY: fuzz
# Left alone, go test makes each input of some kilobytes that reaches something new smaller for a minute, and tries no others meanwhile.
fuzz: ## every fuzz target for FUZZTIME (default 20s) each
	@for p in $$(grep -rl --include='*_test.go' 'func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -ho 'func Fuzz[A-Za-z0-9]*' $$p/*_test.go | cut -d' ' -f2); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-20s} -fuzzminimizetime 10x $$p; done; done

.PHONY: lint
lint: ## gofmt, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt'd: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: generate
generate: ## write again what is generated from the code: docs/reference, and the BPF object where clang is installed
	$(GO) generate ./...

.PHONY: deps
deps: ## install the Debian packages that the tests need
	@missing=""; for p in $(PACKAGES); do [ -e "$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "missing:$$missing — as root: apt-get install$$missing"; exit 1; fi; \
	  echo "installing$$missing"; integration/deps.sh $$missing; fi

.PHONY: need-root
need-root:
	@[ "$$(id -u)" = 0 ] || { echo "this target makes network namespaces: run it as root (sudo make $(MAKECMDGOALS))"; exit 1; }

.PHONY: clean
clean: ## remove what the build made
	rm -rf $(BIN)
