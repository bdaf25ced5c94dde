//! The whole front-end to measure: the image's root file system with the simulated OpenNebula, whose waits are as long as
//! the real one's, beside a real MariaDB, in namespaces of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use faults::api::{self, Value};
use faults::front_end::{Console, Container, Image, Pod};
use faults::mariadb::{self, Database};
use faults::process::Running;
use faults::wait::{Look, until};
use faults::{namespaces, world};
use rustix::process::Signal;

use crate::process::monotonic_ns;
use crate::table::say;

/// The longest that a start or a stop may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the image and the working files are.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The unpacked image
    #[arg(long)]
    rootfs: PathBuf,
    /// A directory for what lasts no longer than the measurement
    #[arg(long)]
    work: PathBuf,
    /// How long to watch an idle front-end
    #[arg(long, default_value_t = 1)]
    pub(crate) minutes: u32,
}

/// Runs `bench VERB` in new namespaces; the figures that it printed.
pub(super) fn inside(verb: &str, rootfs: &Path, minutes: u32) -> Result<BTreeMap<String, Vec<f64>>> {
    let work = tempfile::tempdir().context("a directory")?;
    mariadb::template(&work.path().join("mariadb"))?;
    let log = work.path().join("figures");
    let file = fs::File::create(&log)?;
    let mut command = namespaces::command();
    command
        .arg(std::env::current_exe()?)
        .arg(verb)
        .arg("--rootfs")
        .arg(rootfs)
        .arg("--work")
        .arg(work.path())
        .args(["--minutes", &minutes.to_string()])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let mut inside = Running::start(&mut command)?;
    let code = until("the end of the measurement", PATIENCE * (10 + minutes), || {
        Ok(inside
            .ended()?
            .map_or_else(|| Look::NotYet(String::new()), Look::Seen))
    })?;
    namespaces::remove_control_groups();
    let said = fs::read_to_string(&log)?;
    ensure!(code == 0, "the measurement ended with {code}: {said}");
    Ok(figures(&said))
}

/// Prints one figure for [`inside`].
pub(super) fn figure(name: &str, value: f64) {
    say(&format!("figure {name} {value}"));
}

/// Lines `figure NAME VALUE` in order, other lines left out.
fn figures(said: &str) -> BTreeMap<String, Vec<f64>> {
    let mut figures: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["figure", name, value] = words[..]
            && let Ok(value) = value.parse()
        {
            figures.entry(name.to_owned()).or_default().push(value);
        }
    }
    figures
}

/// What the front-end stands on.
pub(super) struct Stand {
    pub(super) pod: Pod,
    session: String,
    database: Database,
    image: Image,
}

impl Stand {
    /// Makes everything and starts the database; for programs that run in namespaces of their own.
    pub(super) fn new(args: &Args) -> Result<Self> {
        let dir = args.work.join("inside");
        fs::create_dir_all(&dir)?;
        namespaces::memory(&dir, "size=2g,mode=755")?;
        namespaces::loopback()?;
        let image = Image::mount(&args.rootfs, &dir.join("image"))?;
        image.scale_time("1.0")?;
        let mut database = Database::install(&dir.join("mariadb"), &args.work.join("mariadb"))?;
        database.start()?;
        let (oneadmin, password) = (world::word(24), world::word(24));
        database.grant(&password)?;
        let secret = BTreeMap::from([
            ("oneadmin-password".to_owned(), oneadmin.clone()),
            ("one-key".to_owned(), world::hexadecimal(64)),
            ("fireedge-key".to_owned(), world::word(32)),
            ("serveradmin-secret".to_owned(), world::hexadecimal(64)),
        ]);
        Ok(Self {
            pod: Pod::new(&dir.join("opennebula"), secret, &password)?,
            session: format!("oneadmin:{oneadmin}"),
            database,
            image,
        })
    }

    /// Starts the container and waits until the API is ready; the seconds that took.
    pub(super) fn start(&mut self) -> Result<(Container, f64)> {
        let began = Instant::now();
        let mut container = Container::start(self.image.root(), &mut self.pod, Console::File)?;
        until("a ready API", PATIENCE, || {
            if let Some(code) = container.ended()? {
                anyhow::bail!("it ended with {code}: {}", container.written());
            }
            let answer = api::call(
                ([127, 0, 0, 1], 2633).into(),
                &self.session,
                "one.user.info",
                &[Value::Int(-1)],
            );
            Ok(match answer {
                Ok(_) => Look::Seen(()),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })?;
        Ok((container, began.elapsed().as_secs_f64()))
    }

    /// One start and one stop of a new pod on the volume; what the container wrote.
    pub(super) fn once(&mut self, command: &[String], report: impl FnOnce(f64, f64)) -> Result<String> {
        self.pod.empty()?;
        self.pod.command = command.to_vec();
        let (mut container, start) = self.start()?;
        if command.iter().any(|word| word.ends_with("onepod")) {
            container.started()?;
        }
        let asked = monotonic_ns();
        container.signal(Signal::TERM)?;
        let code = container.end()?;
        #[expect(clippy::cast_precision_loss, reason = "some seconds")]
        let stop = (monotonic_ns() - asked) as f64 / 1e9;
        ensure!(code == 0, "it ended with {code}: {}", container.written());
        report(start, stop);
        Ok(container.written())
    }

    /// Copies what was rendered into /etc/one to the volume.
    pub(super) fn keep_configuration(&self) -> Result<()> {
        let from = self.pod.path("etc").join(".");
        let to = self.pod.volume().join(".prepared");
        faults::process::run("cp", &["-a", &shown(&from), &shown(&to)])?;
        faults::process::run("chown", &["-R", "9869:9869", &shown(&to)])?;
        Ok(())
    }

    /// Removes the database.
    pub(super) fn forget(&self) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {}", mariadb::NAME);
        self.database.query(&statement).map(|_| ())
    }

    /// Removes what oned refuses to see at its first start.
    pub(super) fn forget_service_files(&self) -> Result<()> {
        for entry in fs::read_dir(self.pod.volume().join(".one"))? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.ends_with("_auth") && name != "one_auth" {
                fs::remove_file(&path).with_context(|| shown(&path))?;
            }
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_other_lines_left_out() {
        let read = figures("bench: x\nfigure stop 1.5\nfigure stop 2.5\n");
        assert_eq!(read.get("stop").map(Vec::len), Some(2));
    }
}
