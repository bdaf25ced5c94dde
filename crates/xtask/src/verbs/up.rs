//! `up`: from a fresh machine to a front-end that one can log in to. Safe to repeat.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::images::Origin;
use crate::lock::Lock;
use crate::platform::{self, Platform, Way};
use crate::progress::{self, Progress};
use crate::repo::Repo;
use crate::sh::tail;

/// The name under which the Ingress serves the web interface.
const HOSTNAME: &str = "opennebula.local";
/// The release and the objects' name.
const RELEASE: &str = "opennebula";

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    let mut progress = Progress::start();
    let way = Way::find(repo, &mut progress)?;
    let _one = Lock::take(repo, "cluster")?;
    let platform = platform::start(repo, way, &mut progress)?;
    progress.step("OpenNebula (helm upgrade --install --wait)", || {
        install(repo, &platform)
    })?;
    progress::say(&guide(&platform));
    Ok(ExitCode::SUCCESS)
}

fn install(repo: &Repo, platform: &Platform) -> Result<()> {
    let log = repo.logs().join("helm.log");
    let known = platform.helm(["status", RELEASE]).succeeds();
    let chart = repo.root.join("charts/opennebula");
    let hostname = format!("ingress.hostname={HOSTNAME}");
    if known && platform.image_is_new {
        // The name of the image is the same, so that nothing but a new pod takes the new one.
        platform
            .kubectl(["delete", "pod", &format!("{RELEASE}-0"), "--ignore-not-found"])
            .run(&log)?;
    }
    let status = platform
        .helm(["upgrade", "--install", RELEASE])
        .arg(chart)
        .args([
            "--set",
            "ingress.enabled=true",
            "--set",
            &hostname,
            "--wait",
            "--timeout",
            "10m",
        ])
        .logged(&log)?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let mut text = format!("helm did not get it ready ({status}): {}\n", tail(&said, 10));
    for question in [
        &["get", "pods", "-o", "wide"][..],
        &["get", "events", "--sort-by=.lastTimestamp"],
        &["logs", "--tail=20", "--all-containers", "statefulset/opennebula"],
        &[
            "logs",
            "--tail=20",
            "--all-containers",
            "--selector=app.kubernetes.io/component=secrets",
        ],
    ] {
        let answer = platform
            .kubectl(question.iter().copied())
            .read()
            .unwrap_or_else(|error| format!("{error:#}"));
        let _ = write!(
            text,
            "\n--- kubectl {}\n{}\n",
            question.join(" "),
            tail(&answer, 25)
        );
    }
    bail!(text)
}

/// What a person does next.
fn guide(platform: &Platform) -> String {
    let Platform {
        ingress,
        kubectl,
        origin,
        ..
    } = platform;
    let (address, _) = ingress.split_once(':').unwrap_or((ingress, ""));
    let port = ingress.rsplit(':').next().unwrap_or("30080");
    let mut text = format!(
        "
OpenNebula is up.

Sunstone    http://{HOSTNAME}:{port}/   once this line is in /etc/hosts:   {address} {HOSTNAME}
            without it: {kubectl} port-forward service/{RELEASE}-fireedge 2616   and then http://127.0.0.1:2616/
user        oneadmin
password    {kubectl} get secret {RELEASE} -o go-template='{{{{index .data \"oneadmin-password\" | base64decode}}}}{{{{\"\\n\"}}}}'
state       {kubectl} exec statefulset/{RELEASE} -- onepod status
check       {kubectl} get pods,services,ingress
the end     make down
"
    );
    if *origin == Origin::Simulated {
        text.push_str(
            "\nThis is a simulated OpenNebula, because the vendor's packages could not be reached from here; where they can be, \
             `make up` takes them by itself, and ONE_REPOSITORY=ADDRESS make up takes those of a mirror (http:// or file://, with \
             ONE_REPOSITORY_KEY=ADDRESS where another key signs it).\n",
        );
    }
    text
}
