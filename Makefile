# Each target is one verb of crates/xtask; `cargo xtask --help` describes them.
.PHONY: up down test check bench

up down test check bench:
	@command -v cargo >/dev/null || { echo "There is no Rust: install it from https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "There is no C compiler: apt-get install build-essential"; exit 1; }
	@cargo xtask $@
