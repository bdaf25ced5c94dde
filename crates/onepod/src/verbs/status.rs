//! `onepod status`: what the running pod is doing, as tables for people or as JSON, once or again and again; and, when asked
//! for by name, oneadmin's password.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;
use jiff::Timestamp;

use super::probe::url;
use super::{complain, say};
use crate::board::status::Status;
use crate::http::{self, HttpError};
use crate::paths::Paths;

mod credentials;
mod table;
mod tables;
mod terminal;

use terminal::{Screen, View};

/// Time for the whole question.
const LIMIT: Duration = Duration::from_secs(5);

/// Arguments of `onepod status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The same is shown to a browser at http://POD:8080/status. Colours are used on a terminal only, and not where NO_COLOR is set.

Exit codes:
   0  the pod has answered; whether it is ready is what `onepod probe ready` tells
   1  no pod answers, or there is no password yet

Examples:
  onepod status
  onepod status --watch
  docker exec opennebula onepod status --credentials
  onepod status --json | jq '.services[] | select(.state != \"ready\")'
  kubectl exec -it opennebula-0 -- onepod status --watch 1")]
pub struct Args {
    /// Print the pod's answer as JSON, on one line
    #[arg(long)]
    pub json: bool,
    /// Ask again every so many seconds (2 when left out), until Ctrl-C; on a terminal the tables stay in their place
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch: Option<u64>,
    /// Print oneadmin's name and password, and nothing else; it is in no log and on no page
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub credentials: bool,
    /// Where the pod answers, as in `ONEPOD_LISTEN`; asked where its control socket cannot be opened
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "ONEPOD_LISTEN",
        hide_env_values = true,
        default_value = "0.0.0.0:8080"
    )]
    pub listen: SocketAddr,
    /// Directory under which the credentials lie; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Asks and prints; exits with 1 when there is no answer.
pub async fn run(args: Args) -> ExitCode {
    let answer = match args.watch {
        Some(seconds) => return watch(&args, Duration::from_secs(seconds)).await,
        None if args.credentials => {
            credentials::shown(&Paths::new(args.root)).map_err(|error| error.to_string())
        }
        None => ask(&args, View::of_stdout()).await,
    };
    match answer {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            complain(&reason);
            ExitCode::FAILURE
        }
    }
}

/// Shows the pod's state again and again. A pod that does not answer is shown as that: it may be about to begin.
async fn watch(args: &Args, pause: Duration) -> ExitCode {
    let mut screen = Screen::begin(args.json);
    let mut answered = false;
    let mut ended = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let text = match ask(args, View::of_stdout()).await {
            Ok(text) => {
                answered = true;
                text
            }
            Err(reason) => format!("{reason}\n"),
        };
        if screen.show(&text).is_err() {
            break;
        }
        tokio::select! {
            _ = &mut ended => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    screen.end();
    if answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One answer as text; the error is a sentence.
async fn ask(args: &Args, view: View) -> Result<String, String> {
    let socket = Paths::new(&args.root).control();
    let answer = match http::through(&socket, Method::GET, "/status", LIMIT).await {
        // From elsewhere than the pod's own user there is the page, without the lines of services.
        Err(HttpError::Connect { .. }) => http::get(&url(args.listen, "/status"), LIMIT).await,
        answer => answer,
    };
    let answer = answer.map_err(|error| format!("{error}; is onepod running in this container?"))?;
    if args.json {
        return Ok(answer.body + "\n");
    }
    serde_json::from_str::<Status>(&answer.body)
        .map(|status| tables::all(&status, Timestamp::now(), view))
        .map_err(|error| format!("the pod's answer cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
