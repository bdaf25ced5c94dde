//! The daemon's child processes: they talk over pipes and end when the pipe does.
//!
//! Each is this same program under the driver's name. A driver that does not say `INIT SUCCESS` ends the
//! start, as it does for the real daemon.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Running drivers; dropping it closes their pipes, which ends them.
#[derive(Debug, Default)]
pub(crate) struct Drivers {
    #[expect(
        clippy::disallowed_types,
        reason = "the simulated daemon owns its drivers, as the real one does"
    )]
    children: Vec<std::process::Child>,
}

impl Drivers {
    /// Starts one driver and waits until it says that it is ready.
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulated daemon owns its drivers, as the real one does"
    )]
    pub(crate) fn start(&mut self, mads: &Path, executable: &str, arguments: &str) -> Result<(), String> {
        let program = mads.join(executable);
        let mut child = Command::new(&program)
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let mut first = String::new();
        if let Some(out) = child.stdout.take() {
            // The driver writes nothing after this line, so its end of the pipe may close.
            let _ = BufReader::new(out).read_line(&mut first);
        }
        let ready = first.contains("INIT SUCCESS");
        self.children.push(child);
        if ready {
            Ok(())
        } else {
            Err(format!("{} did not start", program.display()))
        }
    }

    /// Closes the pipes and waits for every driver.
    pub(crate) fn stop(&mut self) {
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
        self.children.clear();
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        self.stop();
    }
}
