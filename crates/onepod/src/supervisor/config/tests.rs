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
            .eq(["oned"])
    );
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
