//! What is built, and which tags it will have: the matrix of the image workflow. Pure: `versions.json`, what the registry
//! has and what somebody wants go in.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::candidate::PREFIX;
use super::table::columns;
use super::tags::{Latest, Published, Tags, assign};
use crate::versions::{Architecture, Entry, Line, Version, Versions};

/// Why images are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Event {
    /// What goes into the images changed: every line
    Push,
    /// It is time to look: lines whose release is not published yet, or the line that is named
    Schedule,
    /// Somebody wants it: every line, or what is named
    Dispatch,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) event: Event,
    pub(crate) line: Option<Line>,
    pub(crate) release: Option<Version>,
}

/// What is built, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matrix {
    pub(crate) jobs: Vec<Job>,
    /// Lines that are left out, with the tag that they are published under.
    done: Vec<(Line, String)>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) line: Line,
    pub(crate) release: Version,
    pub(crate) architectures: BTreeSet<Architecture>,
    tags: Tags,
}

impl Job {
    /// The tag that it has until it is known to be good. A second try takes the same.
    pub(crate) fn candidate(&self) -> String {
        format!("{PREFIX}{}", self.tags.build)
    }
}

/// What is to be built.
pub(crate) fn matrix(versions: &Versions, wanted: &Wanted, published: &Published) -> Result<Matrix> {
    let default = versions.default_release()?;
    let mut matrix = Matrix {
        jobs: Vec::new(),
        done: Vec::new(),
    };
    for (line, entry) in chosen(versions, wanted)? {
        let release = wanted.release.unwrap_or(entry.version());
        let named = wanted.line.is_some() || wanted.release.is_some();
        if let (Event::Schedule, false, Some(build)) = (wanted.event, named, published.newest(release)) {
            matrix.done.push((line, build.to_string()));
            continue;
        }
        matrix.jobs.push(Job {
            line,
            release,
            architectures: entry.architectures().clone(),
            tags: assign(release, None, default, published)?,
        });
    }
    Ok(matrix)
}

/// The lines that are asked for.
fn chosen<'a>(versions: &'a Versions, wanted: &Wanted) -> Result<Vec<(Line, &'a Entry)>> {
    let line = match (wanted.line, wanted.release) {
        (Some(line), Some(release)) if release.line() != line => {
            bail!("{release} is no release of the line {line}: name one of them")
        }
        (line, release) => line.or(release.map(Version::line)),
    };
    let Some(line) = line else {
        return Ok(versions.lines().collect());
    };
    let known: Vec<String> = versions.lines().map(|(line, _)| line.to_string()).collect();
    let (line, entry) = versions
        .lines()
        .find(|(known, _)| *known == line)
        .with_context(|| format!("versions.json has no line {line}: it has {}", known.join(", ")))?;
    if let Some(release) = wanted.release.filter(|release| *release > entry.version()) {
        bail!(
            "versions.json knows nothing newer than {} of the line {line}, and {release} is: `cargo xtask release detect` \
             takes in what the vendor has",
            entry.version()
        );
    }
    Ok(vec![(line, entry)])
}

impl Matrix {
    /// As GitHub's `strategy.matrix` takes it.
    pub(crate) fn json(&self) -> Value {
        let include: Vec<Value> = self.jobs.iter().map(Job::json).collect();
        json!({"include": include})
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let titles = ["line", "release", "candidate", "architectures", "tags", "latest"];
        let mut rows = vec![titles.map(str::to_owned)];
        rows.extend(self.jobs.iter().map(Job::row));
        let mut text = if self.jobs.is_empty() {
            "nothing is to be built\n".to_owned()
        } else {
            columns(&rows)
        };
        for (line, tag) in &self.done {
            text.push_str(&format!("\n{line}: published already, as {tag}"));
        }
        text.trim_end().to_owned()
    }
}

impl Job {
    fn json(&self) -> Value {
        let architectures: Vec<String> = self.architectures.iter().map(ToString::to_string).collect();
        json!({
            "line": self.line.to_string(),
            "release": self.release.to_string(),
            "candidate": self.candidate(),
            "architectures": architectures,
            "tags": self.tags.names(),
        })
    }

    fn row(&self) -> [String; 6] {
        let architectures: Vec<String> = self.architectures.iter().map(ToString::to_string).collect();
        [
            self.line.to_string(),
            self.release.to_string(),
            self.candidate(),
            architectures.join(", "),
            self.tags.names().join(", "),
            match &self.tags.latest {
                Latest::Ours => "moves to it".to_owned(),
                Latest::Stays(reason) => format!("stays: {reason}"),
            },
        ]
    }
}

#[cfg(test)]
mod tests;
