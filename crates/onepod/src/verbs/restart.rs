//! `onepod restart`: stops and starts one service of the running pod, or has a task or timer run now, and says how it went.
//!
//! The work is the supervisor's; this verb asks for it through the control socket and waits.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hyper::Method;

use super::{EXIT_USAGE, complain, say};
use crate::board::status::Status;
use crate::board::{ServiceState, ServiceView};
use crate::health::control::Restarted;
use crate::http;
use crate::paths::Paths;

/// Time between two looks at the service.
const PAUSE: Duration = Duration::from_millis(100);

/// Time for one look at the service.
const LOOK: Duration = Duration::from_secs(5);

/// Arguments of `onepod restart`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Other services are left alone, also those that come after it. A task or a timer runs once, now.

Exit codes:
   0  it is ready again; the task or timer has succeeded
   1  it is not: the reason and its last lines are printed; or no pod answers
  64  there is no such name: those that there are are printed

Examples:
  onepod restart fireedge
  onepod restart --timeout 300 oned
  kubectl exec opennebula-0 -- onepod restart oneflow")]
pub struct Args {
    /// Service, task or timer, as `onepod status` lists them
    pub name: String,
    /// How long to wait until it is ready again, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    /// Directory under which the control socket lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Restarts and waits.
pub async fn run(args: Args) -> ExitCode {
    let socket = Paths::new(args.root).control();
    let limit = Duration::from_secs(args.timeout);
    let began = Instant::now();
    let path = format!("/restart/{}", escaped(&args.name));
    let answer = match http::through(&socket, Method::POST, &path, limit).await {
        Ok(answer) => answer,
        Err(error) => {
            complain(&format!("{error}; is `onepod run` at work in this container?"));
            return ExitCode::FAILURE;
        }
    };
    if answer.status != 200 {
        complain(answer.body.trim_end());
        return if answer.status == 404 {
            ExitCode::from(EXIT_USAGE)
        } else {
            ExitCode::FAILURE
        };
    }
    let done: Restarted = match serde_json::from_str(&answer.body) {
        Ok(done) => done,
        Err(error) => {
            complain(&format!("the pod's answer cannot be read: {error}"));
            return ExitCode::FAILURE;
        }
    };
    say(&format!("{}\n", told(&done)));
    if done.kind != "service" {
        return ExitCode::SUCCESS;
    }
    loop {
        let Ok(service) = look(&socket, &done.name).await else {
            complain("the pod no longer answers");
            return ExitCode::FAILURE;
        };
        let seconds = began.elapsed().as_secs_f64();
        match service {
            Some(service) if service.state == ServiceState::Ready => {
                say(&format!("{}: ready again after {seconds:.1} s\n", done.name));
                return ExitCode::SUCCESS;
            }
            Some(service) if ended_again(&service, &done) || began.elapsed() >= limit => {
                complain(&trouble(&service, seconds));
                return ExitCode::FAILURE;
            }
            Some(_) => tokio::time::sleep(PAUSE).await,
            None => {
                complain(&format!("{} has gone from the pod's list", done.name));
                return ExitCode::FAILURE;
            }
        }
    }
}

/// What was done, in a sentence.
fn told(done: &Restarted) -> String {
    let Restarted {
        name,
        kind,
        old_pid,
        new_pid,
        ..
    } = done;
    match (kind.as_str(), old_pid, new_pid) {
        ("service", Some(old), Some(new)) => format!("{name}: stopped (pid {old}) and started (pid {new})"),
        ("service", None, Some(new)) => format!("{name}: started (pid {new}); it did not run before"),
        ("service", ..) => format!("{name}: stopped and told to start"),
        _ => format!("{kind} {name}: has run and succeeded"),
    }
}

/// Whether the run that was asked for has already failed.
fn ended_again(service: &ServiceView, done: &Restarted) -> bool {
    matches!(
        service.state,
        ServiceState::Backoff | ServiceState::Failed | ServiceState::Stopping | ServiceState::Stopped
    ) || (service.pid.is_some() && done.new_pid.is_some() && service.pid != done.new_pid)
}

fn trouble(service: &ServiceView, seconds: f64) -> String {
    let cause = service
        .cause
        .as_deref()
        .or(service.last_exit.as_deref())
        .unwrap_or("no reason is known");
    let lines = service
        .last_lines
        .iter()
        .fold(String::new(), |lines, line| lines + "\n  " + line);
    format!(
        "{}: not ready again after {seconds:.1} s, it is {}: {cause}{lines}",
        service.name,
        service.state.name()
    )
}

async fn look(socket: &std::path::Path, name: &str) -> Result<Option<ServiceView>, ()> {
    let answer = http::through(socket, Method::GET, "/status", LOOK)
        .await
        .map_err(drop)?;
    let status: Status = serde_json::from_str(&answer.body).map_err(drop)?;
    Ok(status.services.into_iter().find(|service| service.name == name))
}

/// A name as part of a path: everything but letters, digits, `-` and `_` is escaped.
pub(super) fn escaped(name: &str) -> String {
    name.bytes().fold(String::new(), |path, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            path + &char::from(byte).to_string()
        } else {
            format!("{path}%{byte:02X}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_fits_into_a_path() {
        assert_eq!(escaped("one-flow_2"), "one-flow_2");
        assert_eq!(escaped("../a b?é"), "%2E%2E%2Fa%20b%3F%C3%A9");
    }

    #[test]
    fn what_was_done_is_told() {
        let done = |kind: &str, old_pid, new_pid| {
            told(&Restarted {
                name: "x".to_owned(),
                kind: kind.to_owned(),
                before: None,
                old_pid,
                new_pid,
            })
        };
        assert_eq!(
            done("service", Some(1), Some(2)),
            "x: stopped (pid 1) and started (pid 2)"
        );
        assert_eq!(
            done("service", None, Some(2)),
            "x: started (pid 2); it did not run before"
        );
        assert_eq!(done("timer", None, None), "timer x: has run and succeeded");
    }
}
