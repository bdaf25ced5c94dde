//! The one-node Kubernetes of `cluster/`: its script with this checkout's settings, and what is loaded into it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::repo::Repo;
use crate::sh::{Cmd, cmd};
use crate::tools::TOOLCHAIN;

/// One cluster: which one it is, is in the folder of its state and in the addresses of its link.
#[derive(Debug)]
pub(crate) struct Cluster {
    repo: Repo,
    /// The folder of its state, below the checkout's.
    pub(crate) state: PathBuf,
    link: String,
}

impl Cluster {
    /// The one of `up`.
    pub(crate) fn of_up(repo: &Repo) -> Self {
        Self::new(repo, "cluster", "CLUSTER_LINK", "10.213.0")
    }

    /// The one of the scenarios: beside that of `up`, and without touching it.
    pub(crate) fn of_scenarios(repo: &Repo) -> Self {
        Self::new(repo, "e2e", "E2E_CLUSTER_LINK", "10.214.0")
    }

    fn new(repo: &Repo, name: &str, variable: &str, link: &str) -> Self {
        let link = std::env::var(variable).unwrap_or_else(|_| link.to_owned());
        Self {
            repo: repo.clone(),
            state: repo.state.join(name),
            link,
        }
    }

    /// The script with arguments.
    pub(crate) fn script<T: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = T>) -> Cmd {
        cmd(self.repo.root.join("cluster/cluster"))
            .args(args)
            .env("CLUSTER_STATE", &self.state)
            .env("CLUSTER_LINK", &self.link)
    }

    /// The address of the node, as the machine sees it.
    pub(crate) fn node_ip(&self) -> String {
        format!("{}.2", self.link)
    }

    /// The name of its cgroups, as the script makes it of the link.
    pub(crate) fn cgroup(&self) -> String {
        format!("k8s-{}", self.link.replace('.', "-"))
    }

    /// The machine's end of the link, as the script names it.
    pub(crate) fn interface(&self) -> String {
        let numbers = self
            .link
            .split('.')
            .filter_map(|number| number.parse::<u8>().ok());
        numbers.fold("k8s".to_owned(), |name, number| format!("{name}{number:02x}"))
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.state.join("admin.kubeconfig")
    }

    /// Starts it, or does nothing when it runs.
    pub(crate) fn up(&self) -> Result<()> {
        self.script(["up"]).run(&self.log("up"))
    }

    /// Ends it and removes its state.
    pub(crate) fn purge(&self) -> Result<()> {
        self.script(["down", "--purge"]).run(&self.log("down"))
    }

    /// Loads the archive that `archive` makes, unless the cluster has this content under this name. True when it was
    /// loaded now.
    pub(crate) fn load(
        &self,
        name: &str,
        number: &str,
        archive: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<bool> {
        let slug: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let mark = self.state.join("loaded").join(slug);
        if fs::read_to_string(&mark).is_ok_and(|loaded| loaded == number) {
            return Ok(false);
        }
        let tar = archive()?;
        self.script(["load".as_ref(), tar.as_os_str()])
            .run(&self.log("load"))?;
        fs::remove_file(&tar).with_context(|| tar.display().to_string())?;
        fs::create_dir_all(self.state.join("loaded")).context("the cluster's state")?;
        fs::write(&mark, number).with_context(|| mark.display().to_string())?;
        Ok(true)
    }

    fn log(&self, what: &str) -> PathBuf {
        let name = self.state.file_name().unwrap_or_default().to_string_lossy();
        self.repo.logs().join(format!("{name}-{what}.log"))
    }
}

/// Compiles the programs of the cluster, unless they are in the cache.
pub(crate) fn build(repo: &Repo) -> Result<()> {
    cmd(repo.root.join("cluster/cluster"))
        .arg("build")
        .env("PATH", path_with_go())
        .run(&repo.logs().join("programs.log"))
}

fn path_with_go() -> String {
    let go = crate::sh::which("go")
        .and_then(|go| go.parent().map(PathBuf::from))
        .unwrap_or_default();
    format!("{}:{}", std::env::var("PATH").unwrap_or_default(), go.display())
}

/// The resource definitions of others, as YAML: the files of the modules in `cluster/crds`.
pub(crate) fn definitions(repo: &Repo) -> Result<String> {
    cmd(repo.root.join("cluster/cluster"))
        .arg("definitions")
        .env("PATH", path_with_go())
        .env("GOTOOLCHAIN", TOOLCHAIN)
        .read()
}

/// Where the programs are.
pub(crate) fn programs(repo: &Repo) -> Result<PathBuf> {
    Ok(PathBuf::from(
        cmd(repo.root.join("cluster/cluster")).arg("bin").read()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_script() {
        let repo = Repo::find().unwrap();
        let cluster = Cluster {
            state: repo.state.join("x"),
            repo,
            link: "10.213.0".to_owned(),
        };
        assert_eq!(cluster.cgroup(), "k8s-10-213-0");
        assert_eq!(cluster.interface(), "k8s0ad500");
        assert_eq!(cluster.node_ip(), "10.213.0.2");
    }

    #[test]
    fn the_gateway_s_definitions_are_those_that_its_controller_was_made_with() {
        let root = Repo::find().unwrap().root;
        let version = |module: &str| {
            let text = fs::read_to_string(root.join("cluster").join(module).join("go.mod")).unwrap();
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let at = words.iter().position(|word| word == "sigs.k8s.io/gateway-api");
            words[at.unwrap() + 1].clone()
        };
        assert!(version("crds").starts_with('v'));
        assert_eq!(version("crds"), version("traefik"));
    }
}
