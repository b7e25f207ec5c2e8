# The only front door: `make help` lists what it can do.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
KIT := tools/kit

# The variables of `make help` count on make's command line. tools/ have LINUX= as CPUHP_LINUX in their environment, and
# from there it comes too; an exported LINUX or QEMU is somebody else's. Nor is what make exports a matter of other makes.
variables := $(shell sed -n 's/^\#V \([A-Z_]*\).*/\1/p' Makefile)
$(foreach name,$(variables),$(if $(filter command,$(firstword $(origin $(name)))),\
	$(eval export CPUHP_$(name) := $$(value $(name)))))
unexport $(variables) MAKEFLAGS MFLAGS MAKELEVEL

install := $(if $(CPUHP_NOINSTALL),,@tools/install)
install-check := $(if $(CPUHP_NOINSTALL),,@tools/install check)
linux := $(if $(CPUHP_LINUX),--linux $(CPUHP_LINUX))

help: ## this list
	@echo 'usage: make COMMAND [VARIABLE=value ...]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12
	@echo
	@sed -n 's/^#V \([A-Z_]*\) *\(.*\)/  \1=\t\2/p' Makefile | expand -t 19
	@echo
	@printf '  bases there: '; ls -d linux/*/series qemu/*/series | sed 's,/series,,' | tr '\n' ' '; echo

#V LINUX     kernel base, such as 6.1 (default: the lowest there is; check: all)
#V QEMU      QEMU base, such as 10.0 (default: the lowest there is)
#V TEST      check: only the tests whose names match (pytest -k); lint: only checks of that name
#V DEBUG     check: with a kernel that notices more, lockdep or kasan
#V SUITE     check-all: only the suites whose names match, such as linux-6.12 or soak-*
#V QEMU_SANITIZE  check: with a QEMU under ASan and UBSan
#V LINT      lint: LINT=all compiles also what a prefixes.good knows
#V KDIR      your own Linux tree instead of Debian's source; it is only read
#V QDIR      your own QEMU tree instead of Debian's source; it is only read
#V OUT       series: the directory to write to
#V PART      series: only up to the end of this part: core, complete, hardening, cost or optional; check: PART=core
#V A         compare: a kernel base
#V B         compare: another one
#V CYCLES    soak, check-all: how many add/eject cycles (default 1000)
#V SEED      soak: the seed that an earlier run printed, for the same random order
#V SECONDS   fuzz, check-all: how long (default 60, 300)
#V DISCARD   tree: DISCARD=1 throws away what you changed in work/
#V FORCE     refresh: FORCE=1 writes work/ back even if linux/ or qemu/ changed since; check-all: it runs also what has passed
#V QEMU_EFI  the guest's firmware instead of Debian's QEMU_EFI.fd
#V JOBS      how many jobs to run at once (default: the number of CPUs)
#V MIRROR    "main [security]" Debian mirrors, if the apt setup of the machine names none
#V NOINSTALL NOINSTALL=1 installs no packages

demo: build-demo ## from nothing to a CPU that comes and goes in a running guest
	@tools/demo $(linux)

vm: build-demo ## a shell in the guest, with QEMU's monitor at hand
	@tools/vm $(linux)

soak: build-demo ## 1000 add/online/work/eject cycles in one VM
	@tools/soak $(linux) $(if $(CPUHP_CYCLES),--cycles $(CPUHP_CYCLES)) $(if $(CPUHP_SEED),--seed $(CPUHP_SEED))

bench: build-bench ## what absent CPUs cost and how fast a new one is there, into docs/bench.md
	@tools/bench $(linux)

fuzz: ## what reads the MADT and _MAT, under libFuzzer, ASan and UBSan, for SECONDS=
	$(install-check)
	@$(KIT) tree linux
	@tools/fuzz $(linux) $(if $(CPUHP_SECONDS),--seconds $(CPUHP_SECONDS))

check: ## all tests; the last line says N passed, N failed, N skipped
	$(install)
	@$(KIT) check

check-all: ## every suite, and debug kernels, sanitizers, soak, fuzz; into docs/results.md, hours; one suite: SUITE=
	$(install)
	@$(KIT) check-all

lint: ## what every patch and tool must fulfil: style, round trip, each prefix compiles
	$(install-check)
	@$(KIT) lint

build: build-demo ## kernel, QEMU and initramfs into out/, and nothing more

build-demo:
	$(install)
	@$(KIT) build linux qemu initramfs

build-bench:
	$(if $(CPUHP_NOINSTALL),,@tools/install bench)
	@for base in $(or $(CPUHP_LINUX),$(patsubst linux/%/series,%,$(wildcard linux/*/series))); do \
		$(KIT) --linux $$base build linux linux-base qemu initramfs || exit; done

tree: ## work/: the sources with the series applied, one commit per patch
	$(install)
	@$(KIT) tree

refresh: ## write the commits of work/ back to linux/ and qemu/
	@$(KIT) refresh

series: ## OUT=dir: the complete mailbox series of LINUX=, for git am
	$(install)
	@$(KIT) series

parts: ## the table of the parts and patches in docs/how-it-works.md
	@$(KIT) parts

compare: ## A=6.1 B=6.12: patch by patch, how the series of two kernel bases differ
	$(install)
	@$(KIT) compare

clean: ## remove out/ and the build directories in work/; the trees stay
	rm -rf out work/*/build work/*/build-*

.PHONY: help demo vm soak bench fuzz check check-all lint build build-demo tree refresh series parts compare clean
