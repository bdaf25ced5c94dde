//! The .debs and their signed repository.
#![expect(clippy::disallowed_methods, reason = "the tests run dpkg-deb and gpg")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const NAMES: [&str; 10] = [
    "opennebula",
    "opennebula-common",
    "opennebula-fireedge",
    "opennebula-flow",
    "opennebula-gate",
    "opennebula-guacd",
    "opennebula-libs",
    "opennebula-migration",
    "opennebula-rubygems",
    "opennebula-tools",
];

fn output(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(
        done.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn make(to: &Path) {
    output(
        env!("CARGO_BIN_EXE_onesim"),
        &[
            "package",
            "--release",
            "7.0.0",
            "--out",
            to.to_str().unwrap(),
            "--time-scale",
            "0.5",
        ],
    );
}

fn debs(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(root.join("pool/opennebula"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_repository_is_signed_and_holds_the_vendors_names_and_paths() {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path());
    let root = directory.path().join("repo/7.0.0/Ubuntu/24.04");
    let dist = root.join("dists/stable");

    // The signature is by the key that is published, and covers the index.
    let keyring = directory.path().join("keyring");
    let key = directory.path().join("repo/repo2.key");
    assert!(
        fs::read_to_string(&key)
            .unwrap()
            .starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    );
    output(
        "gpg",
        &[
            "--dearmor",
            "--output",
            keyring.to_str().unwrap(),
            key.to_str().unwrap(),
        ],
    );
    let verify = |file: &Path| {
        let arguments = ["--keyring", keyring.to_str().unwrap(), file.to_str().unwrap()];
        Command::new("gpgv")
            .args(arguments)
            .output()
            .unwrap()
            .status
            .success()
    };
    let signed = dist.join("InRelease");
    assert!(verify(&signed));
    let text = fs::read_to_string(&signed).unwrap();
    let changed = directory.path().join("changed");
    fs::write(&changed, text.replace("Suite: stable", "Suite: other")).unwrap();
    assert!(!verify(&changed));
    assert!(text.contains("Components: opennebula") && text.contains("Suite: stable"));
    let index = fs::read_to_string(dist.join("opennebula/binary-amd64/Packages")).unwrap();
    for name in NAMES {
        assert!(index.contains(&format!("Package: {name}\n")), "{name}");
        assert!(
            index.contains(&format!("Filename: pool/opennebula/{name}_7.0.0-1_amd64.deb\n")),
            "{name}"
        );
    }
    assert_eq!(index.matches("Version: 7.0.0-1\n").count(), NAMES.len());

    // Commands of the vendor's units, and what the image's preparation relies on.
    let mut all = String::new();
    for name in NAMES {
        let deb = root.join(format!("pool/opennebula/{name}_7.0.0-1_amd64.deb"));
        all.push_str(&output("dpkg-deb", &["-c", deb.to_str().unwrap()]));
    }
    for path in [
        "./usr/bin/oned ",
        "./usr/bin/onedb ",
        "./usr/bin/oneuser ",
        "./usr/lib/one/onehem/onehem-server.rb\n",
        "./usr/lib/one/oneflow/oneflow-server.rb\n",
        "./usr/lib/one/onegate/onegate-server.rb\n",
        "./usr/lib/one/fireedge/dist/index.js\n",
        "./usr/share/one/guacd/sbin/guacd ",
        "./usr/lib/one/sh/override/ssh\n",
        "./usr/lib/one/sh/ssh-socks-cleaner\n",
        "./usr/share/one/ssh/etc/config\n",
        "./etc/one/oned.conf\n",
        "./etc/one/monitord.conf\n",
        "./etc/one/fireedge-server.conf\n",
        "./etc/one/guacd\n",
        "./var/lib/one/remotes/VERSION\n",
        "./usr/lib/onesim/time-scale\n",
    ] {
        assert!(all.contains(path), "{path:?} in\n{all}");
    }
    assert!(!all.contains("/.one/"), "no credentials in a package");

    // dpkg cannot configure a package whose configuration files name a directory.
    let deb = root.join("pool/opennebula/opennebula_7.0.0-1_amd64.deb");
    let conffiles = output("dpkg-deb", &["-I", deb.to_str().unwrap(), "conffiles"]);
    assert!(
        conffiles.contains("/etc/one/auth/ldap_auth.conf\n")
            && !conffiles.contains("/etc/one/auth/certificates")
    );

    // Where a user may mount a file of his own over one of the vendor's.
    for path in [
        "./etc/one/auth/ldap_auth.conf\n",
        "./etc/one/auth/certificates/\n",
        "./etc/one/hm/hmrc\n",
        "./etc/one/vmm_exec/vmm_execrc\n",
        "./etc/one/cli/oneuser.yaml\n",
        "./etc/one/fireedge/sunstone/views/sunstone-views.yaml\n",
        "./etc/one/fireedge/sunstone/views/admin/vm-tab.yaml\n",
        "./var/lib/one/remotes/etc/vmm/kvm/kvmrc\n",
        "./var/lib/one/remotes/hooks/raft/vip.sh\n",
        "./var/lib/one/remotes/tm/ssh/clone\n",
    ] {
        assert_eq!(all.matches(path).count(), 1, "{path:?}");
    }
}

#[test]
fn the_migrators_are_a_package_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path());
    let root = directory.path().join("repo/7.0.0/Ubuntu/24.04");
    let index = fs::read_to_string(root.join("dists/stable/opennebula/binary-amd64/Packages")).unwrap();
    let migrators = |name: &str| {
        let deb = root.join(format!("pool/opennebula/{name}_7.0.0-1_amd64.deb"));
        output("dpkg-deb", &["-c", deb.to_str().unwrap()])
            .matches("_to_7.0.0.rb")
            .count()
    };
    assert_eq!(
        (migrators("opennebula-migration"), migrators("opennebula")),
        (2, 0)
    );
    assert!(
        !index
            .lines()
            .any(|line| line.starts_with("Depends: ") && line.contains("opennebula-migration"))
    );
}

#[test]
fn packages_are_the_same_bytes_when_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("a"), directory.path().join("b"));
    make(&first);
    make(&second);
    let inside = "repo/7.0.0/Ubuntu/24.04";
    let (first, second) = (debs(&first.join(inside)), debs(&second.join(inside)));
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
}

#[test]
fn a_later_release_ships_its_own_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    output(
        env!("CARGO_BIN_EXE_onesim"),
        &["package", "--release", "7.4.0", "--out", out],
    );
    let pool = directory.path().join("repo/7.4.0/Ubuntu/24.04/pool/opennebula");
    let unpack = |package: &str| {
        let deb = pool.join(format!("{package}_7.4.0-1_amd64.deb"));
        output("dpkg-deb", &["-x", deb.to_str().unwrap(), out]);
    };
    unpack("opennebula");
    unpack("opennebula-gate");
    let read = |name: &str| fs::read_to_string(directory.path().join("etc/one").join(name)).unwrap();
    assert!(read("oned.conf").contains("\nGRPC_PORT = 2634\n"));
    assert!(read("onegate-server.conf").contains("\n:server:\n  :bind: 127.0.0.1\n  :port: 5030\n"));
    assert!(!read("onegate-server.conf").contains(":host:"));
    unpack("opennebula-form");
    unpack("opennebula-ks");
    assert!(read("oneform-server.conf").contains("\n:port: 13013\n"));
    assert!(read("oneks-server.conf").contains("\n  :port: 10780\n"));
    for server in ["oneform/oneform-server.rb", "oneks/oneks-server.rb"] {
        assert!(
            directory.path().join("usr/lib/one").join(server).exists(),
            "{server}"
        );
    }
}

#[test]
fn a_release_that_is_not_simulated_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "package",
        "--release",
        "6.8.0",
        "--out",
        directory.path().to_str().unwrap(),
    ];
    let done = Command::new(env!("CARGO_BIN_EXE_onesim"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("release 6.8.0 is not simulated"));
}
