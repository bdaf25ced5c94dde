//! A hypervisor copies to the front-end and from it, through the front-end's own SSH server, as OpenNebula's drivers do. The
//! network between them is the loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use faults::front_end::ONEADMIN;
use faults::process;
use faults::world::World;

const PORT: &str = "2222";
/// Where image files lie.
const FOLDER: &str = "datastores/1";

/// Copies in three ways, refused logins, and the same host key after the pod was replaced.
pub(super) fn works(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let host = Host::new(world)?;
    let image = host.dir.join("image");
    let content: Vec<u8> = (0..1 << 20).map(|_| rand::random::<u8>()).collect();
    fs::write(&image, &content)?;
    let same = |world: &World, name: &str| -> Result<()> {
        let arrived =
            fs::read(world.pod.volume().join(FOLDER).join(name)).with_context(|| name.to_owned())?;
        ensure!(arrived == content, "{name} arrived otherwise");
        Ok(())
    };
    let place = format!("oneadmin@127.0.0.1:/var/lib/one/{FOLDER}");
    host.run(
        "scp",
        &["-q", &image.display().to_string(), &format!("{place}/by-scp")],
    )?;
    same(world, "by-scp")?;
    let shell = format!("ssh {}", host.options(&host.key).join(" "));
    let (code, said) = process::outcome(Command::new("rsync").args([
        "-e",
        &shell,
        &image.display().to_string(),
        &format!("{place}/by-rsync"),
    ]))?;
    ensure!(code == 0, "rsync: {said}");
    same(world, "by-rsync")?;
    let back = host.dir.join("back");
    host.run(
        "scp",
        &["-q", &format!("{place}/by-scp"), &back.display().to_string()],
    )?;
    ensure!(fs::read(&back)? == content, "what was copied back is another");
    host.run(
        "ssh",
        &[
            "oneadmin@127.0.0.1",
            &format!("cd /var/lib/one/{FOLDER} && tar -cSf by-tar by-scp"),
        ],
    )?;
    ensure!(
        world.pod.volume().join(FOLDER).join("by-tar").exists(),
        "a command on the front-end did nothing"
    );
    let refused = refusals(&host)?;

    // Another pod on the same volume is the same machine to the hypervisors.
    front_end.stop()?;
    drop(front_end);
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    host.run(
        "scp",
        &["-q", &image.display().to_string(), &format!("{place}/again")],
    )?;
    same(world, "again")?;
    world.check(&kept)?;
    Ok(format!(
        "scp both ways, rsync and a command, without root; refused: {refused}; same host key in the next pod; same data"
    ))
}

/// What must not work.
fn refusals(host: &Host) -> Result<String> {
    let stranger = host.dir.join("stranger");
    process::run(
        "ssh-keygen",
        &[
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-f",
            &stranger.display().to_string(),
        ],
    )?;
    for (what, key, arguments) in [
        ("another key", &stranger, &["oneadmin@127.0.0.1", "true"][..]),
        ("root", &host.key, &["root@127.0.0.1", "true"]),
        (
            "forwarding of ports",
            &host.key,
            &[
                "-o",
                "ExitOnForwardFailure=yes",
                "-W",
                "127.0.0.1:2633",
                "oneadmin@127.0.0.1",
            ],
        ),
    ] {
        let mut command = Command::new("ssh");
        command.args(host.options(key)).args(arguments);
        let (code, said) = process::outcome(&mut command)?;
        ensure!(code == 255, "{what} was not refused: {code} {said}");
    }
    Ok("another key, root, forwarding of ports".to_owned())
}

/// The hypervisor: the front-end's key is on it too, and it knows the front-end's host key.
struct Host {
    dir: PathBuf,
    key: PathBuf,
    known: PathBuf,
}

impl Host {
    fn new(world: &World) -> Result<Self> {
        let dir = world.pod.path("hypervisor");
        fs::create_dir_all(&dir)?;
        let key = fs::read_dir(world.pod.volume().join(".ssh"))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("id_") && path.extension().is_none()
            })
            .context("the front-end has no key")?;
        let known = dir.join("known_hosts");
        let (code, lines) = process::outcome(Command::new("ssh-keyscan").args(["-p", PORT, "127.0.0.1"]))?;
        ensure!(code == 0, "ssh-keyscan: {lines}");
        fs::write(&known, lines)?;
        let own = dir.join("key");
        fs::copy(&key, &own)?;
        ensure!(
            fs::metadata(&key).is_ok_and(|file| std::os::unix::fs::MetadataExt::uid(&file) == ONEADMIN),
            "the key does not belong to oneadmin"
        );
        Ok(Self { dir, key: own, known })
    }

    fn options(&self, key: &Path) -> Vec<String> {
        [
            "Port=2222".to_owned(),
            "BatchMode=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "ConnectTimeout=10".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            format!("UserKnownHostsFile={}", self.known.display()),
            format!("IdentityFile={}", key.display()),
        ]
        .into_iter()
        .flat_map(|option| ["-o".to_owned(), option])
        .chain(["-F".to_owned(), "/dev/null".to_owned()])
        .collect()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(program);
        command.args(self.options(&self.key)).args(arguments);
        let (code, said) = process::outcome(&mut command)?;
        ensure!(code == 0, "{program}: exit code {code}: {said}");
        Ok(())
    }
}
