//! The image's own services.toml, and everything that can be wrong with one.

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("services.toml"), text)
}

fn complaint(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_images_own_file_is_right_and_in_an_order_in_which_services_can_start() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/services.toml");
    let config = Config::load(&path).unwrap();
    let names = config.names();
    let place = |name| names.iter().position(|other| *other == name).unwrap();
    for name in ["onehem", "oneflow", "onegate", "oneform", "oneks", "fireedge"] {
        let order = ["ssh-agent", "ssh-add", "oned", "credentials", name];
        assert!(order.is_sorted_by_key(|name| place(*name)), "{names:?}");
    }
    assert!(place("guacd") < place("fireedge"));
    for name in ["sshd", "showback", "ssh-socks-cleaner", "rotate-logs"] {
        assert!(names.contains(&name), "{names:?}");
    }
    // As share/hooks/raft/vip.sh has it.
    let leader: Vec<&str> = config
        .units
        .iter()
        .filter(|unit| unit.role == Role::Leader)
        .map(|unit| &*unit.name)
        .collect();
    for name in ["onehem", "oneflow", "onegate", "oneform", "showback"] {
        assert!(leader.contains(&name), "{leader:?}");
    }
    for name in ["oned", "fireedge", "guacd", "sshd", "rotate-logs"] {
        assert!(!leader.contains(&name), "{leader:?}");
    }
    let longest: u64 = 2 + 20;
    assert!(config.stop_within.as_secs() >= longest);
    assert!(
        config
            .units
            .iter()
            .filter(|unit| unit.essential)
            .map(|unit| &*unit.name)
            .eq(["oned", "bootstrap"])
    );
    assert!(
        config
            .units
            .iter()
            .filter(|unit| unit.off == Some(Off::ByDefault))
            .map(|unit| &*unit.name)
            .eq(["oneks"])
    );
}

#[test]
fn settings_switch_units_on_and_off() {
    let config = parse(
        "[services.a]\ncommand = [\"/bin/a\"]\nreadiness = { notify = true }\n\
         [services.b]\ncommand = [\"/bin/b\"]\nreadiness = { notify = true }\nenabled = false\n",
    )
    .unwrap();
    let off = |enabled: &[&str], disabled: &[&str]| {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let config = config.clone().with_switches(&set(enabled), &set(disabled));
        config.units.iter().map(|unit| unit.off).collect::<Vec<_>>()
    };
    assert_eq!(off(&[], &[]), [None, Some(Off::ByDefault)]);
    assert_eq!(off(&["b"], &["a"]), [Some(Off::Disabled), None]);
    assert_eq!(off(&["a"], &["b"]), [None, Some(Off::Disabled)], "a is on anyway");
}

#[test]
fn every_mistake_is_in_one_message() {
    let text = complaint(
        r#"
        [services.a]
        command = ["bin/a"]
        readiness = { tcp = "nowhere", file = "/x" }
        stop = { signal = "SEGV" }
        [services.b]
        command = ["/bin/b"]
        readiness = { notify = true }
        afterwards = ["a"]
        [services.c]
        command = []
        readiness = { xmlrpc = "https://x" }
        logs = ["c.log"]
        "#,
    );
    for part in [
        "services.a.command: the program must be an absolute path, not \"bin/a\"",
        "services.a.readiness: exactly one of",
        "services.a.stop.signal: \"SEGV\" is none of",
        "services.b: unknown field `afterwards`",
        "services.c.command",
        "services.c.readiness: xmlrpc",
        "services.c.logs: \"c.log\" must be an absolute path",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn a_probe_over_http_may_have_the_method_trace_and_no_other() {
    let told = |readiness: &str| {
        let text = format!("[services.a]\ncommand = [\"/bin/true\"]\nreadiness = {{ {readiness} }}\n");
        parse(&text)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(told("http = \"http://127.0.0.1:1/\", method = \"TRACE\""), "");
    assert!(
        told("http = \"http://127.0.0.1:1/\", method = \"POST\"").contains("method: \"POST\" is not TRACE")
    );
    assert!(told("tcp = \"127.0.0.1:1\", method = \"TRACE\"").contains("method belongs to http"));
}

#[test]
fn unknown_names_and_circles_are_mistakes() {
    let service = |name: &str, after: &str| {
        format!(
            "[services.{name}]\ncommand = [\"/bin/true\"]\nreadiness = {{ notify = true }}\nafter = [{after}]\n"
        )
    };
    let unknown = complaint(&service("a", "\"b\", \"c\""));
    assert!(
        unknown.contains("no service \"b\"") && unknown.contains("no service \"c\""),
        "{unknown}"
    );
    let circle = complaint(&(service("a", "\"b\"") + &service("b", "\"a\"") + &service("c", "")));
    assert!(
        circle.contains("a, b come after one another in a circle"),
        "{circle}"
    );
    let bystander = complaint(
        &(service("a", "\"b\"")
            + &service("b", "\"a\"")
            + "wants = [\"c\"]\n"
            + &service("c", "")
            + &service("d", "\"a\"")),
    );
    assert!(
        bystander.contains("services: a, b come after"),
        "neither what a circle comes after nor what comes after it: {bystander}"
    );
    let soft = complaint(&(service("a", "") + "wants = [\"b\"]\n" + &service("b", "\"a\"")));
    assert!(soft.contains("a, b come after one another in a circle"), "{soft}");
    let own = complaint(&service("a", "\"a\""));
    assert!(own.contains("circle"), "{own}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named() {
    assert!(
        Config::load(Path::new("/nowhere/services.toml"))
            .unwrap_err()
            .to_string()
            .contains("/nowhere/services.toml")
    );
    assert!(complaint("[services").contains("services.toml"));
    assert!(complaint("services = {}\nmore = 1").contains("more"));
}

#[test]
fn tasks_timers_and_roles_are_read_with_their_defaults() {
    let config = parse(
        r#"
        [services.a]
        command = ["/bin/a"]
        readiness = { notify = true }
        role = "leader"
        [services.b]
        command = ["/bin/b"]
        readiness = { notify = true }
        start_within_seconds = 7
        wants = ["a"]
        [tasks.c]
        builtin = "credentials"
        after = ["b"]
        essential = true
        [timers.d]
        command = ["/bin/d"]
        schedule = { daily = "03:30" }
        only_if_not_empty = "/d"
        [timers.e]
        builtin = "rotate-logs"
        schedule = { at_seconds = [40, 10] }
        timeout_seconds = 5
        "#,
    )
    .unwrap();
    assert_eq!(config.names(), ["a", "b", "c", "d", "e"]);
    let kinds: Vec<String> = config
        .units
        .iter()
        .map(|unit| match &unit.kind {
            Kind::Service { start_within, .. } => format!("{start_within:?}"),
            Kind::Task { timeout } => format!("{timeout:?}"),
            Kind::Timer {
                schedule, timeout, ..
            } => format!("{} {timeout:?}", schedule.describe()),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "300s",
            "7s",
            "60s",
            "daily at 03:30 600s",
            "each minute at :10, :40 5s"
        ]
    );
    assert_eq!(
        (config.units[0].role, config.units[1].role),
        (Role::Leader, Role::Any)
    );
    assert!(config.units[2].essential);
}

#[test]
fn every_mistake_of_tasks_and_timers_is_told() {
    let text = complaint(
        r#"
        [services.twice]
        command = ["/bin/a"]
        readiness = { notify = true }
        start_within_seconds = 0
        role = "follower"
        [services.again]
        command = ["/bin/a"]
        readiness = { notify = true }
        [tasks.again]
        command = ["/bin/a"]
        [tasks.both]
        command = ["/bin/a"]
        builtin = "credentials"
        [tasks.neither]
        timeout_seconds = 0
        [tasks.unknown]
        builtin = "credential"
        readiness = { notify = true }
        [tasks.misspelt]
        builtin = "credential"
        [timers.never]
        command = ["/bin/a"]
        schedule = {}
        [timers.always]
        command = ["/bin/a"]
        schedule = { daily = "00:00", every_seconds = 1 }
        [timers.late]
        command = ["/bin/a"]
        schedule = { daily = "24:00" }
        essential = true
        [timers.later]
        command = ["bin/a"]
        schedule = { daily = "24:00" }
        only_if_not_empty = "x"
        [timers.Wrong]
        command = ["/bin/a"]
        schedule = { at_seconds = [60] }
        "#,
    );
    for part in [
        "services.twice: unknown variant `follower`",
        "tasks.again: another section has this name too",
        "tasks.both.command: exactly one of command and builtin",
        "tasks.neither.command: exactly one of command and builtin",
        "tasks.neither.timeout_seconds: must be at least 1",
        "tasks.unknown: unknown field `readiness`",
        "tasks.misspelt.builtin: there is no \"credential\", only bootstrap, credentials, rotate-logs",
        "timers.never.schedule: exactly one of daily",
        "timers.always.schedule: exactly one of daily",
        "timers.late: unknown field `essential`",
        "timers.later.command: the program must be an absolute path",
        "timers.later.only_if_not_empty: \"x\" must be",
        "timers.later.schedule: daily: \"24:00\" is not HH:MM",
        "timers.Wrong.*: a name has only",
        "timers.Wrong.schedule: at_seconds: needs one or more numbers from 0 to 59",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    let after_timer = complaint(
        "[tasks.a]\ncommand = [\"/bin/a\"]\nafter = [\"b\"]\n[timers.b]\ncommand = [\"/bin/b\"]\nschedule = { every_seconds = 1 }",
    );
    assert!(
        after_timer.contains("tasks.a.after: \"b\" is a timer, and nothing can come after one"),
        "{after_timer}"
    );
}
