//! The configuration's dump against what the real daemon wrote, and against the product's own parser.

use std::fs;

use crate::front_end::{DUMMY_HYPERVISOR, FrontEnd, assets};

/// The dump that `oned -i` leaves for this oned.conf, with the vendor's paths.
fn dump(front: &FrontEnd, conf: &str) -> String {
    fs::write(front.path("etc/oned.conf"), conf).unwrap();
    front.run(&["oned", "-i"]);
    let text = fs::read_to_string(front.path("var/config")).unwrap();
    text.replace(front.path("var").to_str().unwrap(), "/var/lib/one")
}

#[test]
fn the_dump_is_the_observed_one() {
    let (Some(conf), Some(observed)) = (
        fixtures::read("7.0.2/oned.conf"),
        fixtures::read("observed/var-lib-one-config"),
    ) else {
        return;
    };
    // What the observed installation had changed in the default file.
    let conf = conf
        .replace(
            "DB = [ BACKEND = \"sqlite\",\n       TIMEOUT = 2500 ]",
            "DB = [ BACKEND = \"mysql\", SERVER = \"127.0.0.1\", PORT = 1, USER = \"u\", PASSWD = \"p\", DB_NAME = \"d\", CONNECTIONS = 25, COMPARE_BINARY = \"no\" ]",
        )
        .replace("SYSTEM      = \"file\",", "SYSTEM = \"std\",")
        .replace("DEBUG_LEVEL = 3,\n  USE_VMS_LOCATION = \"NO\"\n", "DEBUG_LEVEL = 3\n")
        + "\n"
        + DUMMY_HYPERVISOR;
    let front = FrontEnd::new();
    assert_eq!(dump(&front, &conf), observed);
}

#[test]
fn the_products_parser_reads_the_same_values() {
    let mut files = vec![fs::read_to_string(assets().join("etc/oned.conf")).unwrap()];
    files.extend(
        ["7.0.2", "7.2.0", "7.4.0"]
            .iter()
            .filter_map(|release| fixtures::read(&format!("{release}/oned.conf"))),
    );
    for text in files {
        let front = FrontEnd::new();
        let dumped = dump(&front, &text);
        let document = oned_conf::Document::parse(&text).unwrap();
        let mut compared = 0;
        for name in [
            "PORT",
            "LISTEN_ADDRESS",
            "MAC_PREFIX",
            "SCHED_RETRY_TIME",
            "VM_MANAGE_OPERATIONS",
            "DEFAULT_UMASK",
        ] {
            let value = document.get(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert!(
                dumped.contains(&format!("\n{name}={value}\n")),
                "{name}={value} in\n{dumped}"
            );
            compared += 1;
        }
        for (vector, key) in [
            ("LOG", "DEBUG_LEVEL"),
            ("RAFT", "LOG_RETENTION"),
            ("VNC_PORTS", "RESERVED"),
            ("HM_MAD", "ARGUMENTS"),
        ] {
            let value = document
                .get_in(vector, key)
                .unwrap_or_else(|| panic!("{vector}/{key} is missing"));
            let line = dumped
                .lines()
                .find(|l| l.starts_with(&format!("{vector}=")))
                .unwrap();
            assert!(
                line.contains(&format!("{key}={value}")),
                "{key}={value} in {line}"
            );
            compared += 1;
        }
        assert_eq!(compared, 10);
    }
}

#[test]
fn the_drivers_are_those_of_the_vendors_files() {
    let drivers = |text: &str, vector: &str| {
        let document = oned_conf::Document::parse(text).unwrap();
        let configured = |name: &&str| {
            document
                .get_in_where(vector, "NAME", name, "EXECUTABLE")
                .is_some()
        };
        let names = ["kvm", "qemu", "lxc", "dummy"].into_iter().filter(configured);
        (names.collect::<Vec<_>>(), text.matches("\"dummy\"").count() > 0)
    };
    for (file, vector) in [("oned.conf", "VM_MAD"), ("monitord.conf", "IM_MAD")] {
        let ours = fs::read_to_string(assets().join("etc").join(file)).unwrap();
        let ours = drivers(&ours, vector);
        // The dummy ones are there as comments.
        assert_eq!(ours, (vec!["kvm", "qemu", "lxc"], true), "{file}");
        for release in ["7.0.2", "7.2.0", "7.4.0"] {
            if let Some(vendors) = fixtures::read(&format!("{release}/{file}")) {
                assert_eq!(drivers(&vendors, vector), ours, "{release}/{file}");
            }
        }
    }
}
