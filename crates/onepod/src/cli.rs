//! The command line: which verbs there are, and what their help says of examples and exit codes. What a verb does, and its
//! own arguments, stand in its file under `verbs/`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::verbs::{
    EXIT_USAGE, check, discover, layout, logs, probe, render, restart, run, secrets, ssh_key, status, verify,
};

/// PID 1 of the OpenNebula image: prepares the front-end, supervises its services, and answers for their health
#[derive(Debug, Parser)]
#[command(
    name = "onepod",
    version,
    about,
    after_help = "\
Everything but `run`, `secrets` and `discover` is for people and probes, inside of the container:

  kubectl exec opennebula-0 -- onepod status      what runs, and what is wrong
  kubectl exec opennebula-0 -- onepod logs oned   what it said last
  kubectl exec opennebula-0 -- onepod restart fireedge
  kubectl exec opennebula-0 -- onepod ssh-key     what hypervisors must let in

`onepod help VERB` has examples and exit codes. In all verbs 64 stands for settings, names or arguments that cannot be used."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// One verb of the command line.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Prepare the front-end and supervise its services (the image's entrypoint)
    #[command(after_help = "\
Settings come from the environment, from files that its *_FILE variables name, and from the YAML file that ONEPOD_CONFIG names;
`onepod check` prints what comes of them. SIGTERM stops the services in good order, a second one at once.

Exit codes:
   0  it was asked to stop, and everything has stopped
   1  it could not go on: the reason is on standard error and in the termination message
  64  settings that cannot be used, every mistake named; nothing was written

Examples:
  onepod run
  docker run -e DB_BACKEND=sqlite -v one:/var/lib/one -p 2616:2616 pablodelarco/opennebula")]
    Run(run::Args),
    /// Validate the settings and print the plan
    #[command(after_help = "\
It reads what `onepod run` would read, and writes nothing.

Exit codes:
   0  the settings can be used
   1  the image itself is not whole
  64  mistakes: all of them are listed, with the name of the setting and where its value comes from

Examples:
  onepod check
  onepod check --diff
  kubectl exec opennebula-0 -- onepod check")]
    Check(check::Args),
    /// Make the directories and files of the volumes before anything is mounted in them (the chart's init container)
    #[command(after_help = "\
For a mount whose parent directories do not exist, such as /var/lib/one/datastores/100 on a fresh volume or a single file
below /etc/one/auth, the container runtime makes them as root, and onepod cannot write there. Run this before, in an
init container with the same volumes at /var/lib/one and /etc/one and without that mount. It may be repeated.

Exit codes:
   0  everything is in place
   1  something could not be made: the reason is on standard error

Examples:
  onepod layout
  docker run --rm -v one:/var/lib/one pablodelarco/opennebula layout")]
    Layout(layout::Args),
    /// Write OpenNebula's configuration files and start nothing (maintenance)
    #[command(after_help = "\
The vendor's tools read the database's address and password from /etc/one/oned.conf. This writes the files below /etc/one as
`onepod run` would, and does nothing while a front-end runs in the container.

Exit codes:
   0  the files are written
   1  they cannot be written, or a front-end runs: the reason is on standard error
  64  settings that cannot be used, every mistake named; nothing was written

Examples:
  onepod render
  onepod render && onedb fsck --dry")]
    Render(render::Args),
    /// Print the JSON Schema of the file with values for OpenNebula's configuration
    #[command(after_help = "\
Editors and the chart check the file with it while it is written.

Exit codes:
   0  always

Examples:
  onepod schema > onepod.schema.json")]
    Schema,
    /// Ask the running pod for its health
    #[command(after_help = "\
The pod answers from what its own probes know: asking costs it nothing.

Exit codes:
   0  yes
   1  no, with the reasons; or no pod answers

Examples:
  onepod probe ready
  docker run --health-cmd 'onepod probe ready' ...")]
    Probe(probe::Args),
    /// Show what the running pod does: services, timers, stages, database, errors
    Status(status::Args),
    /// Stop one service of the running pod and start it again, or run a task or timer now
    Restart(restart::Args),
    /// Print the last lines of a service of the running pod, and follow them
    Logs(logs::Args),
    /// Print the front-end's public ssh keys, for the hypervisors
    SshKey(ssh_key::Args),
    /// Log in and reach every part of a running OpenNebula (the helm test)
    #[command(after_help = "\
The password is taken from ONEADMIN_PASSWORD, or from the file that ONEADMIN_PASSWORD_FILE names.

Exit codes:
   0  every check has passed
   1  one has not: it is named, with the reason
  64  the password or an argument cannot be used

Examples:
  onepod verify --api http://opennebula:2633/RPC2 --fireedge http://opennebula:2616
  helm test opennebula")]
    Verify(verify::Args),
    /// Make the Secrets that are missing (the chart's Job)
    #[command(after_help = "\
It needs a service account that may read and write the Secrets. What exists is never changed.

Exit codes:
   0  every key exists now
   1  one could not be made
  64  the arguments contradict each other

Examples:
  onepod secrets --key opennebula/password=password --key opennebula/one_key=hex64")]
    Secrets(secrets::Args),
    /// Write the address of monitord's load balancer into a file, once there is one (the chart's init container)
    #[command(after_help = "\
It needs a service account that may get and watch that one Service. Where there is no address in
time, the file is empty: in OPENNEBULA_MONITOR_ADDRESS_FILE that stands for auto.

Exit codes:
   0  the file is written: with the address, or empty with a warning
   1  it could not be written, or the service account may not read the Service
  64  there is no such Service, it is not of type LoadBalancer, or an argument cannot be used

Examples:
  onepod discover --service opennebula-monitord --output /run/monitord/address
  onepod discover --namespace cloud --service opennebula-monitord --output address --timeout 10s")]
    Discover(discover::Args),
    /// Run the services of one file without preparing anything, to try a services.toml
    #[command(hide = true)]
    Supervise(run::SuperviseArgs),
}

/// The program's command line; otherwise help or a mistake has been printed, and this is the exit code.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        // A closed output is nothing to fail about.
        let _ = error.print();
        if error.use_stderr() {
            ExitCode::from(EXIT_USAGE)
        } else {
            ExitCode::SUCCESS
        }
    })
}

#[cfg(test)]
mod tests;
