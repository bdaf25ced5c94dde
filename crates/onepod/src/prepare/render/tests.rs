use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use oned_conf::Document;

use super::yaml::{Keys, YamlError};
use super::*;
use crate::settings;

const ONED: &str = include_str!("fixtures/oned.conf");
const MONITORD: &str = include_str!("fixtures/monitord.conf");
const ONEFLOW: &str = include_str!("fixtures/oneflow-server.conf");
const ONEGATE: &str = include_str!("fixtures/onegate-server.conf");
const ONEGATE_7_4: &str = include_str!("fixtures/onegate-server-7.4.conf");

const MYSQL: [(&str, &str); 6] = [
    ("OPENNEBULA_HOSTNAME", "one.example"),
    ("OPENNEBULA_MONITOR_ADDRESS", "192.0.2.7"),
    ("DB_BACKEND", "mysql"),
    ("DB_HOST", "opennebula-mariadb"),
    ("DB_PORT", "3307"),
    ("DB_PASSWORD", "p\"w # [x] \\ y"),
];

fn settle(environment: &[(&str, &str)]) -> Settings {
    let environment = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    settings::settle(environment).unwrap()
}

/// Settings with a file of overrides.
fn settle_with(environment: &[(&str, &str)], overrides: &str) -> Settings {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.yaml");
    fs::write(&path, overrides).unwrap();
    settle(&[environment, &[("ONEPOD_CONFIG", path.to_str().unwrap())]].concat())
}

/// A file of OpenNebula's own grammar with the settings in it.
fn edited(section: &str, text: &str, settings: &Settings) -> Result<String, Problem> {
    attributes::edit(text, vendor::file(section).unwrap(), settings, Line::of("7.0.2"))
        .map(|edited| edited.text)
}

/// The address to listen on in `OneGate`'s file.
fn listen_on_all(text: &str) -> Result<String, YamlError> {
    own::listen(text, Keys::Symbols, &[&["server", "bind"], &["host"]])
}

#[test]
fn logs_of_machines_are_where_the_fireedge_of_the_release_looks_for_them() {
    let settings = settle(&[("OPENNEBULA_HOSTNAME", "opennebula-0")]);
    let file = vendor::file("oned").unwrap();
    for (release, on_the_volume) in [("7.0.2", false), ("7.2.0", false), ("7.4.0", true), ("", false)] {
        let text = attributes::edit(ONED, file, &settings, Line::of(release))
            .unwrap()
            .text;
        let oned = Document::parse(&text).unwrap();
        assert_eq!(oned.get_in("LOG", "SYSTEM").as_deref(), Some("file"), "{release}");
        let said = oned.get_in("LOG", "USE_VMS_LOCATION");
        assert_eq!(
            said.as_deref() == Some("YES"),
            on_the_volume,
            "{release}: {said:?}"
        );
    }
}

#[test]
fn oneform_keeps_its_provisions_on_the_volume() {
    let shipped =
        "# OneForm\n:host: 127.0.0.1\n:work_dir: /tmp/oneform/ # of each provision\n:log:\n  :level: 2\n";
    let file = vendor::file("oneform").unwrap();
    let text = own::servers(shipped, file, &settle(&[("OPENNEBULA_HOSTNAME", "opennebula-0")]))
        .unwrap()
        .text;
    assert_eq!(
        text,
        shipped.replace("/tmp/oneform/", "/var/lib/one/oneform/"),
        "nothing else changes"
    );
    let elsewhere = settle_with(
        &[("OPENNEBULA_HOSTNAME", "opennebula-0")],
        "oneform:\n  work_dir: /var/lib/one/vms/provisions/\n",
    );
    let text = own::servers(shipped, file, &elsewhere).unwrap().text;
    assert!(text.contains(":work_dir: /var/lib/one/vms/provisions/"), "{text}");
}

#[test]
fn oned_conf_for_sqlite() {
    let settings = settle(&[("OPENNEBULA_HOSTNAME", "opennebula-0")]);
    insta::assert_snapshot!(edited("oned", ONED, &settings).unwrap());
}

#[test]
fn oned_conf_for_a_database_server() {
    insta::assert_snapshot!(edited("oned", ONED, &settle(&MYSQL)).unwrap());
}

#[test]
fn oned_conf_with_overrides() {
    let overrides = "oned:\n  MONITORING_INTERVAL_DATASTORE: 60\n  MANAGER_TIMER: 5\n  DB/CONNECTIONS: 10\n  \
                     LOG/DEBUG_LEVEL: 4\n  VM_MAD[NAME=lxc]/ARGUMENTS: \"-t 5 lxc\"\n  \
                     VM_MAD[NAME=kvm]: {ARGUMENTS: \"-t 5 kvm\", LIVE_RESIZE: \"yes\"}\n  \
                     VM_MAD[NAME=dummy]: {SUNSTONE_NAME: Testing, EXECUTABLE: one_vmm_dummy, TYPE: xml}\n";
    insta::assert_snapshot!(edited("oned", ONED, &settle_with(&MYSQL, overrides)).unwrap());
}

#[test]
fn monitord_conf_with_an_address_and_overrides() {
    let settings = settle_with(
        &MYSQL,
        "monitord:\n  PROBES_PERIOD/BEACON_HOST: 60\n  NETWORK/PORT: 31124\n  \
         IM_MAD[NAME=dummy]: {EXECUTABLE: one_im_sh, ARGUMENTS: \"-r 3 -t 15 -w 90 dummy\", THREADS: 0}\n",
    );
    insta::assert_snapshot!(edited("monitord", MONITORD, &settings).unwrap());
}

#[test]
fn a_key_of_a_vector_that_is_not_there_is_an_error_with_the_way_out() {
    let settings = settle_with(&MYSQL, "oned:\n  VM_MAD[NAME=dummy]/TYPE: xml\n");
    assert_eq!(
        edited("oned", ONED, &settings).unwrap_err().to_string(),
        "ONEPOD_CONFIG, oned: VM_MAD[NAME=dummy]/TYPE: there is no vector VM_MAD whose NAME is the one asked for; \
         there are kvm, lxc; to define a new one write `VM_MAD[NAME=dummy]: {KEY: value}` with all of its keys"
    );
}

#[test]
fn a_key_of_several_vectors_is_refused_with_their_names() {
    for (overrides, wanted) in [
        (
            "oned:\n  VM_MAD/ARGUMENTS: \"-t 5 kvm\"\n",
            "ONEPOD_CONFIG, oned: VM_MAD/ARGUMENTS: there are several of them in the file and only the first would change: \
             write VM_MAD[NAME=…]/ARGUMENTS with one of kvm, lxc",
        ),
        (
            "oned:\n  VM_MAD[EXECUTABLE=one_vmm_exec]/ARGUMENTS: \"-t 5 kvm\"\n",
            "ONEPOD_CONFIG, oned: VM_MAD[EXECUTABLE=one_vmm_exec]/ARGUMENTS: there are several of them in the file and only \
             the first would change: write VM_MAD[NAME=…]/ARGUMENTS with one of kvm, lxc",
        ),
        (
            "oned:\n  TM_MAD_CONF/SHARED: \"YES\"\n",
            "ONEPOD_CONFIG, oned: TM_MAD_CONF/SHARED: there are several of them in the file and only the first would \
             change: write TM_MAD_CONF[NAME=…]/SHARED with one of the names that you define",
        ),
    ] {
        let text = "VM_MAD = [ NAME = \"kvm\", EXECUTABLE = \"one_vmm_exec\" ]\n\
                    VM_MAD = [ NAME = \"lxc\", EXECUTABLE = \"one_vmm_exec\" ]\nLOG = [ A = \"1\" ]\nDB = [ A = \"1\" ]\n";
        let error = edited("oned", text, &settle_with(&MYSQL, overrides))
            .unwrap_err()
            .to_string();
        assert_eq!(error, wanted);
    }
}

#[test]
fn monitord_conf_without_an_address_stays_as_it_is() {
    assert_eq!(
        edited("monitord", MONITORD, &settle(&[("OPENNEBULA_HOSTNAME", "x")])).unwrap(),
        MONITORD
    );
}

#[test]
fn oneflow_and_onegate_listen_on_every_address() {
    insta::assert_snapshot!("oneflow", listen_on_all(ONEFLOW).unwrap());
    insta::assert_snapshot!("onegate", listen_on_all(ONEGATE).unwrap());
    insta::assert_snapshot!("onegate_7_4", listen_on_all(ONEGATE_7_4).unwrap());
    for text in [ONEFLOW, ONEGATE, ONEGATE_7_4] {
        let once = listen_on_all(text).unwrap();
        assert_eq!(
            listen_on_all(&once),
            Ok(once.clone()),
            "the second time changes nothing"
        );
        let changed = text
            .lines()
            .zip(once.lines())
            .filter(|(old, new)| old != new)
            .count();
        assert_eq!((changed, text.lines().count()), (1, once.lines().count()));
    }
}

#[test]
fn the_address_is_found_in_every_simple_form() {
    for (old, new) in [
        ("---\n:host: a\n", "---\n:host: 0.0.0.0\n"),
        (":host:   \"a b\"   # c\n", ":host:   \"0.0.0.0\"   # c\n"),
        (":host: ::1", ":host: 0.0.0.0"),
        (":hostname: x\n:host: a#b\n", ":hostname: x\n:host: 0.0.0.0\n"),
        (
            ":log:\n  :host: x\n:host: a\n",
            ":log:\n  :host: x\n:host: 0.0.0.0\n",
        ),
        (
            ":x:\n  :bind: x\n:server:\n\n# y\n    :bind: a\n",
            ":x:\n  :bind: x\n:server:\n\n# y\n    :bind: 0.0.0.0\n",
        ),
    ] {
        assert_eq!(listen_on_all(old).as_deref(), Ok(new), "{old:?}");
    }
}

#[test]
fn an_address_that_is_not_simple_is_refused() {
    for (text, message) in [
        (":port: 1\n", "there is none of server/bind, host"),
        (":server:\n  :port: 1\n", "there is none of server/bind, host"),
        (
            ":host: &a 127.0.0.1\n:other: *a\n",
            "line 1: the value of `:host`",
        ),
        (
            ":port: 1\n:host: >\n  127.0.0.1\n",
            "line 2: the value of `:host`",
        ),
        (":host:\n  127.0.0.1\n", "line 1: the value of `:host`"),
        (":host: 127.0.0.1\n  and more\n", "line 1: the value of `:host`"),
        (":host: [\n", "this is not the YAML"),
        (":host: a\n:host: b\n", "this is not the YAML"),
    ] {
        let error = listen_on_all(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
    assert_eq!(
        listen_on_all(":server:\n  :tls:\n    :bind: a\n  :bind: b\n").unwrap(),
        ":server:\n  :tls:\n    :bind: a\n  :bind: 0.0.0.0\n"
    );
}

/// `/etc/one` with our fixtures.
fn front_end() -> (TempDir, Paths) {
    let root = TempDir::new().unwrap();
    let paths = Paths::new(root.path());
    fs::create_dir_all(paths.etc_one()).unwrap();
    for (name, text) in [
        ("oned.conf", ONED),
        ("monitord.conf", MONITORD),
        ("oneflow-server.conf", ONEFLOW),
        ("onegate-server.conf", ONEGATE_7_4),
    ] {
        fs::write(paths.etc_one().join(name), text).unwrap();
    }
    (root, paths)
}

#[test]
fn render_writes_every_file_once_and_hides_the_password_from_others() {
    let (_root, paths) = front_end();
    let written = render(&settle(&MYSQL), &paths).unwrap();
    let names: Vec<_> = written
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    assert_eq!(
        names,
        [
            "oned.conf",
            "monitord.conf",
            "oneflow-server.conf",
            "onegate-server.conf"
        ]
    );
    let mode = fs::metadata(paths.oned_conf()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
    let oned = Document::parse(fs::read(paths.oned_conf()).unwrap()).unwrap();
    assert_eq!(oned.get_in("DB", "PASSWD").as_deref(), Some("p\"w # [x] \\ y"));
    assert_eq!(render(&settle(&MYSQL), &paths).unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn a_front_end_without_flow_and_gate_is_rendered() {
    let (_root, paths) = front_end();
    fs::remove_file(paths.etc_one().join("oneflow-server.conf")).unwrap();
    fs::remove_file(paths.etc_one().join("onegate-server.conf")).unwrap();
    assert_eq!(render(&settle(&MYSQL), &paths).unwrap().len(), 2);
    fs::remove_file(paths.monitord_conf()).unwrap();
    let error = render(&settle(&MYSQL), &paths).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "etc/one/monitord.conf is missing: the image does not carry the packages of OpenNebula \
                             as a whole"
        ),
        "{error}"
    );
}

#[test]
fn an_edit_that_cannot_be_made_names_file_setting_and_reason_and_nothing_is_written() {
    let (_root, paths) = front_end();
    let settings = settle_with(&MYSQL, "monitord:\n  IM_MAD[NAME=dummy]/THREADS: 1\n");
    let error = render(&settings, &paths).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "there is no vector IM_MAD whose NAME is the one asked for; to define a new one write \
             `IM_MAD[NAME=dummy]: {KEY: value}` with all of its keys"
        ),
        "{error}"
    );
    assert_eq!(fs::read_to_string(paths.oned_conf()).unwrap(), ONED);

    fs::write(paths.oned_conf(), "A = \"x]]>\"\n").unwrap();
    let error = render(&settle(&MYSQL), &paths).unwrap_err().to_string();
    assert!(
        error.contains("etc/one/oned.conf: line 1: `]]>` stands in the line of A's value"),
        "{error}"
    );
    fs::write(paths.oned_conf(), b"A = \xff\n").unwrap();
    let error = render(&settle(&MYSQL), &paths).unwrap_err().to_string();
    assert!(
        error.contains("etc/one/oned.conf: the file is not UTF-8"),
        "{error}"
    );
}

#[test]
fn the_vendors_files_of_every_release_are_rendered() {
    for (_, release) in fixtures::releases() {
        let (_root, paths) = front_end();
        for name in [
            "oned.conf",
            "monitord.conf",
            "oneflow-server.conf",
            "onegate-server.conf",
        ] {
            fs::copy(release.join(name), paths.etc_one().join(name)).unwrap();
        }
        assert_eq!(
            render(&settle(&MYSQL), &paths).unwrap().len(),
            4,
            "{}",
            release.display()
        );
        let oned = Document::parse(fs::read(paths.oned_conf()).unwrap()).unwrap();
        assert_eq!(oned.get_in("DB", "BACKEND").as_deref(), Some("mysql"));
        assert_eq!(oned.get("HOSTNAME").as_deref(), Some("one.example"));
        for name in ["oneflow-server.conf", "onegate-server.conf"] {
            let (old, new) = (release.join(name), paths.etc_one().join(name));
            let (old, new) = (fs::read_to_string(old).unwrap(), fs::read_to_string(new).unwrap());
            let changed: Vec<_> = old
                .lines()
                .zip(new.lines())
                .filter(|(old, new)| old != new)
                .collect();
            assert_eq!(changed.len(), 1, "{} {name}", release.display());
            assert_eq!(changed[0].0.replace("127.0.0.1", "0.0.0.0"), changed[0].1);
        }
    }
}
