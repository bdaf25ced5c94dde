//! Every command of every page, as it stands: what needs no cluster is run, and of the others it is checked that the program
//! has the command, that it says the namespace, and that what it names is there. Commands of onepod are held against its
//! command line by onepod's own tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use chart_tests::helm::{self, Error};
use serde_json::json;

use crate::{HELMS, RELEASE, names, render};

/// One command line of a page.
#[derive(Debug)]
struct Command {
    page: String,
    line: String,
}

fn pages() -> Vec<PathBuf> {
    let root = helm::repository();
    let mut pages = vec![
        root.join("README.md"),
        root.join("charts/opennebula/README.md"),
        root.join("charts/opennebula/charts/mariadb/README.md"),
    ];
    for folder in ["docs", "docs/maintainers", "docs/runbooks"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The lines of fenced blocks without a language, or with that of a shell; a backslash at the end joins two. A quote that is
/// open at the end of a line goes on in the next one.
fn commands() -> Vec<Command> {
    let mut found = Vec::new();
    for path in pages() {
        let page = path
            .strip_prefix(helm::repository())
            .unwrap()
            .display()
            .to_string();
        let text = fs::read_to_string(&path).unwrap();
        let mut open: Option<bool> = None;
        let mut line = String::new();
        for raw in text.lines() {
            let trimmed = raw.trim().trim_start_matches("3. ");
            if let Some(language) = trimmed.strip_prefix("```") {
                open = match open {
                    Some(_) => None,
                    None => Some(["", "sh", "bash", "console"].contains(&language)),
                };
                continue;
            }
            if open != Some(true) {
                continue;
            }
            line.push_str(trimmed);
            if line.ends_with('\\') {
                line.pop();
                continue;
            }
            if line.matches('\'').count() % 2 == 1 {
                line.push('\n');
                continue;
            }
            let command = std::mem::take(&mut line);
            let command = command.split("   #").next().unwrap().trim().to_owned();
            if !command.is_empty() && !command.starts_with('#') {
                found.push(Command {
                    page: page.clone(),
                    line: command,
                });
            }
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// A line as a shell splits it, as far as these pages need it: words, and the programs between pipes and semicolons.
fn programs(line: &str) -> Vec<Vec<String>> {
    let mut programs = vec![Vec::new()];
    let (mut word, mut quote, mut depth, mut given) = (String::new(), None, 0, false);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(end), letter) if letter == end => quote = None,
            (None, '\'' | '"') if depth == 0 => (quote, given) = (Some(letter), true),
            (None, '(' | ')') => {
                depth += if letter == '(' { 1 } else { -1 };
                word.push(letter);
            }
            (None, letter) if depth == 0 && (letter.is_whitespace() || "|;&".contains(letter)) => {
                if given || !word.is_empty() {
                    programs.last_mut().unwrap().push(std::mem::take(&mut word));
                    given = false;
                }
                if "|;&".contains(letter) && !programs.last().unwrap().is_empty() {
                    programs.push(Vec::new());
                }
            }
            (_, letter) => word.push(letter),
        }
    }
    if given || !word.is_empty() {
        programs.last_mut().unwrap().push(word);
    }
    programs.retain(|program| !program.is_empty());
    programs
}

#[test]
fn a_line_is_split_as_a_shell_does() {
    assert_eq!(
        programs("a 'b c' --d=\"$(e f)\" | g -h; i"),
        [vec!["a", "b c", "--d=$(e f)"], vec!["g", "-h"], vec!["i"]]
    );
}

/// Helm's commands that need a cluster, which the chart is rendered for instead, with the values as they stand.
const HELM_RENDERED: [&str; 3] = ["install", "upgrade", "template"];
/// Words of the shell before a program.
const KEYWORDS: [&str; 4] = ["until", "while", "do", "done"];

const HELM_OTHERS: [&str; 7] = ["test", "uninstall", "rollback", "get", "push", "repo", "show"];
const KUBECTL: [&str; 15] = [
    "annotate",
    "apply",
    "create",
    "delete",
    "describe",
    "exec",
    "get",
    "logs",
    "patch",
    "port-forward",
    "rollout",
    "scale",
    "taint",
    "top",
    "wait",
];
/// Of resources that are in no namespace.
const OF_THE_CLUSTER: [&str; 7] = [
    "node",
    "nodes",
    "namespace",
    "volumeattachment",
    "volumeattachments",
    "pv",
    "storageclass",
];
/// Programs that need nothing of ours, and those of this repository's developers.
const OTHERS: [&str; 33] = [
    "sleep",
    "cargo",
    "cat",
    "cosign",
    "cluster/cluster",
    "CLUSTER_BIN",
    "cp",
    "crane",
    "curl",
    "docker",
    "echo",
    "export",
    "gh",
    "git",
    "go",
    "gpg",
    "grep",
    "head",
    "jq",
    "make",
    "onepod",
    "openssl",
    "promtool",
    "psql",
    "sed",
    "ssh",
    "ssh-keygen",
    "ssh-keyscan",
    "sha256sum",
    "tail",
    "tar",
    "tee",
    "trivy",
];

/// The words after the options of kubectl itself.
fn without_namespace<'a>(words: &'a [String], named: &mut bool) -> Vec<&'a str> {
    let mut left = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--" => {
                left.push(word);
                left.extend(words.by_ref());
            }
            "-n" | "--namespace" => {
                *named = true;
                words.next();
            }
            _ => left.push(word),
        }
    }
    left
}

#[test]
fn every_command_is_one_that_works() {
    let mut there: BTreeSet<String> = names(&render(&json!({}))).into_iter().collect();
    there.insert("Secret/opennebula".to_owned());
    let mut rendered = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    let mut check = |holds: bool, why: String| {
        if !holds {
            wrong.insert(why);
        }
    };
    for Command { page, line } in commands() {
        for program in programs(&line) {
            let keywords = program
                .iter()
                .take_while(|word| KEYWORDS.contains(&word.as_str()))
                .count();
            let Some((name, words)) = program[keywords..].split_first() else {
                continue;
            };
            match name.as_str() {
                "helm" => {
                    let verb = words[0].as_str();
                    if HELM_RENDERED.contains(&verb) {
                        check(
                            line.contains("--namespace "),
                            format!("{page}: no namespace: {line}"),
                        );
                        rendered.insert((page.clone(), words.to_vec()));
                    } else {
                        check(
                            HELM_OTHERS.contains(&verb),
                            format!("{page}: helm {verb}: {line}"),
                        );
                        let released = !["push", "repo", "show"].contains(&verb);
                        check(
                            !released || line.contains("--namespace "),
                            format!("{page}: no namespace: {line}"),
                        );
                    }
                }
                "kubectl" => {
                    let mut named = false;
                    let left = without_namespace(words, &mut named);
                    let verb = left[0];
                    check(KUBECTL.contains(&verb), format!("{page}: kubectl {verb}: {line}"));
                    let cluster = verb == "taint"
                        || left.contains(&"--all-namespaces")
                        || left.get(1).is_some_and(|kind| OF_THE_CLUSTER.contains(kind))
                        || (verb == "apply" && line.starts_with("kubectl create namespace"));
                    check(named || cluster, format!("{page}: no namespace: {line}"));
                    // Runbooks name their objects by variables.
                    for word in left.iter().take_while(|word| **word != "--") {
                        if let Some(pod) = word.strip_suffix("-0").filter(|pod| pod.starts_with(RELEASE)) {
                            let set = format!("StatefulSet/{pod}");
                            check(there.contains(&set), format!("{page}: no {set}: {line}"));
                        }
                        if let Some(service) = word.strip_prefix("service/") {
                            let service = format!("Service/{service}");
                            check(there.contains(&service), format!("{page}: no {service}: {line}"));
                        }
                    }
                }
                other => {
                    let other = other.split('=').next().unwrap();
                    let variable = |letter: char| letter.is_ascii_uppercase() || letter == '_';
                    check(
                        OTHERS.contains(&other) || other.chars().all(variable),
                        format!("{page}: {other} is not known: {line}"),
                    );
                }
            }
        }
    }
    assert_eq!(wrong, BTreeSet::new());
    assert!(rendered.len() >= 6, "{rendered:?}");
    for (page, words) in rendered {
        render_as_it_stands(&page, &words);
    }
}

/// Helm's own words, with the files that the page lets a reader write, and the folder in the place of the published chart.
fn render_as_it_stands(page: &str, words: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let root = helm::repository().canonicalize().unwrap();
    let mut arguments = vec!["template".to_owned()];
    let mut words = words[1..].iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            // Only what asks a cluster is left out.
            "--wait"
            | "--create-namespace"
            | "--reset-then-reuse-values"
            | "--reuse-values"
            | "--install" => {}
            "--timeout" => drop(words.next()),
            "oci://ghcr.io/pablodelarco/charts/opennebula"
            | "opennebula/opennebula"
            | "charts/opennebula" => {
                arguments.push(root.join("charts/opennebula").display().to_string());
            }
            "-f" | "--values" => {
                let file = folder.path().join("values.yaml");
                fs::write(&file, "{}").unwrap();
                words.next();
                arguments.extend(["--values".to_owned(), file.display().to_string()]);
            }
            "--set-file" => {
                let (name, file) = words.next().unwrap().split_once('=').unwrap();
                let path = folder.path().join(file);
                fs::write(&path, "kvm-1 ssh-ed25519 AAAA\n").unwrap();
                arguments.extend(["--set-file".to_owned(), format!("{name}={}", path.display())]);
            }
            other => arguments.push(other.to_owned()),
        }
    }
    arguments.extend(["--kube-version".to_owned(), "1.35.4".to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for helm in &*HELMS {
        match helm.say(&arguments) {
            Ok(text) => assert!(text.contains("kind: StatefulSet"), "{page}: {arguments:?}"),
            Err(Error::Refused(message)) => panic!("{page}: {arguments:?}: {message}"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// What the page lets a reader apply twice must be without Helm's test, and needs its namespace.
#[test]
fn what_is_applied_by_kubectl_can_be_applied_again() {
    let page = fs::read_to_string(helm::repository().join("docs/install.md")).unwrap();
    let lines: Vec<&str> = page
        .lines()
        .filter(|line| line.contains("| kubectl apply "))
        .collect();
    let apply = lines
        .iter()
        .find(|line| line.starts_with("helm template "))
        .unwrap();
    assert!(
        lines[0].starts_with("kubectl create namespace opennebula"),
        "{lines:?}"
    );
    let words: Vec<String> = programs(apply).remove(0);
    let chart = helm::opennebula().display().to_string();
    for helm in &*HELMS {
        let mut arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let at = arguments
            .iter()
            .position(|word| *word == "charts/opennebula")
            .unwrap();
        arguments[at] = &chart;
        arguments.extend(["--kube-version", "1.35.4"]);
        let objects = crate::objects(&helm.say(&arguments).unwrap());
        assert!(objects.iter().all(|object| object.kind() != "Pod"));
        assert_eq!(objects.iter().filter(|object| object.kind() == "Job").count(), 1);
        for object in &objects {
            assert!(
                !object
                    .at("/metadata/annotations")
                    .to_string()
                    .contains("helm.sh/hook\"")
            );
            assert_eq!(
                object.text("/metadata/namespace"),
                "opennebula",
                "{}",
                object.name()
            );
        }
    }
}
