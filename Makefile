# Each target is one verb of crates/xtask; `cargo xtask --help` describes them.
.PHONY: help up down test check bench

help:
	@echo "make check   formatting, lints, unit tests and charts: no cluster"
	@echo "make up      a cluster with the product on it; the first run compiles for several minutes"
	@echo "make down    removes what \`make up\` left on the machine"
	@echo "make test    everything, the faults and the scenarios on a real cluster included"
	@echo "make bench   onepod beside its peers, on a machine that does nothing else"

up down test check bench:
	@command -v cargo >/dev/null || { echo "There is no Rust: install it from https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "There is no C compiler: apt-get install build-essential"; exit 1; }
	@cargo xtask $@
