//! `onepod render`: directories and `/etc/one` as a start would make them, with nothing started: for maintenance, where the
//! vendor's tools (`onedb fsck`, `onedb restore`) read oned.conf.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{EXIT_USAGE, check, complain, layout, say};
use crate::paths::Paths;
use crate::prepare::render;
use crate::settings;

/// Arguments of `onepod render`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory under which every path lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Runs the verb.
pub async fn run(args: Args) -> ExitCode {
    let paths = Paths::new(args.root);
    let settings = match settings::settle(env::vars_os()) {
        Ok(settings) => settings,
        Err(mistakes) => {
            complain(&mistakes.to_string());
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Err(message) = check::rendered(&settings, &paths) {
        complain(&message);
        return ExitCode::from(EXIT_USAGE);
    }
    if let Err(message) = layout::lay_out(&paths).await {
        complain(&message);
        return ExitCode::FAILURE;
    }
    match render::render(&settings, &paths) {
        Ok(_) => {
            say(&format!(
                "{} is as the settings say; nothing was started\n",
                paths.etc_one().display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("render: {error}"));
            ExitCode::FAILURE
        }
    }
}
