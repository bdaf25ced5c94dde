//! The command line: which verbs there are. What a verb does, and its own arguments, stand in its file under `verbs/`.

use clap::{Parser, Subcommand};

use crate::verbs::{check, logs, probe, restart, run, secrets, status, verify};

/// PID 1 of the OpenNebula image.
#[derive(Debug, Parser)]
#[command(name = "onepod", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// One verb of the command line.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Prepare the front-end and supervise its services (the image's entrypoint)
    Run(run::Args),
    /// Validate the settings and print the plan; exit 64 lists every mistake
    Check(check::Args),
    /// Print the JSON Schema of the file with values for OpenNebula's configuration
    Schema,
    /// Ask the running pod for its health; exit 0 is yes
    Probe(probe::Args),
    /// Show services, states, restarts and memory of the running pod
    Status(status::Args),
    /// Stop one service of the running pod and start it again, or run a task or timer now
    Restart(restart::Args),
    /// Print the last lines of a service of the running pod, and follow them
    Logs(logs::Args),
    /// Log in and reach every part of a running OpenNebula (the helm test)
    Verify(verify::Args),
    /// Make the Secrets that are missing (the chart's Job)
    Secrets(secrets::Args),
    /// Run the services of one file without preparing anything, to try a services.toml
    #[command(hide = true)]
    Supervise(run::SuperviseArgs),
}
