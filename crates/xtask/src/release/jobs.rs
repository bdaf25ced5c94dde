//! Which images are built: the matrix of the image workflow. Pure.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::markdown;
use super::promote::candidate_tag;
use crate::versions::{Entry, Line, Version, Versions};

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) line: Line,
    pub(crate) release: Version,
    architectures: Vec<String>,
}

/// Every line's release, or what is named: a line, or a release that versions.json has or had.
pub(crate) fn jobs(versions: &Versions, line: Option<Line>, release: Option<Version>) -> Result<Vec<Job>> {
    let job = |(line, entry): (Line, &Entry)| Job {
        line,
        release: release.unwrap_or(entry.version),
        architectures: entry.architectures.iter().map(ToString::to_string).collect(),
    };
    let Some(line) = line.or(release.map(Version::line)) else {
        return Ok(versions.lines().map(job).collect());
    };
    let entry = versions.line(line)?;
    if let Some(release) = release {
        if release.line() != line {
            bail!("{release} is not a release of the line {line}: name one of them");
        }
        if release > entry.version {
            bail!(
                "{release} is newer than {}, which versions.json has of the line {line}: `cargo xtask release detect` adds \
                 what the vendor has",
                entry.version
            );
        }
    }
    Ok(vec![job((line, entry))])
}

/// As GitHub's `strategy.matrix` takes it.
pub(crate) fn json(jobs: &[Job]) -> Value {
    let include: Vec<Value> = jobs
        .iter()
        .map(|job| {
            json!({
                "line": job.line.to_string(),
                "release": job.release.to_string(),
                "candidate": candidate_tag(job.release),
                "architectures": job.architectures,
            })
        })
        .collect();
    json!({ "include": include })
}

/// For people.
pub(crate) fn table(jobs: &[Job]) -> String {
    let rows: Vec<[String; 3]> = jobs
        .iter()
        .map(|job| {
            [
                job.line.to_string(),
                job.release.to_string(),
                job.architectures.join(", "),
            ]
        })
        .collect();
    markdown::table(["line", "release", "architectures"], &rows)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::versions::tests::versions;

    fn told(line: Option<&str>, release: Option<&str>) -> String {
        let versions = versions(&[("7.0", "7.0.1"), ("7.2", "7.2.0")]);
        let jobs = jobs(
            &versions,
            line.map(|line| line.parse().unwrap()),
            release.map(|release| release.parse().unwrap()),
        );
        jobs.map_or_else(|error| error.to_string(), |jobs| json(&jobs).to_string())
    }

    #[test]
    fn every_line_or_what_is_named() {
        assert_snapshot!(told(None, None), @r#"{"include":[{"architectures":["amd64"],"candidate":"candidate-7.0.1","line":"7.0","release":"7.0.1"},{"architectures":["amd64"],"candidate":"candidate-7.2.0","line":"7.2","release":"7.2.0"}]}"#);
        assert_snapshot!(told(Some("7.2"), None), @r#"{"include":[{"architectures":["amd64"],"candidate":"candidate-7.2.0","line":"7.2","release":"7.2.0"}]}"#);
        assert_snapshot!(told(None, Some("7.0.0")), @r#"{"include":[{"architectures":["amd64"],"candidate":"candidate-7.0.0","line":"7.0","release":"7.0.0"}]}"#);
    }

    #[test]
    fn what_cannot_be_built_is_refused() {
        assert_snapshot!(told(Some("8.0"), None), @"versions.json has no line 8.0, it has 7.0, 7.2");
        assert_snapshot!(told(Some("7.2"), Some("7.0.1")), @"7.0.1 is not a release of the line 7.2: name one of them");
        assert_snapshot!(told(None, Some("7.0.2")), @"7.0.2 is newer than 7.0.1, which versions.json has of the line 7.0: `cargo xtask release detect` adds what the vendor has");
    }
}
