//! Scenarios of settings: an environment in, typed values or the whole list of mistakes out.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "S3cr3t-that-nobody-may-see";

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect()
}

fn settle_test(pairs: &[(&str, &str)]) -> Result<Settings, Mistakes> {
    let services = Some(["oned", "oneflow", "onegate"].map(str::to_owned).into());
    settle_in(
        environment(pairs),
        resolve::Surroundings {
            hostname: "opennebula-0".into(),
            services,
        },
    )
}

/// The mistakes as text, after making sure that no secret is among it.
fn mistakes(pairs: &[(&str, &str)]) -> String {
    let mistakes = settle_test(pairs).unwrap_err();
    assert!(!mistakes.to_string().contains(PASSWORD), "{mistakes}");
    assert!(!format!("{mistakes:?}").contains(PASSWORD), "{mistakes:?}");
    mistakes.to_string()
}

fn file(dir: &TempDir, name: &str, content: &[u8]) -> String {
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn nothing_given_means_sqlite_and_defaults() {
    let settings = settle_test(&[]).unwrap();
    assert!(matches!(settings.database(), Database::Sqlite));
    assert_eq!(settings.hostname(), "opennebula-0");
    assert_eq!(settings.monitor_address(), "auto");
    assert_eq!(settings.listen().to_string(), "0.0.0.0:8080");
    assert_eq!(settings.log_format(), Format::Text);
    assert!(settings.disabled().is_empty() && settings.enabled().is_empty());
    assert!(settings.oneadmin_password().is_none());
}

#[test]
fn a_mysql_database_with_its_defaults() {
    let settings = settle_test(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "db"),
        ("DB_PASSWORD", PASSWORD),
    ])
    .unwrap();
    let Database::MySql(database) = settings.database() else {
        panic!("{settings:?}")
    };
    assert_eq!(
        (
            database.host(),
            database.port(),
            database.user(),
            database.name(),
            database.password().expose()
        ),
        ("db", 3306, "oneadmin", "opennebula", PASSWORD)
    );
    assert!(!format!("{settings:?}").contains(PASSWORD), "{settings:?}");
}

#[test]
fn empty_plain_settings_count_as_not_given() {
    let settings = settle_test(&[
        ("DB_BACKEND", ""),
        ("DB_HOST", ""),
        ("OPENNEBULA_HOSTNAME", ""),
        ("ONEPOD_LISTEN", ""),
        ("ONEPOD_DISABLE", ""),
    ])
    .unwrap();
    assert!(matches!(settings.database(), Database::Sqlite));
    assert_eq!(settings.hostname(), "opennebula-0");
}

#[test]
fn a_secret_file_loses_exactly_one_line_feed() {
    let dir = TempDir::new().unwrap();
    for (content, secret) in [("pa:ss\n", "pa:ss"), ("pa:ss", "pa:ss")] {
        let path = file(&dir, "password", content.as_bytes());
        let settings = settle_test(&[("ONEADMIN_PASSWORD_FILE", &path)]).unwrap();
        assert_eq!(settings.oneadmin_password().unwrap().expose(), secret);
    }
    let path = file(&dir, "password", b"pass\n\n");
    assert!(mistakes(&[("ONEADMIN_PASSWORD_FILE", &path)]).contains("line break"));
}

#[test]
fn every_way_to_lose_a_secret_file_names_setting_and_file() {
    let dir = TempDir::new().unwrap();
    let empty = file(&dir, "empty", b"");
    let line_feed = file(&dir, "line-feed", b"\n");
    let binary = file(&dir, "binary", b"\xff\xfe");
    let missing = dir.path().join("missing").to_str().unwrap().to_owned();
    let directory = dir.path().to_str().unwrap().to_owned();
    for path in [&empty, &line_feed, &binary, &missing, &directory] {
        let text = mistakes(&[("ONE_KEY_FILE", path)]);
        assert!(text.contains(&format!("ONE_KEY (ONE_KEY_FILE={path})")), "{text}");
    }
}

#[test]
fn a_secret_given_twice_is_a_mistake() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "password", b"other\n");
    let text = mistakes(&[("ONEADMIN_PASSWORD", PASSWORD), ("ONEADMIN_PASSWORD_FILE", &path)]);
    assert!(
        text.contains("both ONEADMIN_PASSWORD and ONEADMIN_PASSWORD_FILE are set"),
        "{text}"
    );
}

#[test]
fn an_unusable_password_file_is_one_mistake_not_two() {
    let mistakes = settle_test(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "db"),
        ("DB_PASSWORD_FILE", "/nonexistent/password"),
    ])
    .unwrap_err();
    assert_eq!(mistakes.list().len(), 1, "{mistakes}");
    assert_eq!(mistakes.list()[0].setting(), "DB_PASSWORD");
}

#[test]
fn mysql_without_host_and_password_lists_both() {
    insta::assert_snapshot!(mistakes(&[("DB_BACKEND", "mysql")]), @r"
    2 mistakes in the settings; nothing was written:
      - DB_HOST (not set): DB_BACKEND=mysql needs it. Set it to the host name of the database.
      - DB_PASSWORD (not set): DB_BACKEND=mysql needs it. Set it, or DB_PASSWORD_FILE to the path of a file that holds it.
    ");
}

#[test]
fn settings_of_a_server_contradict_sqlite() {
    let list = settle_test(&[("DB_HOST", "db"), ("DB_PORT", "3307"), ("DB_PASSWORD", PASSWORD)]).unwrap_err();
    let names: Vec<_> = list.list().iter().map(Mistake::setting).collect();
    assert_eq!(names, ["DB_HOST", "DB_PORT", "DB_PASSWORD"]);
    assert!(
        list.to_string().contains("no meaning with DB_BACKEND=sqlite"),
        "{list}"
    );
}

#[test]
fn everything_wrong_at_once_is_one_message() {
    insta::assert_snapshot!(mistakes(&[
        ("ONEADMIN_PASSWORD", ""),
        ("ONE_KEY", PASSWORD),
        ("FIREEDGE_KEY", PASSWORD),
        ("SSH_PRIVATE_KEY", PASSWORD),
        ("DB_BACKEND", "postgres"),
        ("DB_HOST", "mysql://db"),
        ("DB_PORT", "tcp://10.96.0.17:3306"),
        ("DB_NAME", "open-nebula"),
        ("DB_HOST_FILE", "/run/host"),
        ("OPENNEBULA_HOSTNAME", "one example"),
        ("OPENNEBULA_MONITOR_ADDRESS", "192.0.2.7:4124"),
        ("ONEPOD_LISTEN", ":8080"),
        ("ONEPOD_LOG_FORMAT", "xml"),
        ("ONEPOD_DISABLE", "oneflow,sunstone"),
        ("ONEPOD_CONFIG", "/nonexistent/config.yaml"),
        ("ONEPOD_LISTN", "0.0.0.0:80"),
        ("ONEPOD_SERVICE_HOST", "10.96.0.18"),
    ]));
}

#[test]
fn the_pods_own_name_must_do_or_the_setting_is_asked_for() {
    let around = || resolve::Surroundings {
        hostname: "bad name".into(),
        services: None,
    };
    let text = settle_in(environment(&[]), around()).unwrap_err().to_string();
    assert!(
        text.contains("OPENNEBULA_HOSTNAME (the pod's host name)"),
        "{text}"
    );
    let settings = settle_in(environment(&[("OPENNEBULA_HOSTNAME", "one.example")]), around()).unwrap();
    assert_eq!(settings.hostname(), "one.example");
}

#[test]
fn service_names_are_checked_only_where_they_are_known() {
    assert!(settle(environment(&[("ONEPOD_DISABLE", "sunstone")])).is_ok());
    assert!(
        settle_with(
            environment(&[("ONEPOD_DISABLE", "oneflow")]),
            &["oned", "oneflow"]
        )
        .is_ok()
    );
    let text = settle_with(environment(&[("ONEPOD_DISABLE", "sunstone")]), &["oned"])
        .unwrap_err()
        .to_string();
    assert!(text.contains("no service \"sunstone\""), "{text}");
}

#[test]
fn a_service_that_is_enabled_must_exist_and_must_not_be_disabled_too() {
    let settings = settle_test(&[("ONEPOD_ENABLE", "onegate"), ("ONEPOD_DISABLE", "oneflow")]).unwrap();
    assert!(settings.enabled().iter().eq(["onegate"]) && settings.disabled().iter().eq(["oneflow"]));
    let text = mistakes(&[
        ("ONEPOD_ENABLE", "sunstone, oneflow"),
        ("ONEPOD_DISABLE", "oneflow"),
    ]);
    for part in [
        "ONEPOD_ENABLE (environment): there is no service \"sunstone\". The services are oned, oneflow, onegate.",
        "ONEPOD_ENABLE (environment): ONEPOD_DISABLE names \"oneflow\" too. Remove it from one of the two.",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn other_peoples_variables_are_none_of_our_business() {
    assert!(
        settle_test(&[
            ("PATH", "/bin"),
            ("DB_SERVICE_HOST", "10.0.0.1"),
            ("ONE_XMLRPC", "x")
        ])
        .is_ok()
    );
}

#[test]
fn a_value_that_is_not_text_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt as _;
    let pair = (OsString::from("DB_BACKEND"), OsString::from_vec(vec![0xff]));
    let text = settle([pair]).unwrap_err().to_string();
    assert!(
        text.contains("DB_BACKEND (environment): the value is not UTF-8"),
        "{text}"
    );
}

#[test]
fn a_given_key_is_understood() {
    let key = SshKey::generate().unwrap();
    let settings = settle_test(&[("SSH_PRIVATE_KEY", key.pem().expose())]).unwrap();
    assert_eq!(settings.ssh_key().unwrap().public(), key.public());
}

#[test]
fn rows_show_origins_and_no_secret() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "password", PASSWORD.as_bytes());
    let settings = settle_test(&[("ONEADMIN_PASSWORD_FILE", &path), ("ONEPOD_LOG_FORMAT", "json")]).unwrap();
    let row = |name: &str| settings.rows().iter().find(|row| row.name == name).unwrap();
    assert_eq!(
        row("ONEADMIN_PASSWORD").origin,
        Origin::file("ONEADMIN_PASSWORD_FILE", Path::new(&path))
    );
    assert_eq!(row("OPENNEBULA_HOSTNAME").value, "opennebula-0");
    assert_eq!(
        (
            row("ONEPOD_LOG_FORMAT").value.as_str(),
            &row("ONEPOD_LOG_FORMAT").origin
        ),
        ("json", &Origin::Environment)
    );
    assert!(!format!("{:?}", settings.rows()).contains(PASSWORD));
}

#[test]
fn a_changed_password_file_is_read_again_and_a_broken_one_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "password", b"first\n");
    let settings = settle_test(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "db"),
        ("DB_PASSWORD_FILE", &path),
    ])
    .unwrap();
    let Database::MySql(database) = settings.database().clone() else {
        panic!("{settings:?}")
    };
    for (content, password) in [
        ("second\n", "second"),
        ("", "second"),
        ("]]>", "second"),
        ("third", "third"),
    ] {
        fs::write(&path, content).unwrap();
        let again = database.clone().with_password_read_again();
        // A broken file leaves what was known before, here the first password.
        let expected = if content.is_empty() || content == "]]>" {
            "first"
        } else {
            password
        };
        assert_eq!(again.password().expose(), expected, "{content:?}");
    }
}

#[test]
fn settings_are_read_again_from_their_files_and_the_overrides_stay() {
    let dir = TempDir::new().unwrap();
    let password = file(&dir, "password", b"first\n");
    let config = file(&dir, "config.yaml", b"oned:\n  MANAGER_TIMER: 5\n");
    let settings = settle_test(&[
        ("ONEADMIN_PASSWORD_FILE", &password),
        ("SERVERADMIN_SECRET", PASSWORD),
        ("ONEPOD_CONFIG", &config),
    ])
    .unwrap();
    assert_eq!(
        settings.secret_files(),
        [("ONEADMIN_PASSWORD", Path::new(&password).to_owned())]
    );
    assert!(!format!("{settings:?}").contains(PASSWORD), "{settings:?}");

    fs::write(&password, "second\n").unwrap();
    fs::write(&config, "nonsense").unwrap();
    let again = settings.reread().unwrap();
    assert_eq!(again.oneadmin_password().unwrap().expose(), "second");
    assert_eq!(again.serveradmin_secret().unwrap().expose(), PASSWORD);
    assert_eq!(
        (again.overrides(), again.rows()),
        (settings.overrides(), settings.rows())
    );

    fs::write(&password, "with a blank\n").unwrap();
    let mistakes = again.reread().unwrap_err().to_string();
    assert!(
        mistakes.contains("ONEADMIN_PASSWORD (ONEADMIN_PASSWORD_FILE="),
        "{mistakes}"
    );
}

#[test]
fn host_keys_come_as_text_or_file_and_an_empty_file_is_none() {
    const LINE: &str =
        "kvm-1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA8SFiA0LO2HAW2IMoNjyVtVJ7kHjmsdbVMVQ0SDZ7Zp";
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "known_hosts", format!("{LINE}\n{LINE}\n").as_bytes());
    let empty = file(&dir, "empty", b"");
    let settings = settle_test(&[("SSH_KNOWN_HOSTS_FILE", &path)]).unwrap();
    assert_eq!(settings.known_hosts(), Some(format!("{LINE}\n{LINE}\n").as_str()));
    let row = settings
        .rows()
        .iter()
        .find(|row| row.name == "SSH_KNOWN_HOSTS")
        .unwrap();
    assert_eq!(row.value, "2 lines");
    assert_eq!(
        settle_test(&[("SSH_KNOWN_HOSTS_FILE", &empty)])
            .unwrap()
            .known_hosts(),
        None
    );
    assert_eq!(
        settle_test(&[("SSH_KNOWN_HOSTS", LINE)]).unwrap().known_hosts(),
        Some(format!("{LINE}\n").as_str())
    );
}

#[test]
fn monitords_address_comes_from_a_file_and_an_empty_one_stands_for_auto() {
    let dir = TempDir::new().unwrap();
    for (content, address) in [
        ("192.0.2.7", "192.0.2.7"),
        (" 2001:db8::7 \n", "2001:db8::7"),
        ("lb-1.example.org\n\n", "lb-1.example.org"),
        ("", "auto"),
        ("\n", "auto"),
        (" \t\n", "auto"),
    ] {
        let path = file(&dir, "address", content.as_bytes());
        let settings = settle_test(&[("OPENNEBULA_MONITOR_ADDRESS_FILE", &path)]).unwrap();
        assert_eq!(settings.monitor_address(), address, "{content:?}");
        let row = settings
            .rows()
            .iter()
            .find(|row| row.name == "OPENNEBULA_MONITOR_ADDRESS")
            .unwrap();
        let origin = match address {
            "auto" => "not set".to_owned(),
            _ => format!("OPENNEBULA_MONITOR_ADDRESS_FILE={path}"),
        };
        assert_eq!(
            (row.value.as_str(), row.origin.to_string()),
            (address, origin),
            "{content:?}"
        );
    }
}

#[test]
fn a_file_without_monitords_address_in_it_is_a_mistake() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "address", b"192.0.2.7:4124\n");
    let text = mistakes(&[("OPENNEBULA_MONITOR_ADDRESS_FILE", &path)]);
    assert!(
        text.contains(&format!(
            "OPENNEBULA_MONITOR_ADDRESS (OPENNEBULA_MONITOR_ADDRESS_FILE={path}): "
        )) && text.contains("without a port"),
        "{text}"
    );
    let both = mistakes(&[
        ("OPENNEBULA_MONITOR_ADDRESS_FILE", &path),
        ("OPENNEBULA_MONITOR_ADDRESS", "192.0.2.7"),
    ]);
    assert!(
        both.contains("both OPENNEBULA_MONITOR_ADDRESS and OPENNEBULA_MONITOR_ADDRESS_FILE are set"),
        "{both}"
    );
    let absent = mistakes(&[("OPENNEBULA_MONITOR_ADDRESS_FILE", "/nonexistent/address")]);
    assert!(absent.contains("the file cannot be read"), "{absent}");
    let link = mistakes(&[("OPENNEBULA_MONITOR_ADDRESS", "tcp://10.96.0.18:4124")]);
    assert!(link.contains("is a service link"), "{link}");
}

#[test]
fn monitords_address_stays_what_it_was_at_the_start() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "address", b"192.0.2.7\n");
    let settings = settle_test(&[("OPENNEBULA_MONITOR_ADDRESS_FILE", &path)]).unwrap();
    assert_eq!(settings.secret_files(), [], "there is nothing to watch");
    fs::write(&path, "not an address").unwrap();
    let again = settings.reread().unwrap();
    assert_eq!(again.monitor_address(), "192.0.2.7");
    assert_eq!(again.rows(), settings.rows());
}

#[test]
fn only_a_regular_file_of_limited_length_is_read_for_a_setting() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fs::write(path("long"), " ".repeat((1 << 20) + 1)).unwrap();
    for (file, problem) in [
        (
            path("fifo"),
            "it is a FIFO, not a regular file. Give the path of a regular file.",
        ),
        (path(""), "it is a directory, not a regular file."),
        ("/dev/zero".to_owned(), "it is a device, not a regular file."),
        (
            path("long"),
            "it has more than 1048576 bytes. Give the path of a file that holds the value alone.",
        ),
    ] {
        // A secret, a line, a text, and the file of all overrides.
        for name in [
            "ONE_KEY_FILE",
            "OPENNEBULA_MONITOR_ADDRESS_FILE",
            "SSH_KNOWN_HOSTS_FILE",
            "ONEPOD_CONFIG",
        ] {
            let text = mistakes(&[(name, &file)]);
            let setting = name.trim_end_matches("_FILE");
            assert!(text.contains(setting) && text.contains(problem), "{name}: {text}");
        }
    }
}

#[test]
fn a_file_of_a_mounted_secret_is_read_through_its_links() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("..2026")).unwrap();
    fs::write(path("..2026/one-key"), "0f".repeat(32)).unwrap();
    std::os::unix::fs::symlink("..2026", path("..data")).unwrap();
    std::os::unix::fs::symlink("..data/one-key", path("one-key")).unwrap();
    let file = path("one-key").display().to_string();
    let environment = [("ONE_KEY_FILE", file.as_str()), ("OPENNEBULA_HOSTNAME", "one")];
    let settings = settle(environment.map(|(name, value)| (name.into(), value.into())));
    assert!(settings.unwrap().one_key().is_some());
}
