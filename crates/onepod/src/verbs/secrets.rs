//! `onepod secrets`: makes the Secrets that an installation lacks. The chart's Job runs it before install and upgrade.
//!
//! A Secret that is absent is created; one that lacks keys gets those. A key that exists is never changed, whatever it
//! holds: its value may be the only copy of a password. Nothing is ever deleted, and no value is printed.

use std::collections::BTreeMap;
use std::process::ExitCode;

use self::error::SecretsError;
use self::reconcile::{Outcome, Reconciler};
use self::request::{KeyRequest, Label, Plan};
use crate::verbs::kubernetes;
use crate::verbs::{EXIT_USAGE, complain, say};

mod error;
mod kind;
mod reconcile;
mod request;
#[cfg(test)]
mod tests;

/// Arguments of `onepod secrets`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A key that must exist, and what to make it of when it does not: password, hex64, alphanumeric32 or ed25519
    #[arg(long = "key", value_name = "SECRET/KEY=KIND", required = true)]
    keys: Vec<KeyRequest>,
    /// A label for Secrets that are created
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Label>,
    /// Namespace of the Secrets; in a pod its own when left out
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

/// Runs the verb: exit 0 when every key exists now, 1 when one could not be made, 64 when the arguments contradict each
/// other.
pub async fn run(args: Args) -> ExitCode {
    let plan = match Plan::new(args.keys, args.labels) {
        Ok(plan) => plan,
        Err(mistake) => {
            complain(&mistake);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let reconciler = match connect(args.namespace, plan.labels().clone()).await {
        Ok(reconciler) => reconciler,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    // Every Secret is tried, so that one run reports everything there is to mend.
    for (name, keys) in plan.secrets() {
        match reconciler.reconcile(name, keys).await {
            Ok(outcome) => say(&format!("{}\n", sentence(name, &outcome))),
            Err(error) => {
                complain(&error.to_string());
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

async fn connect(
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
) -> Result<Reconciler, SecretsError> {
    Reconciler::new(kubernetes::configuration().await?, namespace, labels)
}

fn sentence(name: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Complete => format!("Secret {name}: complete"),
        Outcome::Created(keys) => format!("Secret {name}: created with {}", listed(keys)),
        Outcome::Added(keys) => format!("Secret {name}: added {}", listed(keys)),
    }
}

fn listed(keys: &[String]) -> String {
    let noun = if keys.len() == 1 { "key" } else { "keys" };
    format!("{noun} {}", keys.join(", "))
}
