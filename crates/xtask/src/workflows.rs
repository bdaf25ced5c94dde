//! What must be true of the files in `.github`, beyond what actionlint and zizmor look at: every action is pinned, every
//! `run:` is one call of a verb of xtask or of a program on a short list, and rights and secrets are where they belong.
//!
//! Reads no file and runs nothing: whoever calls it brings the texts and says which words a verb understands.

mod pins;
mod run;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub(crate) use run::{understood, unused};

/// A file of `.github`.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Says what is wrong with words that are to be a verb of xtask.
pub(crate) type Understands<'a> = &'a dyn Fn(&[String]) -> Result<(), String>;

/// Secrets that every job has anyway, with the rights that its `permissions` say.
const OWN_TOKEN: &str = "secrets.GITHUB_TOKEN";
/// Triggers that run with the repository's rights on what a stranger wrote.
const BANNED_TRIGGERS: [&str; 2] = ["pull_request_target", "workflow_run"];

/// Everything that is wrong, each with its place.
pub(crate) fn findings(files: &[File], verb: Understands<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        let mut say = |what: String| findings.push(format!("{}: {what}", file.path));
        for finding in pins::of_file(file, files) {
            say(finding);
        }
        let value: Value = match serde_saphyr::from_str(&file.text) {
            Ok(value) => value,
            Err(error) => {
                say(format!("is no YAML: {error}"));
                continue;
            }
        };
        pins::hidden(&file.text, &value).into_iter().for_each(&mut say);
        let found = if value.get("runs").is_some() {
            of_action(&value, verb)
        } else {
            of_workflow(&value, verb)
        };
        found.into_iter().for_each(say);
    }
    findings.extend(pins::of_all(files));
    findings
}

fn of_workflow(workflow: &Value, verb: Understands<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut say = |what: &str| findings.push(what.to_owned());
    if workflow["permissions"] != Value::Object(Map::new()) {
        say("has no `permissions: {}` at the top: each job says its own rights");
    }
    let triggers = triggers(&workflow["on"]);
    for trigger in &triggers {
        if BANNED_TRIGGERS.contains(&trigger.as_str()) {
            say(&format!(
                "starts by {trigger}, which runs a stranger's content with the repository's rights"
            ));
        }
    }
    if triggers.iter().any(|trigger| trigger != "workflow_call") && workflow.get("concurrency").is_none() {
        say("has no `concurrency`: two runs would meet");
    }
    if mentions_secret(&workflow["env"]) {
        say("gives a secret to all jobs: it belongs to the step that needs it");
    }
    let Some(jobs) = workflow["jobs"].as_object().filter(|jobs| !jobs.is_empty()) else {
        say("has no jobs");
        return findings;
    };
    for (name, job) in jobs {
        let env = [&workflow["env"], &job["env"]];
        findings.extend(
            of_job(job, &env, verb)
                .into_iter()
                .map(|what| format!("job {name}: {what}")),
        );
    }
    findings
}

fn of_job(job: &Value, env: &[&Value], verb: Understands<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut say = |what: &str| findings.push(what.to_owned());
    if !job["permissions"].is_object() {
        say("does not say its `permissions`");
    }
    if let Some(called) = job["uses"].as_str() {
        // The called workflow's jobs have their own limits and environments.
        if job.get("secrets").is_some() && !called.starts_with("./") {
            say("hands secrets to a workflow of another repository");
        }
        if mentions_secret(&job["with"]) {
            say("hands a secret over as an input, which is shown in logs: `secrets` is for them");
        }
        return findings;
    }
    if !job["timeout-minutes"].is_u64() {
        say("has no `timeout-minutes`");
    }
    if mentions_secret(job) && job.get("environment").is_none() {
        say("uses a secret and has no `environment`, which is what keeps it from other branches");
    }
    for (number, step) in steps(&job["steps"]) {
        findings.extend(
            of_step(step, env, verb)
                .into_iter()
                .map(|what| format!("{}: {what}", title(number, step))),
        );
    }
    findings
}

fn of_action(action: &Value, verb: Understands<'_>) -> Vec<String> {
    steps(&action["runs"]["steps"])
        .flat_map(|(number, step)| {
            of_step(step, &[], verb)
                .into_iter()
                .map(move |what| format!("{}: {what}", title(number, step)))
        })
        .collect()
}

fn of_step(step: &Value, env: &[&Value], verb: Understands<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    if step["uses"]
        .as_str()
        .is_some_and(|uses| uses.starts_with("actions/checkout@"))
        && step["with"]["persist-credentials"] != Value::Bool(false)
    {
        findings.push("leaves the token in the checkout: `persist-credentials: false`".to_owned());
    }
    if let Some(script) = step["run"].as_str() {
        let known: BTreeSet<&str> = env
            .iter()
            .copied()
            .chain([&step["env"]])
            .filter_map(Value::as_object)
            .flat_map(|env| env.keys().map(String::as_str))
            .collect();
        findings.extend(run::judge(script, &known, verb).err());
    }
    findings
}

fn steps(steps: &Value) -> impl Iterator<Item = (usize, &Value)> {
    steps
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(number, step)| (number + 1, step))
}

fn title(number: usize, step: &Value) -> String {
    match step["name"].as_str() {
        Some(name) => format!("step {number} ({name})"),
        None => format!("step {number}"),
    }
}

fn triggers(on: &Value) -> Vec<String> {
    match on {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(all) => all.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn mentions_secret(value: &Value) -> bool {
    let text = value.to_string().replace(OWN_TOKEN, "");
    text.contains("secrets.") || text.contains("secrets[")
}

#[cfg(test)]
mod tests;
