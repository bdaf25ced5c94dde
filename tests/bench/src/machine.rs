//! On what the figures were taken, in one line. Names of the machine's owner or network are left out.

use std::fs;

/// Processor, cores, memory and kernel.
pub(crate) fn described() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let gib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or_default()
        / (1024.0 * 1024.0);
    let kernel = rustix::system::uname();
    format!(
        "{cores} cores ({model}), {gib:.0} GiB, Linux {}",
        kernel.release().to_string_lossy()
    )
}
