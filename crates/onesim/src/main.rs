//! A simulated OpenNebula: one program that is oned, its drivers, the command line tools and the packager,
//! chosen by the name under which it is called or by the first argument.
//!
//! It exists for tests and for machines without the vendor's packages; it manages no hypervisor. What it
//! does is what was observed on the real software; what it cannot do, it refuses.

mod augeas;
mod cli;
mod clock;
mod config;
mod db;
mod driver;
mod guacd;
mod http;
mod log;
mod objects;
mod oned;
mod onedb;
mod package;
mod place;
mod release;
mod rpc;
mod schema;
mod store;
mod template;
mod xml;

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "the usage of the multi-call program")]
fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    let mut name = called.rsplit('/').next().unwrap_or_default().to_owned();
    let mut rest: Vec<String> = arguments.collect();
    if name == "onesim" && !rest.is_empty() {
        name = rest.remove(0);
    }
    let code = match name.as_str() {
        "oned" => oned::main(&rest),
        "onemonitord" => driver::monitord(&rest),
        "one_hm" => driver::hook_manager(&rest),
        "one_vmm_exec" | "one_vmm_dummy" | "one_tm" | "one_auth_mad" | "one_datastore" | "one_market"
        | "one_ipam" | "one_sched" | "one_im_exec" | "one_im_ssh" | "one_im_sh" => driver::idle(),
        "onedb" => onedb::main(&rest),
        "guacd" => guacd::main(&rest),
        "package" => package::main(&rest),
        tool if cli::TOOLS.contains(&tool) => cli::main(tool, &rest),
        other => {
            eprintln!("onesim: no program named {other:?}; see crates/onesim/src/main.rs");
            2
        }
    };
    ExitCode::from(code)
}
