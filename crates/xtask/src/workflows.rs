//! What must be true of the files in `.github` beyond what actionlint and zizmor check: a `run:` is one call of a verb that
//! exists, all files agree on the commit and release of an action, a job has a time limit, and docs/maintainers/workflows.md has a
//! row for every step. Reads no file: the caller brings the texts, and says which words a verb understands.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A file of `.github`; the path begins at the repository's root.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Parses the words of a verb: what is wrong with them, or the words of the verb that it runs (empty where it runs none).
pub(crate) type Parse<'a> = &'a dyn Fn(&[String]) -> Result<Vec<String>, String>;

/// What a `run:` may call beside `cargo xtask`: programs that sign, verify and query with the identity of the run, and the
/// scanner, whose configuration is `image/trivy.yaml`.
const PROGRAMS: [&str; 3] = ["cosign", "gh", "trivy"];
/// How a command becomes root, which chroots and namespaces need, and keeps its user's tools.
const SUDO: [&str; 5] = ["sudo", "--preserve-env", "env", "PATH=path", "HOME=home"];
/// What makes a script more than one call.
const SHELL: &str = "|&;<>()`*\\#\n";

/// Everything that is wrong, each with its place. `table` is the text of docs/maintainers/workflows.md.
pub(crate) fn findings(files: &[File], table: &str, verb: Parse<'_>) -> Vec<String> {
    let mut findings = pins(files);
    let mut places = BTreeSet::new();
    let (mut scheduled, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        match serde_saphyr::from_str::<Value>(&file.text) {
            Ok(value) => {
                let found = of_file(&value, files, verb);
                findings.extend(found.into_iter().map(|what| format!("{}: {what}", file.path)));
                places.extend(table::places(file, &value));
                if value["on"].get("schedule").is_some() {
                    scheduled.extend(file.path.rsplit('/').next().map(str::to_owned));
                }
                let alive = value["jobs"]["keep-alive"]["strategy"]["matrix"]["workflow"].as_array();
                kept.extend(
                    alive
                        .into_iter()
                        .flatten()
                        .filter_map(|name| Some(name.as_str()?.to_owned())),
                );
            }
            Err(error) => findings.push(format!("{}: not valid YAML: {error}", file.path)),
        }
    }
    // The forge switches a schedule off that nobody committed beside for sixty days.
    if scheduled != kept {
        findings.push(format!(
            "keep-alive has {kept:?}, and a schedule has {scheduled:?}"
        ));
    }
    findings.extend(table::differences(&places, table));
    findings
}

/// Jobs with their names and steps. A job that calls a workflow is one step; a composite action is one job without a name.
fn jobs(file: &Value) -> impl Iterator<Item = (&str, &Value, &[Value])> {
    let named = file["jobs"].as_object().into_iter().flatten();
    let action = file.get("runs").map(|runs| ("", runs));
    let all = named.map(|(name, job)| (name.as_str(), job)).chain(action);
    all.map(|(name, job)| {
        let steps = job["steps"]
            .as_array()
            .map_or(std::slice::from_ref(job), Vec::as_slice);
        (name, job, steps)
    })
}

/// A step's name, or else the action that it uses, without its commit.
fn title(step: &Value) -> &str {
    let text = step["name"]
        .as_str()
        .or(step["uses"].as_str())
        .unwrap_or("without a name");
    text.split('@').next().unwrap_or(text)
}

fn of_file(file: &Value, files: &[File], verb: Parse<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    if file["env"].to_string().contains("secrets") {
        findings.push("`env` gives a secret to every job: it belongs to the step that needs it".to_owned());
    }
    for (name, job, steps) in jobs(file) {
        if !name.is_empty() && job.get("uses").is_none() && !job["timeout-minutes"].is_u64() {
            findings.push(format!("job {name}: no `timeout-minutes`"));
        }
        for step in steps {
            let env = [&file["env"], &job["env"], &step["env"]];
            let env = env.into_iter().filter_map(Value::as_object).flatten();
            let env = env.map(|(name, _)| name.as_str()).collect();
            let script = step["run"]
                .as_str()
                .map_or(Ok(()), |script| call(script, &env, verb));
            let local = step["uses"].as_str().and_then(|uses| uses.strip_prefix("./"));
            let exists = |path: &str| {
                files
                    .iter()
                    .any(|file| file.path.trim_end_matches("/action.yml") == path)
            };
            let local = local
                .filter(|path| !exists(path))
                .map(|path| format!("{path} does not exist"));
            let found = script.err().into_iter().chain(local);
            findings.extend(found.map(|what| format!("job {name}, step {}: {what}", title(step))));
        }
    }
    findings
}

/// zizmor sees that an action is pinned by a hash; here that its release is beside it, and that all files agree on both.
fn pins(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for (path, line) in files
        .iter()
        .flat_map(|file| file.text.lines().map(|line| (&*file.path, line)))
    {
        let uses = line
            .split_once("uses:")
            .and_then(|(_, uses)| uses.trim().split_once('@'));
        let Some((name, pin)) = uses else { continue };
        let release = |word: &str| word.starts_with('v') && word.split('.').count() == 3;
        let comment = pin.split_once(" # ").map_or("", |(_, comment)| comment);
        if !comment.split([' ', ',']).any(release) {
            findings.push(format!(
                "{path}: {name} has no release beside its commit: `# vX.Y.Z`"
            ));
        }
        let (first, place) = *seen.entry(name).or_insert((pin, path));
        if first != pin {
            findings.push(format!("{name} is {first} in {place}, and {pin} in {path}"));
        }
    }
    findings
}

/// Whether a script is one call that its program understands, where `env` are the variables that it has.
fn call(script: &str, env: &BTreeSet<&str>, verb: Parse<'_>) -> Result<(), String> {
    let expanded = expand(script.trim(), env)?;
    if let Some(char) = expanded.chars().find(|char| SHELL.contains(*char)) {
        return Err(format!("more than one call, because of {char:?}: make it a verb"));
    }
    let words = shlex::split(&expanded).ok_or("a quote is not closed")?;
    let words = words.strip_prefix(&SUDO.map(str::to_owned)[..]).unwrap_or(&words);
    match words {
        [cargo, xtask, words @ ..] if cargo == "cargo" && xtask == "xtask" => understood(words, verb),
        [program, ..] if PROGRAMS.contains(&program.as_str()) => Ok(()),
        _ => Err(format!(
            "`{expanded}` is neither `cargo xtask …` nor one of {PROGRAMS:?}: make it a verb"
        )),
    }
}

/// Whether words are a verb, and the words that it hands on are one too.
pub(crate) fn understood(words: &[String], verb: Parse<'_>) -> Result<(), String> {
    match verb(words)? {
        inner if inner.is_empty() => Ok(()),
        inner => understood(&inner, verb),
    }
}

/// The script with a sample in the place of each variable, and with the words of `${NAME:+WORDS}`.
fn expand(script: &str, env: &BTreeSet<&str>) -> Result<String, String> {
    let Some((before, after)) = script.split_once('$') else {
        return Ok(script.to_owned());
    };
    let other = |char: char| !char.is_ascii_alphanumeric() && char != '_';
    let (inside, rest) = match after.strip_prefix('{') {
        Some(inside) => inside.split_once('}').ok_or("a `${` is not closed")?,
        None => after.split_at(after.find(other).unwrap_or(after.len())),
    };
    let (name, words) = inside.split_once(":+").unwrap_or((inside, ""));
    let forge =
        ["HOME", "PATH"].contains(&name) || name.starts_with("GITHUB_") || name.starts_with("RUNNER_");
    if !forge && !env.contains(name) {
        return Err(format!("no `env` sets ${name}"));
    }
    let value = match name {
        _ if !words.is_empty() => expand(words, env)?,
        "AMD64" | "ARM64" | "DIGEST" => format!("sha256:{:064}", 0),
        "ARCHITECTURE" => "amd64".to_owned(),
        "EVENT" => "push".to_owned(),
        "LINE" => "7.0".to_owned(),
        "RELEASE" => "7.0.0".to_owned(),
        name => name.to_lowercase(),
    };
    Ok(format!("{before}{value}{}", expand(rest, env)?))
}

#[cfg(test)]
mod tests;
