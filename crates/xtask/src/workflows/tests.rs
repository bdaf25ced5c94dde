//! A good workflow, and what is found when one thing in it is bad.

use super::*;

const HASH: &str = "3d3c42e5aac5ba805825da76410c181273ba90b1";

fn good() -> String {
    format!(
        "name: good
on:
  push:
    branches: [main]
permissions: {{}}
concurrency: {{group: good}}
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@{HASH} # v7.0.1
        with:
          persist-credentials: false
      - name: check
        run: cargo xtask check --line \"$LINE\"
        env:
          LINE: ${{{{ matrix.line }}}}
"
    )
}

fn file(text: &str) -> File {
    File {
        path: ".github/workflows/good.yml".to_owned(),
        text: text.to_owned(),
    }
}

/// Knows one verb, `check`, with anything behind it.
fn check_only(words: &[String]) -> Result<(), String> {
    match words {
        [verb, ..] if verb == "check" => Ok(()),
        _ => Err(format!("`cargo xtask {}` is not there", words.join(" "))),
    }
}

fn found(text: &str) -> Vec<String> {
    findings(&[file(text)], &check_only)
}

/// One change to the good one, and what is found then.
fn with(from: &str, to: &str) -> Vec<String> {
    let text = good();
    assert!(text.contains(from), "{from:?} is not in it");
    found(&text.replace(from, to))
}

#[test]
fn a_good_one_has_no_findings() {
    assert_eq!(found(&good()), Vec::<String>::new());
}

const PINNED: &str = "actions/checkout@HASH # v7.0.1";

/// What is in the good one, what stands there instead, and what is said of it. HASH is the hash.
const FAULTS: &[(&str, &str, &str)] = &[
    ("permissions: {}\n", "", "no `permissions: {}` at the top"),
    (
        "permissions: {}\n",
        "permissions: read-all\n",
        "no `permissions: {}` at the top",
    ),
    ("concurrency: {group: good}\n", "", "no `concurrency`"),
    (
        "    timeout-minutes: 10\n",
        "",
        "job one: has no `timeout-minutes`",
    ),
    (
        "    permissions:\n      contents: read\n",
        "",
        "does not say its `permissions`",
    ),
    (
        "        with:\n          persist-credentials: false\n",
        "",
        "leaves the token in the checkout",
    ),
    (
        "persist-credentials: false",
        "persist-credentials: true",
        "leaves the token in the checkout",
    ),
    (
        "  push:\n    branches: [main]\n",
        "  pull_request_target:\n",
        "starts by pull_request_target",
    ),
    (
        "${{ matrix.line }}",
        "${{ secrets.TOKEN }}",
        "uses a secret and has no `environment`",
    ),
    (
        "${{ matrix.line }}",
        "${{ secrets['TOKEN'] }}",
        "uses a secret and has no `environment`",
    ),
    (
        "concurrency: {group: good}\n",
        "concurrency: {group: good}\nenv: {A: '${{ secrets.B }}'}\n",
        "gives a secret to all jobs",
    ),
    (PINNED, "actions/checkout@v7", "pinned by \"v7\""),
    (
        PINNED,
        "actions/checkout@3d3c42e # v7.0.1",
        "pinned by \"3d3c42e\"",
    ),
    (PINNED, "actions/checkout@HASH", "no release beside its hash"),
    (PINNED, "actions/checkout@HASH # v7", "no release beside its hash"),
    (
        PINNED,
        "actions/checkout@HASH # main",
        "no release beside its hash",
    ),
    (PINNED, "./.github/actions/set-up", "is not in this repository"),
    (PINNED, "docker://alpine:3", "has no digest"),
    (
        "cargo xtask check",
        "cargo xtask deploy",
        "`cargo xtask deploy --line 7.0` is not there",
    ),
    (
        "cargo xtask check",
        "cargo build",
        "calls cargo, which is neither",
    ),
    (
        "cargo xtask check",
        "curl https://example",
        "calls curl, which is neither",
    ),
    ("$LINE", "$OTHER", "uses $OTHER, which no `env` of it sets"),
    (
        "\"$LINE\"",
        "\"${{ matrix.line }}\"",
        "has an expression in its script",
    ),
    ("\"$LINE\"", "\"$(date)\"", "a substitution"),
    ("\"$LINE\"", "$(date)", "a substitution"),
    ("\"$LINE\"", "`date`", "more than one call"),
    ("\"$LINE\"", "1 && true", "more than one call"),
    ("\"$LINE\"", "1 > file", "more than one call"),
    ("\"$LINE\"", "*.tgz", "more than one call"),
    ("\"$LINE\"", "\"$LINE", "a quote without its end"),
    (
        "run: cargo xtask",
        "run: |\n          true\n          cargo xtask",
        "a second line",
    ),
];

#[test]
fn every_single_fault_is_found_and_nothing_else() {
    for (from, to, finding) in FAULTS {
        let all = with(&from.replace("HASH", HASH), &to.replace("HASH", HASH));
        assert!(all.iter().any(|one| one.contains(finding)), "{to:?}: {all:#?}");
        assert_eq!(all.len(), 1, "{to:?}: {all:#?}");
    }
}

#[test]
fn a_text_that_is_no_yaml_is_a_finding() {
    let all = found("jobs: [");
    assert!(all.iter().any(|one| one.contains("is no YAML")), "{all:#?}");
    assert!(
        found("permissions: {}")
            .iter()
            .any(|one| one.contains("has no jobs"))
    );
}

#[test]
fn a_secret_with_an_environment_and_the_job_s_own_token_are_fine() {
    let line = "${{ matrix.line }}";
    assert_eq!(with(line, "${{ secrets.GITHUB_TOKEN }}"), Vec::<String>::new());
    let text = good().replace(line, "${{ secrets.TOKEN }}").replace(
        "    timeout-minutes",
        "    environment: publish\n    timeout-minutes",
    );
    assert_eq!(found(&text), Vec::<String>::new());
}

#[test]
fn secrets_go_to_workflows_of_this_repository_alone() {
    let call = |uses: &str| {
        format!(
            "on: push\npermissions: {{}}\nconcurrency: x\njobs:\n  call:\n    permissions: {{contents: read}}\n    uses: {uses}\n    secrets: inherit\n"
        )
    };
    assert_eq!(found(&call("./.github/workflows/good.yml")), Vec::<String>::new());
    let all = found(&call(&format!("a/b/.github/workflows/c.yml@{HASH} # v1.0.0")));
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].contains("to a workflow of another repository"));
    let all = found(
        &call("./.github/workflows/good.yml").replace("secrets: inherit", "with: {a: '${{ secrets.B }}'}"),
    );
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].contains("as an input"));
}

#[test]
fn a_commit_without_a_release_is_one_of_those_that_are_listed() {
    let pinned = |commit: &str| {
        with(
            "    steps:\n",
            &format!("    steps:\n      - uses: helm/chart-releaser-action@{commit} # after v1.7.0\n"),
        )
    };
    assert_eq!(
        pinned("3e001cb8c68933439c7e721650f20a07a1a5c61e"),
        Vec::<String>::new()
    );
    assert_eq!(pinned(&"0".repeat(40)).len(), 1);
}

#[test]
fn an_action_has_one_commit_in_all_files() {
    let other = File {
        path: ".github/workflows/other.yml".to_owned(),
        text: good().replace(HASH, "9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0"),
    };
    let all = findings(&[file(&good()), other], &check_only);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].contains("is used at several commits"));
}

#[test]
fn an_action_cannot_hide_from_the_lines() {
    let step = format!("      - uses: actions/checkout@{HASH} # v7.0.1\n");
    for form in [
        "      - {uses: a/b@v1}\n",
        "      - \"uses\": a/b@v1\n",
        "      - uses:\n          a/b@v1\n",
    ] {
        let all = with(&step, &format!("{form}{step}"));
        assert!(
            all.iter().any(|one| one.contains("uses a/b@v1 in another form")),
            "{form:?}: {all:#?}"
        );
    }
}

#[test]
fn a_composite_action_is_looked_at_too() {
    let action = |script: &str| File {
        path: ".github/actions/set-up/action.yml".to_owned(),
        text: format!(
            "name: x\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      run: {script}\n"
        ),
    };
    assert_eq!(
        findings(&[action("cargo xtask check")], &check_only),
        Vec::<String>::new()
    );
    let all = findings(&[action("rm -rf /")], &check_only);
    assert!(all[0].contains("step 1: calls rm"), "{all:#?}");
}

#[test]
fn what_may_be_left_out_is_judged_as_if_it_were_there() {
    let text = good().replace("--line \"$LINE\"", "${LINE:+--line \"$LINE\"}");
    assert_eq!(found(&text), Vec::<String>::new());
    let verb = |words: &[String]| {
        assert_eq!(words, ["check", "--line", "7.0"]);
        Ok(())
    };
    assert_eq!(findings(&[file(&text)], &verb), Vec::<String>::new());
}

#[test]
fn a_program_that_nothing_calls_leaves_the_list() {
    let all = unused(&[file(
        "        run: gh api\n        run: >-\n          cosign sign x\n        run: trivy image x\n",
    )]);
    assert_eq!(all, Vec::<String>::new());
    let all = unused(&[file(
        "        run: cargo xtask check\n        # gh api\n        run: ghost\n",
    )]);
    assert_eq!(all.len(), 3, "{all:#?}");
}

#[test]
fn a_verb_may_be_root_s() {
    let make = |words: &str| good().replace("cargo xtask check --line \"$LINE\"", words);
    let root = make("sudo --preserve-env env \"PATH=$PATH\" make check");
    assert_eq!(found(&root), Vec::<String>::new());
    for (words, finding) in [
        ("sudo make check", "calls sudo"),
        ("sudo --preserve-env env \"PATH=$PATH\" rm -rf x", "calls rm"),
        ("sudo --preserve-env env \"PATH=$PATH\"", "runs nothing"),
        ("make love", "calls make"),
    ] {
        let all = found(&make(words));
        assert!(all.len() == 1 && all[0].contains(finding), "{words}: {all:#?}");
    }
}
