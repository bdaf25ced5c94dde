//! `onepod logs`: the last lines of one service or of all, as the running pod keeps them in memory, and new ones as they come.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;

use super::restart::escaped;
use super::{EXIT_USAGE, complain, say};
use crate::http::{self, Answer, HttpError};
use crate::paths::Paths;

/// Time for the whole answer, when nothing is followed.
const LIMIT: Duration = Duration::from_secs(10);

/// Arguments of `onepod logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The pod keeps the last 256 KiB of all services together; `kubectl logs` has everything since the container began.
The lines have the format that ONEPOD_LOG_FORMAT chose for the pod.

Exit codes:
   0  the lines were printed
   1  no pod answers
  64  there is no such name: those that there are are printed

Examples:
  onepod logs oned
  onepod logs --follow --lines 0
  kubectl exec opennebula-0 -- onepod logs -n 20 fireedge")]
pub struct Args {
    /// Service, task or timer, as `onepod status` lists them, or `onepod` for its own lines; all of them when left out
    pub name: Option<String>,
    /// Go on with new lines, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// How many of the last records to print
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub lines: usize,
    /// Directory under which the control socket lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Asks and prints.
pub async fn run(args: Args) -> ExitCode {
    let socket = Paths::new(args.root).control();
    let name = args
        .name
        .map_or_else(String::new, |name| format!("/{}", escaped(&name)));
    let path = format!("/logs{name}?lines={}&follow={}", args.lines, args.follow);
    let answer = if args.follow {
        http::follow(&socket, &path, print).await
    } else {
        http::through(&socket, Method::GET, &path, LIMIT).await.map(Some)
    };
    conclude(answer)
}

/// Prints at once what has come. Who no longer reads does not want more.
fn print(text: &[u8]) {
    let mut output = std::io::stdout().lock();
    if output.write_all(text).and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

fn conclude(answer: Result<Option<Answer>, HttpError>) -> ExitCode {
    match answer {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(Answer {
            status: 200, body, ..
        })) => {
            say(&body);
            ExitCode::SUCCESS
        }
        Ok(Some(Answer { status, body, .. })) => {
            complain(body.trim_end());
            if status == 404 {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            complain(&format!("{error}; is `onepod run` at work in this container?"));
            ExitCode::FAILURE
        }
    }
}
