//! `onepod verify`: reaches every part of a running OpenNebula as a user would, and prints a table. The chart's `helm
//! test` runs it.
//!
//! It changes nothing: no object is created. Each check is repeated until the time limit, because a Service follows
//! its pods a moment later.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use one_xmlrpc::{Client, Credentials, Endpoint};

use self::base::Base;
use self::checks::{Check, Context};
use crate::regular;
use crate::settings::Secret;
use crate::verbs::{EXIT_USAGE, complain, say};

mod base;
mod checks;
#[cfg(test)]
mod tests;

/// The longest file with a password, in bytes.
const PASSWORD_FILE_LIMIT: u64 = 4096;

/// Pause between two attempts of one check.
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments of `onepod verify`. The password comes from `ONEADMIN_PASSWORD` or the file named by
/// `ONEADMIN_PASSWORD_FILE`, never from here.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// oned's XML-RPC endpoint
    #[arg(long, value_name = "http://HOST:2633/RPC2")]
    api: Endpoint,
    /// OneFlow; not checked when left out
    #[arg(long, value_name = "http://HOST:2474")]
    oneflow: Option<Base>,
    /// OneGate; not checked when left out
    #[arg(long, value_name = "http://HOST:5030")]
    onegate: Option<Base>,
    /// FireEdge; not checked when left out
    #[arg(long, value_name = "http://HOST:2616")]
    fireedge: Option<Base>,
    /// Who logs in
    #[arg(long, value_name = "NAME", default_value = "oneadmin")]
    user: String,
    /// For how long a failing check is repeated, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

/// Runs the verb: exit 0 when every check passed, 1 when one failed, 64 when the password is not given rightly.
pub async fn run(args: Args) -> ExitCode {
    let (password, origin) = match password(|name| std::env::var(name).ok()) {
        Ok(given) => given,
        Err(mistake) => {
            complain(&mistake);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match verify(args, &password, origin).await {
        Ok(report) => {
            say(&report.to_string());
            if report.passed() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(mistake) => {
            complain(&mistake);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The password and the words for where it came from.
fn password(environment: impl Fn(&str) -> Option<String>) -> Result<(Secret, String), String> {
    const NAME: &str = "ONEADMIN_PASSWORD";
    const FILE: &str = "ONEADMIN_PASSWORD_FILE";
    let (text, origin) = match (environment(NAME), environment(FILE)) {
        (Some(_), Some(_)) => return Err(format!("both {NAME} and {FILE} are set; give one of them")),
        (None, None) => {
            return Err(format!(
                "{NAME} is not set: verify logs in, so give the password, or a file with it as {FILE}"
            ));
        }
        (Some(text), None) => (text, NAME.to_owned()),
        (None, Some(path)) => {
            let origin = format!("{FILE}, {path}");
            let text = regular::read_text(Path::new(&path), PASSWORD_FILE_LIMIT)
                .map_err(|e| format!("{origin}: {e}; name a readable file with the password in it"))?;
            (text.trim_end().to_owned(), origin)
        }
    };
    if text.is_empty() {
        return Err(format!("the password from {origin} is empty"));
    }
    Ok((Secret::new(text), origin))
}

/// Runs every check, all at the same time, and waits for the last. The error is a mistake in user name or password
/// that makes any attempt pointless.
async fn verify(args: Args, password: &Secret, origin: String) -> Result<Report, String> {
    let credentials = Credentials::new(&args.user, password.expose()).map_err(|e| {
        format!(
            "cannot log in as {} with the password from {origin}: {e}",
            args.user
        )
    })?;
    let context = Context {
        client: Client::new(args.api, credentials),
        user: args.user,
        password: password.clone(),
        password_origin: origin,
    };
    let mut checks = vec![Check::Version, Check::Login, Check::Hosts];
    checks.extend(args.oneflow.map(Check::OneFlow));
    checks.extend(args.onegate.map(Check::OneGate));
    if let Some(base) = args.fireedge {
        checks.extend([Check::FireEdgePage(base.clone()), Check::FireEdgeLogin(base)]);
    }

    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let running: Vec<_> = checks
        .into_iter()
        .map(|check| {
            let context = context.clone();
            let (name, target) = (check.name(), check.target(&context));
            (
                name,
                target,
                tokio::spawn(async move { repeat(&check, &context, deadline).await }),
            )
        })
        .collect();
    let mut rows = Vec::with_capacity(running.len());
    for (name, target, task) in running {
        let last = task.await.unwrap_or_else(|e| Attempt {
            outcome: Err(format!("the check itself broke: {e}")),
            took: Duration::ZERO,
            number: 1,
        });
        rows.push(Row { name, target, last });
    }
    Ok(Report { rows })
}

/// Repeats a check until it passes or the deadline is near; its last attempt counts.
async fn repeat(check: &Check, context: &Context, deadline: Instant) -> Attempt {
    let mut number = 1;
    loop {
        let begin = Instant::now();
        let outcome = check.attempt(context).await;
        let attempt = Attempt {
            outcome,
            took: begin.elapsed(),
            number,
        };
        if attempt.outcome.is_ok() || Instant::now() + PAUSE >= deadline {
            return attempt;
        }
        tokio::time::sleep(PAUSE).await;
        number += 1;
    }
}

/// How a check's last attempt went: what it found, or why it failed.
struct Attempt {
    outcome: Result<String, String>,
    took: Duration,
    number: u32,
}

struct Row {
    name: &'static str,
    target: String,
    last: Attempt,
}

/// What is printed. Holds no secret.
struct Report {
    rows: Vec<Row>,
}

impl Report {
    fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.last.outcome.is_ok())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = ["CHECK", "TARGET", "RESULT", "MS"].map(str::to_owned);
        let cells: Vec<[String; 4]> = std::iter::once(head)
            .chain(self.rows.iter().map(Row::cells))
            .collect();
        let width = |column: usize| {
            cells
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let (name, target, result, took) = (width(0), width(1), width(2), width(3));
        for row in &cells {
            writeln!(
                f,
                "{:name$}  {:target$}  {:result$}  {:>took$}",
                row[0], row[1], row[2], row[3]
            )?;
        }
        // One cause often fails several checks: it is said once, with the names of all.
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut failed = 0;
        for row in &self.rows {
            let Err(reason) = &row.last.outcome else { continue };
            failed += 1;
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, names)) => names.push(row.name),
                None => reasons.push((reason, vec![row.name])),
            }
        }
        for (reason, names) in reasons {
            writeln!(f, "\n{} failed: {reason}", names.join(", "))?;
        }
        if failed == 0 {
            writeln!(f, "\nAll {} checks passed.", self.rows.len())
        } else {
            writeln!(f, "\n{failed} of {} checks failed.", self.rows.len())
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 4] {
        let mut result = match &self.last.outcome {
            Ok(found) => format!("ok: {found}"),
            Err(_) => "failed".to_owned(),
        };
        if self.last.number > 1 {
            // Writing to a String cannot fail.
            let _ = write!(result, " (attempt {})", self.last.number);
        }
        [
            self.name.to_owned(),
            self.target.clone(),
            result,
            self.last.took.as_millis().to_string(),
        ]
    }
}
