//! `onepod probe`: asks the running pod for its health, for exec probes and Docker's HEALTHCHECK.

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use super::{complain, say};
use crate::http;

/// Time for the whole question.
const LIMIT: Duration = Duration::from_secs(3);

/// Arguments of `onepod probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to ask
    #[arg(value_enum)]
    pub what: Question,
    /// Where the pod answers, as in `ONEPOD_LISTEN`
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "ONEPOD_LISTEN",
        hide_env_values = true,
        default_value = "0.0.0.0:8080"
    )]
    pub listen: std::net::SocketAddr,
}

/// The questions.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Question {
    /// Does PID 1 work?
    Live,
    /// Does the API answer?
    Ready,
    /// Is the start over?
    Startup,
}

/// Asks, prints the answer, and exits with 0 for yes or 1 for no.
pub async fn run(args: Args) -> ExitCode {
    let path = match args.what {
        Question::Live => "/livez",
        Question::Ready => "/readyz",
        Question::Startup => "/startupz",
    };
    match http::get(&url(args.listen, path), LIMIT).await {
        Ok(answer) => {
            say(&answer.body);
            if answer.status == 200 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The URL at which a pod that listens so is reached from inside.
pub(super) fn url(listen: std::net::SocketAddr, path: &str) -> String {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(match listen {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_listens_everywhere_is_asked_at_home() {
        assert_eq!(
            url("0.0.0.0:8080".parse().unwrap(), "/livez"),
            "http://127.0.0.1:8080/livez"
        );
        assert_eq!(url("[::]:80".parse().unwrap(), "/livez"), "http://[::1]:80/livez");
        assert_eq!(url("10.0.0.1:80".parse().unwrap(), "/"), "http://10.0.0.1:80/");
    }
}
