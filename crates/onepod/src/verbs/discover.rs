//! `onepod discover`: waits until the Service of monitord has the address of a load balancer, and writes it into a file. An
//! init container of the chart runs it, so that the front-end itself has no access to the Kubernetes API.
//!
//! A load balancer that does not come delays the front-end and does not stop it: after the timeout the file is empty, which
//! stands for `auto`. Deliberately absent: a look at the address after that. monitord reads it once, at its start.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::sleep;

use self::error::DiscoverError;
use self::search::{Found, Search};
use crate::format;
use crate::prepare::files;
use crate::sys::StopRequests;
use crate::verbs::{EXIT_USAGE, complain, kubernetes, say};

mod error;
mod search;
#[cfg(test)]
mod tests;

/// Whoever runs in the pod may read the address: it is no secret.
const MODE: u32 = 0o644;

/// Longest time that may be asked for.
const LONGEST: Duration = Duration::from_hours(24);

/// Arguments of `onepod discover`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the Service, which must be of type `LoadBalancer`
    #[arg(long, value_name = "NAME", value_parser = label)]
    service: String,
    /// File for the address; it is replaced in one step
    #[arg(long, value_name = "FILE", value_parser = file)]
    output: PathBuf,
    /// Namespace of the Service; in a pod its own when left out
    #[arg(long, value_name = "NAME", value_parser = label)]
    namespace: Option<String>,
    /// How long to wait for the address, for example 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    timeout: Duration,
}

/// Runs the verb: exit 0 when the file is written, with the address or empty after the timeout; 1 when it could not be,
/// 64 when there is no such Service or when it is of another type.
pub async fn run(args: Args) -> ExitCode {
    // PID 1 of a container does not get a signal that it does not ask for.
    let mut stop = match StopRequests::listen() {
        Ok(stop) => stop,
        Err(error) => return refuse(&DiscoverError::Signals(error)),
    };
    tokio::select! {
        written = discover(&args) => match written {
            Ok(Written { sentence, warning }) => {
                say(&format!("{sentence}\n"));
                if let Some(warning) = warning {
                    complain(&warning);
                }
                ExitCode::SUCCESS
            }
            Err(error) => refuse(&error),
        },
        () = stop.next() => refuse(&DiscoverError::Stopped),
    }
}

fn refuse(error: &DiscoverError) -> ExitCode {
    complain(&error.to_string());
    match error {
        DiscoverError::Missing { .. } | DiscoverError::Type { .. } => ExitCode::from(EXIT_USAGE),
        _ => ExitCode::FAILURE,
    }
}

async fn discover(args: &Args) -> Result<Written, DiscoverError> {
    let config = kubernetes::configuration().await?;
    let search = Search::new(config, args.namespace.clone(), &args.service)?;
    let found = search
        .run(sleep(args.timeout), &|line| say(&format!("{line}\n")))
        .await?;
    write(&search, &found, args)
}

/// What was written, in words.
#[derive(Debug)]
struct Written {
    sentence: String,
    warning: Option<String>,
}

fn write(search: &Search, found: &Found, args: &Args) -> Result<Written, DiscoverError> {
    let (service, output) = (search.service(), args.output.display());
    let (content, written) = match found {
        Found::Address(address) => (
            format!("{address}\n"),
            Written {
                sentence: format!(
                    "the load balancer of {service} has the address {address}: written to {output}"
                ),
                warning: None,
            },
        ),
        Found::Nothing(reason) => {
            let waited = SignedDuration::try_from(args.timeout).unwrap_or(SignedDuration::MAX);
            let waited = format::span(waited);
            (
                String::new(),
                Written {
                    sentence: format!("{output} is written and empty"),
                    warning: Some(format!(
                        "warning: no address for {service} within {waited}: {reason}. The front-end starts without it: \
                         each hypervisor sends its monitoring data to the address from which the ssh connection came to \
                         it (auto). Where that is not right, set monitord.advertisedAddress, or restart the pod once the \
                         Service has an address: {}",
                        search.command()
                    )),
                },
            )
        }
    };
    files::write(&args.output, content.as_bytes(), MODE)?;
    Ok(written)
}

/// The name of a Service or a namespace.
fn label(text: &str) -> Result<String, String> {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let usable = text.len() <= 63
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || c == '-');
    if usable {
        Ok(text.to_owned())
    } else {
        Err(
            "give 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends"
                .to_owned(),
        )
    }
}

/// A file that can be there: it is known before the wait, not after it.
fn file(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let directory = match path.parent() {
        Some(directory) if directory.as_os_str().is_empty() => Path::new("."),
        Some(directory) => directory,
        None => return Err("give the path of a file".to_owned()),
    };
    match directory.metadata() {
        Ok(_) if path.is_dir() => Err(format!("{text} is a directory: give the path of a file")),
        Ok(found) if found.is_dir() => Ok(path.to_owned()),
        Ok(_) => Err(format!("{} is no directory", directory.display())),
        Err(error) => Err(format!(
            "{}: {error}: mount a volume there, an emptyDir for example",
            directory.display()
        )),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let next = "give a time from 1s to 24h, for example 90s or 2m";
    let given: SignedDuration = text.parse().map_err(|_| next.to_owned())?;
    Duration::try_from(given)
        .ok()
        .filter(|given| (Duration::from_secs(1)..=LONGEST).contains(given))
        .ok_or_else(|| next.to_owned())
}
