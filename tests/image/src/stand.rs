//! The image as a container of somebody who has set nothing: what it was published with, and that is all. What is expected
//! of it is said in the checks.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use faults::api::Value;
use faults::front_end::{Console, Container, Identity, Image, Patience, Pod};
use faults::secrecy::{Needles, Watcher, written_by};
use faults::wait::{Look, until};
use faults::world::{call_as, login_as};

use crate::context::Context;
use crate::release::Release;

/// Where the pod's folder is; its containers are `opennebula-0`.
const POD: &str = "opennebula";
/// The first start makes keys and a database, with all of OpenNebula's own waits.
const PATIENCE: Patience = Patience {
    ready: Duration::from_mins(4),
    end: Duration::from_mins(1),
};

/// A pod of the image, in the namespaces of one check.
pub(crate) struct Stand {
    pub(crate) image: Image,
    pub(crate) pod: Pod,
    /// What must not be seen anywhere.
    pub(crate) needles: Needles,
    watcher: Watcher,
}

/// A service that is not ready this long after the start is over will not be.
const SETTLED: Duration = Duration::from_mins(1);

/// What `onepod status --credentials` prints. It has no `Debug`: a failed assertion must not print it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    user: String,
    password: String,
}

impl Stand {
    /// Mounts the image and makes an empty pod below `dir`; starts nothing.
    pub(crate) fn new(dir: &Path, context: &Context, identity: Identity) -> Result<Self> {
        let config = &context.config;
        let mut pod = Pod::bare(&dir.join(POD), identity, config.command(), config.environment())?;
        pod.patience = PATIENCE;
        Ok(Self {
            image: Image::mount(&context.rootfs, &dir.join("image"))?,
            pod,
            needles: Needles::default(),
            watcher: Watcher::start(),
        })
    }

    /// Starts a container, and waits for nothing.
    pub(crate) fn begin(&mut self) -> Result<Container> {
        Container::start(self.image.root(), &mut self.pod, Console::File)
    }

    /// Starts a container and waits until no service is awaited any more.
    pub(crate) fn start(&mut self) -> Result<Container> {
        let mut container = self.begin()?;
        container.started()?;
        Ok(container)
    }

    /// Asks a running container for oneadmin's login, and remembers that nobody else may see it.
    pub(crate) fn login(&mut self, container: &Container) -> Result<Login> {
        let said = container.exec_with(&[], &["onepod", "status", "--credentials"])?;
        ensure!(
            said.code == 0,
            "onepod status --credentials: exit code {}: {}",
            said.code,
            said.err.trim()
        );
        let login = Login::read(&said.out).context("onepod status --credentials prints another form")?;
        self.needles.add("oneadmin's password", &login.password);
        Ok(login)
    }

    /// Looks for every secret in everything that any process wrote or was started with; how many were looked for.
    pub(crate) fn secrecy(&mut self) -> Result<usize> {
        self.needles.add_volume(&self.pod.volume());
        let texts = self.watcher.texts().into_iter().chain(self.written());
        let found = self.needles.places(texts);
        ensure!(found.is_empty(), "secrets are seen: {}", found.join(", "));
        Ok(self.needles.count())
    }

    /// For a person who looks why a check failed: the ends of all logs, without secrets.
    pub(crate) fn diagnosis(&mut self) -> String {
        self.needles.add_volume(&self.pod.volume());
        self.needles.ends(self.written())
    }

    fn written(&self) -> Vec<(String, String)> {
        written_by(&self.pod.path(""))
    }
}

impl Login {
    fn read(text: &str) -> Option<Self> {
        let word = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        Some(Self {
            user: word("user ")?,
            password: word("password ")?,
        })
    }

    /// As the API wants it.
    pub(crate) fn session(&self) -> String {
        format!("{}:{}", self.user, self.password)
    }

    /// Whether it is oneadmin's, in the API and through FireEdge.
    pub(crate) fn works(&self) -> Result<()> {
        ensure!(self.user == "oneadmin", "the user is {}", self.user);
        let info = call_as(&self.session(), "one.user.info", &[Value::Int(-1)])?;
        ensure!(
            info.contains("<NAME>oneadmin</NAME>"),
            "the API knows somebody else"
        );
        login_as(&self.user, &self.password)
    }
}

/// Services that the image leaves off, see `enabled` in services.toml.
const OFF_BY_DEFAULT: [&str; 1] = ["oneks"];

/// Waits until every service that the release has is ready, but those that are off by default; the names of the ready ones.
pub(crate) fn services(container: &mut Container, release: Release) -> Result<Vec<String>> {
    until("every service ready", SETTLED, || {
        if let Some(code) = container.ended()? {
            bail!("the container ended with {code}");
        }
        let all = container.services()?;
        let states: Vec<(&str, &str)> = all
            .iter()
            .map(|service| (service.name.as_str(), service.state.as_str()))
            .collect();
        Ok(match unready(&states, release) {
            wrong if wrong.is_empty() => Look::Seen(ready(&states)),
            wrong => Look::NotYet(wrong.join(", ")),
        })
    })
}

fn ready(states: &[(&str, &str)]) -> Vec<String> {
    let ready = states.iter().filter(|(_, state)| *state == "ready");
    let mut names: Vec<String> = ready.map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    names
}

/// Services that are in another state than they must be, with the state.
fn unready(states: &[(&str, &str)], release: Release) -> Vec<String> {
    let mut awaited: BTreeSet<&str> = [
        "ssh-agent",
        "sshd",
        "oned",
        "onehem",
        "oneflow",
        "onegate",
        "guacd",
        "fireedge",
    ]
    .into();
    let since = [("oneform", Release::FORM), ("oneks", Release::KS)];
    awaited.extend(
        since
            .iter()
            .filter(|(_, first)| release >= *first)
            .map(|(name, _)| *name),
    );
    let listed: BTreeSet<&str> = states.iter().map(|(name, _)| *name).collect();
    let missing = awaited
        .difference(&listed)
        .map(|name| format!("{name} is not listed"));
    states
        .iter()
        .filter(|(name, state)| match *state {
            "ready" => false,
            // A task, which is listed too.
            "done" | "absent" => awaited.contains(name),
            "off" => !OFF_BY_DEFAULT.contains(name),
            _ => true,
        })
        .map(|(name, state)| format!("{name} is {state}"))
        .chain(missing)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_from_its_two_lines() {
        let login = Login::read("user      oneadmin\npassword  a b\n").unwrap();
        assert_eq!(login.session(), "oneadmin:a b");
        assert!(Login::read("user      oneadmin\npassword  \n").is_none());
        assert!(Login::read("there is none").is_none());
    }

    #[test]
    fn a_service_may_be_absent_only_before_its_first_release() {
        let mut states = [
            "ssh-agent",
            "sshd",
            "oned",
            "onehem",
            "oneflow",
            "onegate",
            "guacd",
            "fireedge",
        ]
        .map(|name| (name, "ready"))
        .to_vec();
        states.extend([("oneform", "absent"), ("oneks", "absent"), ("ssh-add", "done")]);
        let of = |release: &str, states: &[(&str, &str)]| unready(states, release.parse().unwrap());
        assert!(of("7.0.0", &states).is_empty());
        assert_eq!(of("7.2.0", &states), ["oneform is absent"]);
        states[4].1 = "backoff";
        assert_eq!(of("7.0.0", &states), ["oneflow is backoff"]);
        assert_eq!(of("7.0.0", &states[..4]).len(), 4);
    }

    #[test]
    fn only_a_service_that_the_image_leaves_off_may_be_off() {
        let mut states = [
            "ssh-agent",
            "sshd",
            "oned",
            "onehem",
            "oneflow",
            "onegate",
            "oneform",
            "guacd",
            "fireedge",
            "oneks",
        ]
        .map(|name| (name, "ready"));
        let of = |states: &[(&str, &str)]| unready(states, "7.4.0".parse().unwrap());
        assert!(of(&states).is_empty());
        states[9].1 = "off";
        assert!(of(&states).is_empty());
        states[4].1 = "off";
        assert_eq!(of(&states), ["oneflow is off"]);
        states[4].1 = "ready";
        states[9].1 = "backoff";
        assert_eq!(of(&states), ["oneks is backoff"], "it was enabled");
        states[9].1 = "absent";
        assert_eq!(of(&states), ["oneks is absent"]);
    }
}
