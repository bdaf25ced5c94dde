//! The verb with packages that dpkg-deb made: from folders, and from a signed repository on 127.0.0.1.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::digest::sha256;
use crate::rehearsal::{Key, now};
use crate::release::VENDOR_FINGERPRINT;
use crate::serve;
use crate::sh::cmd;
use crate::versions::packages_of;

/// Makes the packages of a release into a folder.
fn make(release: &str, to: &Path) {
    let line = release.parse::<Version>().unwrap().line();
    let common = "opennebula-common";
    for name in packages_of(line)
        .into_iter()
        .map(|(name, _)| name)
        .chain([common])
    {
        let stage = TempDir::new().unwrap();
        let write = |path: &str, text: &str| {
            let path = stage.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let depends = match name {
            "opennebula-common" => "ruby".to_owned(),
            CORE => format!("{common} (= {release}-1), libc6 (>= {release})"),
            _ => format!("{common} (= {release}-1)"),
        };
        write(
            "DEBIAN/control",
            &format!(
                "Package: {name}\nVersion: {release}-1\nArchitecture: amd64\nMaintainer: x <x@example.org>\nDepends: {depends}\nDescription: x\n"
            ),
        );
        write(&format!("usr/share/doc/{name}/release"), release);
        if name == CORE {
            write(
                "etc/one/oned.conf",
                &format!("PORT = 2633\nRELEASE = \"{release}\"\n"),
            );
        }
        if name == "opennebula-form" {
            write(
                "lib/systemd/system/opennebula-form.service",
                "[Service]\nExecStart=/usr/bin/ruby /usr/lib/one/oneform/oneform-server.rb\n",
            );
        }
        cmd("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .arg(stage.path())
            .arg(to.join(format!("{name}_{release}.deb")))
            .read()
            .unwrap();
    }
}

/// Makes a signed repository of a folder's packages.
fn publish(key: &Key, packages: &Path, repository: &Path) {
    let pool = repository.join("pool");
    fs::create_dir_all(&pool).unwrap();
    let mut list = String::new();
    for entry in fs::read_dir(packages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        let control = cmd("dpkg-deb").args(["--field"]).arg(&path).read().unwrap();
        let _ = write!(
            list,
            "{control}\nFilename: pool/{name}\nSize: {}\nSHA256: {}\n\n",
            bytes.len(),
            sha256(&bytes)
        );
        fs::copy(&path, pool.join(name)).unwrap();
    }
    let suite = repository.join("dists/stable");
    fs::create_dir_all(suite.join("opennebula/binary-amd64")).unwrap();
    fs::write(suite.join("opennebula/binary-amd64/Packages"), &list).unwrap();
    let release = format!(
        "Suite: stable\nDate: {}\nArchitectures: amd64\nComponents: opennebula\nSHA256:\n {} {} opennebula/binary-amd64/Packages\n",
        now(),
        sha256(list.as_bytes()),
        list.len()
    );
    key.sign(&release, &suite.join("InRelease")).unwrap();
}

fn report(old: &str, new: &str) -> Report {
    Report {
        old: old.parse().unwrap(),
        new: new.parse().unwrap(),
        packages_old: None,
        packages_new: None,
        vendor: Vendor {
            repository: "http://127.0.0.1:1".to_owned(),
            key: None,
            fingerprint: VENDOR_FINGERPRINT.to_owned(),
        },
        distribution: Some("Ubuntu/24.04".to_owned()),
    }
}

#[test]
fn packages_of_the_repository_and_of_folders_give_one_report() {
    let dir = TempDir::new().unwrap();
    let repo = Repo::find().unwrap();
    let key = Key::make().unwrap();
    let www = dir.path().join("www");
    let mut folders = Vec::new();
    // The newer one lies in the repository of its line.
    for (release, place) in [("7.0.1", "7.0.1"), ("7.2.0", "7.2")] {
        let packages = dir.path().join(release);
        fs::create_dir_all(&packages).unwrap();
        make(release, &packages);
        publish(&key, &packages, &www.join(place).join("Ubuntu/24.04"));
        folders.push(packages);
    }
    key.export(&www.join("repo2.key")).unwrap();
    let address = serve::serve(&www).unwrap();

    let mut of_folders = report("7.0.1", "7.2.0");
    of_folders.packages_old = Some(folders[0].clone());
    of_folders.packages_new = Some(folders[1].clone());
    let told = of_folders.report(&repo).unwrap();
    for part in [
        "+++ opennebula-form\n",
        "+Depends: libc6 (>= 7.2.0)\n",
        "+RELEASE = \"7.2.0\"\n",
        "`image/services.toml`: command, user, order and environment of the unit (`opennebula-form.service`)",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    let mut of_repository = report("7.0.1", "7.2.0");
    of_repository.vendor.repository = format!("http://{address}");
    of_repository.vendor.fingerprint = key.fingerprint().unwrap();
    assert_eq!(of_repository.report(&repo).unwrap(), told);

    // A package that is another one than what was signed.
    let deb = www.join("7.2/Ubuntu/24.04/pool/opennebula_7.2.0.deb");
    fs::copy(folders[0].join("opennebula_7.0.1.deb"), deb).unwrap();
    let error = format!("{:#}", of_repository.report(&repo).unwrap_err());
    assert!(
        error.contains("opennebula_7.2.0.deb") && error.contains("that is not what the vendor signed"),
        "{error}"
    );

    let mut absent = report("7.0.1", "7.4.0");
    absent.vendor = of_repository.vendor.clone();
    let error = format!("{:#}", absent.report(&repo).unwrap_err());
    assert!(
        error.contains("/7.4.0/Ubuntu/24.04/dists/stable/InRelease nor") && error.contains("(404)"),
        "{error}"
    );
}

#[test]
fn folders_that_cannot_be_meant_are_refused() {
    let dir = TempDir::new().unwrap();
    let repo = Repo::find().unwrap();
    make("7.0.1", dir.path());
    let refused = |report: Report| format!("{:#}", report.report(&repo).unwrap_err());
    let with = |folder: &Path| Report {
        packages_old: Some(folder.to_owned()),
        packages_new: Some(folder.to_owned()),
        ..report("7.0.1", "7.0.2")
    };
    let told = refused(with(dir.path()));
    assert!(
        told.ends_with("has opennebula 7.0.1-1, and not 7.0.2: name the folder of that release"),
        "{told}"
    );
    fs::copy(
        dir.path().join("opennebula_7.0.1.deb"),
        dir.path().join("again.deb"),
    )
    .unwrap();
    assert!(
        refused(with(dir.path())).contains("opennebula is there in two versions"),
        "{}",
        refused(with(dir.path()))
    );
    fs::write(dir.path().join("again.deb"), "half").unwrap();
    assert!(
        refused(with(dir.path())).contains("again.deb cannot be unpacked"),
        "{}",
        refused(with(dir.path()))
    );
    let empty = TempDir::new().unwrap();
    assert!(refused(with(empty.path())).contains("has no file"));
    assert!(refused(with(&empty.path().join("none"))).contains("No such file"));
    assert_eq!(
        refused(report("7.0.2", "7.0.2")),
        "7.0.2 is not older than 7.0.2: name the old release first"
    );
}
