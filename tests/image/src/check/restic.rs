//! What OpenNebula's backup driver asks of restic, call by call, with the program that lies among the drivers; on a
//! repository of the front-end's own file system, and on one that is reached through its ssh server. The driver itself is
//! not run.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use faults::front_end::Container;
use faults::process::Said;
use serde_json::Value;

use super::{Seen, glibc};
use crate::context::Context;
use crate::findings::Findings;
use crate::stand::Stand;

/// Where the distribution's package has it.
const PACKAGED: &str = "usr/bin/restic";
/// The package's list of files.
const LIST: &str = "var/lib/dpkg/info/restic.list";
/// Where the drivers have it, from the volume.
const AMONG_DRIVERS: &str = "remotes/datastore/restic/restic";
/// The C library of the oldest hosts that the drivers are copied to, 2.N: that of Enterprise Linux 9.
const OLDEST: u32 = 34;
/// The backup of a VM, from the volume.
const BACKUP: &str = "vms/42/backup";
/// A datastore for backups, from the volume.
const DATASTORE: &str = "datastores/100";
/// The volume in the container.
const VOLUME: &str = "/var/lib/one";
/// The password of the repositories; it guards nothing but this test.
const PASSWORD: &str = "of a test's repository";

pub(super) fn run(context: &Context, stand: &mut Stand) -> Result<Seen> {
    let mut findings = Findings::default();
    let packaged = fs::read(context.rootfs.join(PACKAGED)).ok();
    let list = fs::read_to_string(context.rootfs.join(LIST)).unwrap_or_default();
    findings.unless(list.lines().any(|line| line == "/usr/bin/restic"), || {
        "the distribution's package restic is not installed".to_owned()
    });
    let newest = packaged.as_deref().and_then(glibc::newest);
    if let Some(newest) = newest.filter(|newest| *newest > OLDEST) {
        findings.add(format!(
            "/{PACKAGED} asks for glibc 2.{newest}, and the oldest hosts have 2.{OLDEST}"
        ));
    }
    let mut container = stand.start()?;
    let among = among_drivers(context, stand);
    match (&packaged, &among) {
        (_, None) => findings.add(format!("{VOLUME}/{AMONG_DRIVERS} is not there after a start")),
        (None, _) => findings.add(format!("/{PACKAGED} is not in the image")),
        (Some(packaged), Some(among)) => findings.unless(packaged == among, || {
            format!("{VOLUME}/{AMONG_DRIVERS} is another program than /{PACKAGED}")
        }),
    }
    let mut version = String::new();
    if among.is_some() {
        let said = Restic::at(&container, "").raw("\"$0\" version")?;
        version = said.out.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let original = originals(stand)?;
        let places = [
            format!("{VOLUME}/{DATASTORE}/here"),
            format!("sftp:oneadmin@{}:{VOLUME}/{DATASTORE}/there", stand.pod.hostname),
        ];
        for place in places {
            let restic = Restic::at(&container, &place);
            if let Err(error) = every_call(&restic, stand, &original) {
                findings.add(format!("{place}: {error:#}"));
            }
        }
    }
    container.stop()?;
    let library = newest.map_or("no C library".to_owned(), |newest| format!("glibc 2.{newest}"));
    findings
        .or(format!(
            "{version}, the package's own, asks for {library}; backup, list, dump, restore and forget on a path and over sftp: \
             same bytes"
        ))
        .map(Seen::from)
}

/// The program among the drivers; a link from there leads to a place of the image.
fn among_drivers(context: &Context, stand: &Stand) -> Option<Vec<u8>> {
    let place = stand.pod.volume().join(AMONG_DRIVERS);
    match fs::read_link(&place) {
        Ok(target) => fs::read(context.rootfs.join(target.strip_prefix("/").ok()?)).ok(),
        Err(_) => fs::read(&place).ok(),
    }
}

/// Files as a backup of a VM has them.
struct Originals {
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Originals {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, content)| content.len() as u64).sum()
    }
}

/// Makes a VM's backup on the volume: two disks, one of them mostly empty, and the template.
fn originals(stand: &Stand) -> Result<Originals> {
    let identity = stand.pod.identity();
    let random: Vec<u8> = (0..3 << 20).map(|_| rand::random::<u8>()).collect();
    let mut sparse = vec![0; 2 << 20];
    sparse.extend_from_slice(&random[..5000]);
    let originals = Originals {
        files: vec![
            ("disk.0", random),
            ("disk.1", sparse),
            (
                "vm.xml",
                b"<VM><ID>42</ID><NAME>kept &amp; found</NAME></VM>\n".to_vec(),
            ),
        ],
    };
    for folder in [BACKUP, DATASTORE] {
        let mut path = stand.pod.volume();
        for part in Path::new(folder).components() {
            path.push(part);
            if !path.exists() {
                fs::create_dir(&path)?;
                chown(&path, Some(identity.user), Some(identity.group))?;
            }
        }
    }
    for (name, content) in &originals.files {
        let path = stand.pod.volume().join(BACKUP).join(name);
        fs::write(&path, content)?;
        chown(&path, Some(identity.user), Some(identity.group))?;
    }
    Ok(originals)
}

/// A repository, and the container in which restic works on it.
struct Restic<'a> {
    container: &'a Container,
    repository: &'a str,
}

impl<'a> Restic<'a> {
    fn at(container: &'a Container, repository: &'a str) -> Self {
        Self {
            container,
            repository,
        }
    }

    /// A line of the shell in which `$0` is the program and `$REPO` the repository.
    fn raw(&self, line: &str) -> Result<Said> {
        let program = format!("{VOLUME}/{AMONG_DRIVERS}");
        self.container.exec_with(
            &[("RESTIC_PASSWORD", PASSWORD), ("REPO", self.repository)],
            &["/bin/sh", "-c", line, &program],
        )
    }

    /// The same, and it must succeed; its standard output.
    fn call(&self, line: &str) -> Result<String> {
        let said = self.raw(line)?;
        ensure!(
            said.code == 0,
            "{}: exit code {}: {}",
            line.replace("\"$0\"", "restic"),
            said.code,
            said.err.trim()
        );
        Ok(said.out)
    }
}

/// The life of one backup, as the driver calls it.
fn every_call(restic: &Restic<'_>, stand: &Stand, original: &Originals) -> Result<()> {
    let nothing = restic.raw("\"$0\" --repo=\"$REPO\" stats")?;
    ensure!(nothing.code != 0, "stats succeeds where there is no repository");
    let open = "\"$0\" --repo=\"$REPO\" stats || \"$0\" --repo=\"$REPO\" init";
    restic.call(open)?;
    restic.call("\"$0\" --repo=\"$REPO\" stats")?;

    let folder = format!("{VOLUME}/{BACKUP}");
    let said = restic.call(&format!(
        "\"$0\" --force --json --tag one-42 --repo=\"$REPO\" backup {folder}/disk.* {folder}/vm.xml"
    ))?;
    let (id, bytes) = summary(&said)?;
    ensure!(
        bytes == original.bytes(),
        "backup: {bytes} bytes processed of {}",
        original.bytes()
    );
    let said = restic.call(&format!(
        "\"$0\" --no-lock --json --repo=\"$REPO\" snapshots {id}"
    ))?;
    ensure!(is_listed(&said, "one-42")?, "snapshots {id}: {said}");
    let said = restic.call(&format!("\"$0\" --no-lock --json --repo=\"$REPO\" ls {id}"))?;
    let listed = paths(&said);
    for (name, _) in &original.files {
        let path = format!("{folder}/{name}");
        ensure!(listed.contains(&path), "ls {id} does not list {path}");
    }
    let said = restic.call(&format!(
        "\"$0\" --no-lock --repo=\"$REPO\" dump {id} {folder}/vm.xml"
    ))?;
    let template = original.files.iter().find(|(name, _)| *name == "vm.xml");
    ensure!(
        template.is_some_and(|(_, content)| content == said.as_bytes()),
        "dump: another vm.xml"
    );
    restic.call(&format!(
        "\"$0\" --repo=\"$REPO\" restore {id} --target /var/tmp/{id}"
    ))?;
    // The emptyDir of /var/tmp, as it lies here.
    let restored = stand
        .pod
        .path("var-tmp")
        .join(&id)
        .join(folder.trim_start_matches('/'));
    for (name, content) in &original.files {
        let found = fs::read(restored.join(name)).with_context(|| format!("restore: {name}"))?;
        ensure!(found == *content, "restore: another {name}");
    }
    restic.call(&format!(
        "\"$0\" --repo=\"$REPO\" forget {id} --prune --max-unused 0"
    ))?;
    let said = restic.call("\"$0\" --no-lock --json --repo=\"$REPO\" snapshots")?;
    ensure!(!is_listed(&said, "one-42")?, "a forgotten backup is still listed");
    restic.call("\"$0\" --repo=\"$REPO\" unlock")?;
    Ok(())
}

/// Number of the backup and its bytes, from the last line.
fn summary(said: &str) -> Result<(String, u64)> {
    let last = said.trim_end().lines().next_back().unwrap_or_default();
    let read = || -> Option<(String, u64)> {
        let value: Value = serde_json::from_str(last).ok()?;
        Some((
            value["snapshot_id"].as_str()?.to_owned(),
            value["total_bytes_processed"].as_u64()?,
        ))
    };
    read()
        .with_context(|| format!("backup: no snapshot_id and total_bytes_processed in the last line: {last}"))
}

/// Whether a list of backups has one with this tag. An empty one is `null` in some versions.
fn is_listed(said: &str, tag: &str) -> Result<bool> {
    let value: Value = serde_json::from_str(said).with_context(|| format!("snapshots: {said}"))?;
    let mut all = value.as_array().into_iter().flatten();
    Ok(all.any(|one| {
        one["tags"]
            .as_array()
            .is_some_and(|tags| tags.iter().any(|own| own == tag))
    }))
}

/// Paths of a list with an object a line.
fn paths(said: &str) -> Vec<String> {
    let objects = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects
        .filter_map(|object| object["path"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_backup_has_number_and_bytes() {
        let said = "{\"message_type\":\"status\",\"snapshot_id\":\"no\"}\n\
            {\"message_type\":\"summary\",\"total_bytes_processed\":7,\"snapshot_id\":\"ab12\"}\n";
        assert_eq!(summary(said).unwrap(), ("ab12".to_owned(), 7));
        assert!(summary("{\"message_type\":\"summary\",\"snapshot_id\":\"ab12\"}\n").is_err());
        assert!(summary("").is_err());
    }

    #[test]
    fn a_backup_is_known_by_its_tag() {
        assert!(is_listed("[{\"tags\":[\"one-42\"]}]", "one-42").unwrap());
        assert!(!is_listed("[{\"tags\":[\"one-4\"]}, {}]", "one-42").unwrap());
        assert!(!is_listed("null\n", "one-42").unwrap());
        assert!(is_listed("no json", "one-42").is_err());
    }

    #[test]
    fn paths_are_read_line_by_line() {
        let said = "{\"struct_type\":\"snapshot\"}\n{\"path\":\"/a/vm.xml\"}\nnot json\n";
        assert_eq!(paths(said), ["/a/vm.xml"]);
    }
}
