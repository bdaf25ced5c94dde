//! The help: what every verb's has, and those that this program's operators read most, word by word.

use clap::{Command, CommandFactory as _};

use super::*;

fn command() -> Command {
    Cli::command().term_width(100).version("0.0.0")
}

/// The help of a verb, or of the program, as it is printed.
fn help(verb: Option<&str>) -> String {
    let mut command = command();
    command.build();
    let command = match verb {
        Some(verb) => command.find_subcommand_mut(verb).unwrap(),
        None => &mut command,
    };
    command.render_help().to_string()
}

fn shown() -> Vec<String> {
    command()
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| verb.get_name().to_owned())
        .collect()
}

#[test]
fn the_command_line_contradicts_itself_nowhere() {
    command().debug_assert();
}

#[test]
fn every_verb_says_what_it_is_for_with_examples_and_exit_codes() {
    for verb in shown() {
        let help = help(Some(&verb));
        for part in ["\nExit codes:\n", "\n   0  ", "\nExamples:\n  "] {
            assert!(help.contains(part), "{verb}: no {part:?} in\n{help}");
        }
        assert!(help.lines().all(|line| line.len() <= 120), "{verb}: {help}");
        let mut command = command();
        let command = command.find_subcommand_mut(&verb).unwrap();
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            assert!(argument.get_help().is_some(), "{verb}: {argument} says nothing");
        }
    }
}

#[test]
fn the_help_names_every_verb() {
    let help = help(None);
    for verb in shown() {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}");
    }
}

#[test]
fn help_of_status() {
    insta::assert_snapshot!(help(Some("status")), @r#"
    Show what the running pod does: services, timers, stages, database, errors

    Usage: onepod status [OPTIONS]

    Options:
          --json                   Print the pod's answer as JSON, on one line
          --watch [<SECONDS>]      Ask again every so many seconds (2 when left out), until Ctrl-C; on a
                                   terminal the tables stay in their place
          --credentials            Print oneadmin's name and password, and nothing else; it is in no log
                                   and on no page
          --listen <ADDRESS:PORT>  Where the pod answers, as in `ONEPOD_LISTEN`; asked where its control
                                   socket cannot be opened [env: ONEPOD_LISTEN] [default: 0.0.0.0:8080]
      -h, --help                   Print help

    The same is shown to a browser at http://POD:8080/status. Colours are used on a terminal only, and
    not where NO_COLOR is set.

    Exit codes:
       0  the pod has answered; whether it is ready is what `onepod probe ready` tells
       1  no pod answers, or there is no password yet

    Examples:
      onepod status
      onepod status --watch
      docker exec opennebula onepod status --credentials
      onepod status --json | jq '.services[] | select(.state != "ready")'
      kubectl exec -it opennebula-0 -- onepod status --watch 1
    "#);
}

#[test]
fn help_of_restart() {
    insta::assert_snapshot!(help(Some("restart")), @r"
    Stop one service of the running pod and start it again, or run a task or timer now

    Usage: onepod restart [OPTIONS] <NAME>

    Arguments:
      <NAME>  Service, task or timer, as `onepod status` lists them

    Options:
          --timeout <SECONDS>  How long to wait until it is ready again, in seconds [default: 120]
      -h, --help               Print help

    Other services are left alone, also those that come after it. A task or a timer runs once, now.

    Exit codes:
       0  it is ready again; the task or timer has succeeded
       1  it is not: the reason and its last lines are printed; or no pod answers
      64  there is no such name: those that there are are printed

    Examples:
      onepod restart fireedge
      onepod restart --timeout 300 oned
      kubectl exec opennebula-0 -- onepod restart oneflow
    ");
}

#[test]
fn help_of_logs() {
    insta::assert_snapshot!(help(Some("logs")), @r"
    Print the last lines of a service of the running pod, and follow them

    Usage: onepod logs [OPTIONS] [NAME]

    Arguments:
      [NAME]  Service, task or timer, as `onepod status` lists them, or `onepod` for its own lines; all
              of them when left out

    Options:
      -f, --follow     Go on with new lines, until Ctrl-C
      -n, --lines <N>  How many of the last records to print [default: 100]
      -h, --help       Print help

    The pod keeps the last 256 KiB of all services together; `kubectl logs` has everything since the
    container began.
    The lines have the format that ONEPOD_LOG_FORMAT chose for the pod.

    Exit codes:
       0  the lines were printed
       1  no pod answers
      64  there is no such name: those that there are are printed

    Examples:
      onepod logs oned
      onepod logs --follow --lines 0
      kubectl exec opennebula-0 -- onepod logs -n 20 fireedge
    ");
}

#[test]
fn help_of_discover() {
    insta::assert_snapshot!(help(Some("discover")), @r"
    Write the address of monitord's load balancer into a file, once there is one (the chart's init
    container)

    Usage: onepod discover [OPTIONS] --service <NAME> --output <FILE>

    Options:
          --service <NAME>    Name of the Service, which must be of type `LoadBalancer`
          --output <FILE>     File for the address; it is replaced in one step
          --namespace <NAME>  Namespace of the Service; in a pod its own when left out
          --timeout <TIME>    How long to wait for the address, for example 90s or 2m [default: 2m]
      -h, --help              Print help

    It needs a service account that may get and watch that one Service. Where there is no address in
    time, the file is empty: in OPENNEBULA_MONITOR_ADDRESS_FILE that stands for auto.

    Exit codes:
       0  the file is written: with the address, or empty with a warning
       1  it could not be written, or the service account may not read the Service
      64  there is no such Service, it is not of type LoadBalancer, or an argument cannot be used

    Examples:
      onepod discover --service opennebula-monitord --output /run/monitord/address
      onepod discover --namespace cloud --service opennebula-monitord --output address --timeout 10s
    ");
}

#[test]
fn discover_takes_a_service_a_file_and_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let given = |service: &str, output: &str, timeout: &str| {
        let output = dir.path().join(output).display().to_string();
        let arguments = [("service", service), ("output", &output), ("timeout", timeout)];
        let arguments = arguments.map(|(name, value)| format!("--{name}={value}"));
        let line = ["onepod", "discover"].map(str::to_owned);
        Cli::try_parse_from(line.into_iter().chain(arguments)).map_err(|error| error.to_string())
    };
    for timeout in ["1s", "90s", "2m", "1m30s", "24h"] {
        let parsed = given("opennebula-monitord", "address", timeout);
        assert!(parsed.is_ok(), "{timeout}: {parsed:?}");
    }
    for timeout in ["90", "-2m", "0s", "25h", "soon"] {
        let error = given("opennebula-monitord", "address", timeout).unwrap_err();
        assert!(error.contains("from 1s to 24h"), "{timeout}: {error}");
    }
    for service in ["Monitord", "a.b", "-a", "a-", "../secrets/x", &"x".repeat(64)] {
        let error = given(service, "address", "2m").unwrap_err();
        assert!(error.contains("1 to 63 lower-case letters"), "{service}: {error}");
    }
    assert!(given("", "address", "2m").is_err() && given("a", "address", "").is_err());
    for (output, reason) in [("absent/address", "mount a volume there"), ("", "is a directory")] {
        let error = given("opennebula-monitord", output, "2m").unwrap_err();
        assert!(error.contains(reason), "{output}: {error}");
    }
}

#[test]
fn help_of_probe() {
    insta::assert_snapshot!(help(Some("probe")), @r"
    Ask the running pod for its health

    Usage: onepod probe [OPTIONS] <WHAT>

    Arguments:
      <WHAT>  What to ask [possible values: live, ready, startup]

    Options:
          --listen <ADDRESS:PORT>  Where the pod answers, as in `ONEPOD_LISTEN` [env: ONEPOD_LISTEN]
                                   [default: 0.0.0.0:8080]
      -h, --help                   Print help (see more with '--help')

    The pod answers from what its own probes know: asking costs it nothing.

    Exit codes:
       0  yes
       1  no, with the reasons; or no pod answers

    Examples:
      onepod probe ready
      docker run --health-cmd 'onepod probe ready' ...
    ");
}

/// Every command of this program on every page, and in what Helm prints: verbs and options that there are.
#[test]
fn the_commands_of_the_pages_exist() {
    use std::fs;
    use std::path::Path;

    use clap::error::ErrorKind;

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![
        root.join("README.md"),
        root.join("charts/opennebula/README.md"),
        root.join("charts/opennebula/templates/NOTES.txt"),
    ];
    for folder in ["docs", "docs/runbooks"] {
        pages.extend(
            fs::read_dir(root.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        );
    }
    let mut found = 0;
    for page in pages {
        let is_page = page
            .extension()
            .is_some_and(|extension| extension == "md" || extension == "txt");
        if !is_page {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        // Between backticks is code, in a line and in a block; the notes are code alone.
        let code: Vec<&str> = if page.extension().is_some_and(|extension| extension == "txt") {
            vec![&text]
        } else {
            text.split('`').skip(1).step_by(2).collect()
        };
        for line in code.into_iter().flat_map(str::lines) {
            let Some((before, rest)) = line.split_once("onepod ") else {
                continue;
            };
            if before.contains('#') || !(before.is_empty() || before.ends_with(' ')) {
                continue;
            }
            let words: Vec<&str> = rest
                .split([';', '|', '#', '<', '>', '\'', '"'])
                .next()
                .unwrap()
                .split_whitespace()
                .collect();
            let placeholder = |word: &&str| word.chars().any(char::is_uppercase);
            if words
                .first()
                .is_none_or(|verb| placeholder(verb) || *verb == "help")
            {
                continue;
            }
            found += 1;
            let parsed = Cli::try_parse_from(["onepod"].into_iter().chain(words.iter().copied()));
            if let Err(error) = parsed {
                // A verb that is only mentioned is without its arguments.
                let mentioned = words.len() == 1 && error.kind() == ErrorKind::MissingRequiredArgument;
                assert!(mentioned, "{}: {line}: {error}", page.display());
            }
        }
    }
    assert!(found > 30, "{found}");
}
