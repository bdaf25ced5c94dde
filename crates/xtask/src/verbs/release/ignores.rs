//! `release ignores`: whether every accepted vulnerability has a path, a reason and a last day that is not over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::progress;
use crate::release::ignores::{self, Ignore};
use crate::repo::Repo;

/// Where they are accepted.
const FILE: &str = "image/vulnerabilities.toml";

#[derive(Debug, Args)]
pub(crate) struct Ignores {
    /// The file of accepted vulnerabilities; without it image/vulnerabilities.toml of this checkout
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The day on which they are judged; without it today, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<Date>,
}

impl Ignores {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let on = day(self.on);
        let file = file(repo, self.file);
        let ignores = read(&file)?;
        progress::say(&ignores::table(&ignores, on));
        refuse(&file, &ignores, on)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The same for the checks: this checkout's file, today.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    let file = file(repo, None);
    refuse(&file, &read(&file)?, day(None))
}

/// The day that was named, or today.
pub(super) fn day(on: Option<Date>) -> Date {
    on.unwrap_or_else(|| Timestamp::now().to_zoned_datetime(TimeZone::UTC).date())
}

/// The file that was named, or the checkout's.
pub(super) fn file(repo: &Repo, named: Option<PathBuf>) -> PathBuf {
    named.unwrap_or_else(|| repo.root.join(FILE))
}

/// Reads the file. That it is not there is an error: an empty one accepts nothing.
pub(super) fn read(file: &Path) -> Result<Vec<Ignore>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    ignores::parse(&text).with_context(|| file.display().to_string())
}

fn refuse(file: &Path, ignores: &[Ignore], on: Date) -> Result<()> {
    let complaints = ignores::complaints(ignores, on);
    if !complaints.is_empty() {
        bail!(
            "{} has {} to look at on {on}\n  {}",
            file.display(),
            if complaints.len() == 1 {
                "an entry".to_owned()
            } else {
                format!("{} things", complaints.len())
            },
            complaints.join("\n  ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_file_can_be_read() {
        read(&file(&Repo::find().unwrap(), None)).unwrap();
    }

    #[test]
    fn the_day_decides_and_the_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("v.toml");
        let text = "[[accepted]]\nid = \"CVE-2026-1\"\npath = \"bash\"\nreason = \"Nobody has a shell in this image, by design\"\nexpires = 2026-12-31\n";
        fs::write(&file, text).unwrap();
        let ignores = read(&file).unwrap();
        refuse(&file, &ignores, "2026-12-31".parse().unwrap()).unwrap();
        let told = refuse(&file, &ignores, "2027-01-01".parse().unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            told.starts_with(&format!(
                "{} has an entry to look at on 2027-01-01\n  CVE-2026-1 at bash expired after 2026-12-31: ",
                file.display()
            )),
            "{told}"
        );
        let told = format!("{:#}", read(&dir.path().join("none")).unwrap_err());
        assert!(told.contains("/none: No such file"), "{told}");
    }
}
