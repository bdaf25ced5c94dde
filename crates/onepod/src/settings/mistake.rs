//! What is wrong with the settings, said so that the reader can mend it: the setting, where its value came from, the
//! problem, the next step.

use std::fmt;
use std::path::{Path, PathBuf};

use super::table::TABLE;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave it.
    Unset,
    /// The environment variable of the setting's own name.
    Environment,
    /// A file, named by the environment variable.
    File {
        /// The environment variable that names the file.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// The pod's host name.
    Pod,
}

impl Origin {
    /// The value of the file at `path`, which `variable` names.
    pub(crate) fn file(variable: impl Into<String>, path: &Path) -> Self {
        Self::File {
            variable: variable.into(),
            path: path.to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("not set"),
            Self::Environment => f.write_str("environment"),
            Self::File { variable, path } => write!(f, "{variable}={}", path.display()),
            Self::Pod => f.write_str("the pod's host name"),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    setting: String,
    origin: Origin,
    problem: String,
    next: String,
}

impl Mistake {
    /// A mistake in `setting`: what is wrong and what to do about it, a clause and a sentence.
    pub(crate) fn new(
        setting: impl Into<String>,
        origin: Origin,
        problem: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            origin,
            problem: problem.into(),
            next: next.into(),
        }
    }

    /// Name of the setting.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            origin,
            problem,
            next,
        } = self;
        write!(f, "{setting} ({origin}): {problem}. {next}")
    }
}

/// Every mistake in the settings of one start; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// At least one mistake, put into the order of the table of settings.
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| {
            TABLE
                .iter()
                .position(|setting| setting.name == mistake.setting)
                .unwrap_or(usize::MAX)
        });
        Self(mistakes)
    }

    /// The mistakes, in the order of the table of settings.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 mistake in the settings; nothing was written:")?,
            many => write!(f, "{many} mistakes in the settings; nothing was written:")?,
        }
        for mistake in &self.0 {
            write!(f, "\n  - {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
