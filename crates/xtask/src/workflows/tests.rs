use super::*;
use crate::repo::Repo;
use crate::verbs::{Verb, workflows};

const GOOD: &str = "\
jobs:
  one:
    timeout-minutes: 10
    steps:
      - uses: a/b@123 # v7.0.1
      - name: check
        run: cargo xtask forge summary -- e2e --line \"$LINE\"
        env: {LINE: x}
";
const TABLE: &str =
    "| step | where | here |\n|---|---|---|\n| `a/b` | `good/one` | x |\n| check | `good/one` | x |\n";

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn found(text: &str) -> Vec<String> {
    findings(
        &[file(".github/workflows/good.yml", text)],
        TABLE,
        &Verb::understand,
    )
}

#[test]
fn the_workflows_of_this_repository_pass() {
    let repo = Repo::find().unwrap();
    let table = std::fs::read_to_string(repo.root.join(workflows::TABLE)).unwrap();
    let found = findings(&workflows::files(&repo).unwrap(), &table, &Verb::understand);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What stands in the good one, what instead, and the only finding.
const FAULTS: &str = r#"
    timeout-minutes: 10 => x: 1 => job one: no `timeout-minutes`
# v7.0.1 => # main => no release beside its commit
summary => sumary => 'sumary'
-- e2e => -- e2f => 'e2f'
"$LINE" => seven => seven
cargo xtask => cargo build => neither `cargo xtask
cargo xtask => sudo cargo xtask => neither `cargo xtask
$LINE => $OTHER => no `env` sets $OTHER
$LINE => $(date) => no `env` sets $
$LINE => ${{ matrix.line }} => no `env` sets ${ matrix.line
"$LINE" => 7.0 && true => more than one call
"$LINE" => "$LINE => a quote is not closed
-- e2e => -- check ${LINE:+--lime "$LINE"} => '--lime'
cargo xtask => sudo --preserve-env env "PATH=$PATH" "HOME=$HOME" cargo xtask =>
name: check => name: test => docs/maintainers/workflows.md: "#;

#[test]
fn every_planted_fault_is_found() {
    assert_eq!(found(GOOD), Vec::<String>::new());
    for fault in FAULTS.lines().skip(1) {
        let [from, to, finding] = fault.split("=>").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{fault}")
        };
        assert!(GOOD.contains(from), "{from}");
        let all = found(&GOOD.replace(from, to));
        assert_eq!(all.is_empty(), finding.is_empty(), "{fault}: {all:#?}");
        assert!(all.iter().all(|one| one.contains(finding)), "{fault}: {all:#?}");
    }
    assert!(found("jobs: [")[0].contains("not valid YAML"));
    let schedule = found(&format!("on: {{schedule: [{{cron: '1 1 * * *'}}]}}\n{GOOD}"));
    assert_eq!(schedule, ["keep-alive has {}, and a schedule has {\"good.yml\"}"]);
    let env = found(&format!("env: {{A: secrets.B}}\n{GOOD}"));
    assert!(env.len() == 1 && env[0].contains("to every job"), "{env:#?}");
}

#[test]
fn files_agree_on_an_action_and_local_actions_exist() {
    let action = |name: &str, uses: &str| {
        file(
            &format!(".github/actions/{name}/action.yml"),
            &format!("runs:\n  steps:\n    - uses: {uses}\n"),
        )
    };
    let files = [
        action("a", "x/y@1 # v1.0.0"),
        action("b", "x/y@2 # v1.0.0"),
        action("c", "./x"),
    ];
    let all = findings(
        &files,
        "| x/y | actions/a, actions/b | |\n| z | actions/c | |\n",
        &Verb::understand,
    );
    assert_eq!(
        all,
        [
            "x/y is 1 # v1.0.0 in .github/actions/a/action.yml, and 2 # v1.0.0 in .github/actions/b/action.yml",
            ".github/actions/c/action.yml: job , step ./x: x does not exist",
            "docs/maintainers/workflows.md: add a row: ./x | actions/c",
            "docs/maintainers/workflows.md: no such step, remove it: z | actions/c",
        ]
    );
}
