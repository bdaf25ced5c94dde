//! What `up` runs on: kind where a Docker engine answers, else the cluster of `cluster/`.

use std::path::PathBuf;

use anyhow::Result;

use crate::cluster::{self, Cluster};
use crate::images::{Image, Layer, Origin, Source, Store, Unpacked, onepod, simulator};
use crate::kind::Kind;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::sh::{Cmd, cmd, command};
use crate::{apt, machine};

/// A cluster that is up, and how to reach it.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) kubeconfig: PathBuf,
    /// `ADDRESS:PORT` of the Ingress controller, from this machine.
    pub(crate) ingress: String,
    /// How a person calls kubectl.
    pub(crate) kubectl: String,
    pub(crate) root: PathBuf,
    pub(crate) helm: Vec<String>,
    /// Whether the front-end's image that is loaded differs from the one of before.
    pub(crate) image_is_new: bool,
    pub(crate) origin: Origin,
}

impl Platform {
    /// Helm with arguments.
    pub(crate) fn helm<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Cmd {
        command(&self.helm).args(args).env("KUBECONFIG", &self.kubeconfig)
    }

    /// Kubectl with arguments, as a person calls it in the checkout.
    pub(crate) fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Cmd {
        let words: Vec<String> = self.kubectl.split(' ').map(str::to_owned).collect();
        command(&words).args(args).dir(&self.root)
    }
}

/// Whether a Docker engine answers, rather than that there is a client.
pub(crate) fn docker_answers() -> bool {
    cmd("timeout").args(["10", "docker", "info"]).succeeds()
}

/// Where the cluster comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// kind, where a Docker daemon answers.
    Kind,
    /// The cluster of this repository.
    Offline,
}

impl Way {
    /// Looks which way there is here; refuses, with every reason, where there is none. Writes nothing.
    pub(crate) fn find(repo: &Repo, progress: &mut Progress) -> Result<Self> {
        if docker_answers() {
            return Ok(Self::Kind);
        }
        progress.step("machine", || machine::check(repo))?;
        Ok(Self::Offline)
    }
}

/// Everything up to a cluster that has the images.
pub(crate) fn start(repo: &Repo, way: Way, progress: &mut Progress) -> Result<Platform> {
    if way == Way::Kind {
        return Kind::new(repo).start(progress);
    }
    progress.step("packages of the system", || apt::install(repo, &[apt::CLUSTER]))?;
    programs(repo, progress)?;
    let images = build(repo, progress)?;
    let cluster = Cluster::of_up(repo);
    progress.step("cluster", || cluster.up())?;
    let image_is_new = progress.step("images into the cluster", || images.load(&cluster))?;
    Ok(Platform {
        kubeconfig: cluster.kubeconfig(),
        ingress: format!("{}:30080", cluster.node_ip()),
        kubectl: "cluster/cluster kubectl".to_owned(),
        root: repo.root.clone(),
        helm: vec![cluster::programs(repo)?.join("helm").display().to_string()],
        image_is_new,
        origin: images.origin,
    })
}

/// What the offline cluster runs.
#[derive(Debug)]
pub(crate) struct Images {
    store: Store,
    mariadb: Image,
    front_end: Image,
    pub(crate) origin: Origin,
    /// The store keeps one image of a name: until this one is loaded, nobody else may build his.
    _one: Lock,
}

impl Images {
    /// Loads what the cluster does not have yet. True when the front-end's image was loaded now.
    pub(crate) fn load(&self, cluster: &Cluster) -> Result<bool> {
        self.mariadb.load(&self.store, cluster)?;
        self.front_end.load(&self.store, cluster)
    }
}

/// Builds the front-end's image of a release with the simulated packages, whatever packages can be reached, and unpacks it.
pub(crate) fn simulated(repo: &Repo, progress: &mut Progress) -> Result<Unpacked> {
    let _one = Lock::take_in_cache(repo, "images")?;
    Parts::simulated(repo, progress)?.unpacked(repo, progress)
}

/// The same with the packages of the repository that was named, or else with the simulated ones.
pub(crate) fn unpacked(repo: &Repo, progress: &mut Progress) -> Result<Unpacked> {
    let _one = Lock::take_in_cache(repo, "images")?;
    Parts::named_or_simulated(repo, progress)?.unpacked(repo, progress)
}

/// Builds the front-end's image of a release with the simulated packages, and pushes it to a registry on this machine;
/// the digest that it has there.
pub(crate) fn pushed(repo: &Repo, to: &str, progress: &mut Progress) -> Result<String> {
    let _one = Lock::take_in_cache(repo, "images")?;
    let parts = Parts::simulated(repo, progress)?;
    let step = format!("front-end image {} with them, pushed", repo.release);
    progress.step(&step, || {
        let image = parts.store.front_end(&parts.base, &parts.onepod, &parts.source)?;
        image.push(&parts.store, to)
    })
}

/// An image and what it is compared with.
#[derive(Debug)]
pub(crate) struct Weighed {
    pub(crate) ours: Unpacked,
    pub(crate) layers: Vec<Layer>,
    /// What an earlier image of the name consisted of.
    pub(crate) earlier: Vec<Layer>,
    pub(crate) earlier_root: PathBuf,
}

/// Builds the image and what it is compared with, with the packages of the repository that was named or the simulated ones.
pub(crate) fn weighed(repo: &Repo, progress: &mut Progress) -> Result<Weighed> {
    let _one = Lock::take_in_cache(repo, "images")?;
    let parts = Parts::named_or_simulated(repo, progress)?;
    let ours = parts.unpacked(repo, progress)?;
    let layers = progress.step("the image by layer", || {
        parts.store.build_again(&parts.base, &parts.onepod, &parts.source)
    })?;
    let (earlier, earlier_root) = progress.step("what an earlier image consisted of", || {
        parts.store.build_earlier(&parts.base, &parts.source)
    })?;
    Ok(Weighed {
        ours,
        layers,
        earlier,
        earlier_root,
    })
}

/// Builds the same image twice more from nothing; the layers of each build.
pub(crate) fn rebuilt(repo: &Repo, progress: &mut Progress) -> Result<[Vec<Layer>; 2]> {
    let _one = Lock::take_in_cache(repo, "images")?;
    let parts = Parts::named_or_simulated(repo, progress)?;
    let again = || parts.store.build_again(&parts.base, &parts.onepod, &parts.source);
    progress.step("the same image twice from nothing", || Ok([again()?, again()?]))
}

/// What a front-end's image is made of.
struct Parts {
    store: Store,
    base: String,
    onepod: PathBuf,
    source: Source,
}

impl Parts {
    /// With the simulated packages.
    fn simulated(repo: &Repo, progress: &mut Progress) -> Result<Self> {
        Self::of(repo, &Origin::Simulated, progress)
    }

    fn named_or_simulated(repo: &Repo, progress: &mut Progress) -> Result<Self> {
        let named = repo.repository.clone();
        Self::of(
            repo,
            &named.map_or(Origin::Simulated, Origin::Repository),
            progress,
        )
    }

    fn of(repo: &Repo, origin: &Origin, progress: &mut Progress) -> Result<Self> {
        let store = Store::open(repo);
        let base = progress.step("base image", || store.base())?;
        let onepod = progress.step("onepod", || onepod(repo))?;
        let step = match origin {
            Origin::Simulated => "simulated packages".to_owned(),
            Origin::Repository(repository) => format!("packages of {}", repository.address),
        };
        let source = progress.step(&step, || Source::prepare(repo, origin, || simulator(repo)))?;
        Ok(Self {
            store,
            base,
            onepod,
            source,
        })
    }

    fn unpacked(&self, repo: &Repo, progress: &mut Progress) -> Result<Unpacked> {
        let step = format!("front-end image {} with them, unpacked", repo.release);
        progress.step(&step, || {
            let image = self.store.front_end(&self.base, &self.onepod, &self.source)?;
            image.unpack(&self.store)
        })
    }
}

/// Compiles the programs of the cluster, unless they are there.
pub(crate) fn programs(repo: &Repo, progress: &mut Progress) -> Result<()> {
    let _one = Lock::take_in_cache(repo, "programs")?;
    progress.step("programs of the cluster (compiled once, 5 to 10 minutes)", || {
        cluster::build(repo)
    })
}

/// Builds the images. Each part does nothing when it is there.
pub(crate) fn build(repo: &Repo, progress: &mut Progress) -> Result<Images> {
    let one = Lock::take_in_cache(repo, "images")?;
    let store = Store::open(repo);
    let base = progress.step("base image", || store.base())?;
    let mariadb = progress.step("database image", || store.mariadb(&base))?;
    let onepod = progress.step("onepod", || onepod(repo))?;
    let origin = Origin::choose(repo);
    let source = progress.step("OpenNebula packages", || {
        Source::prepare(repo, &origin, || simulator(repo))
    })?;
    let front_end = progress.step("front-end image", || store.front_end(&base, &onepod, &source))?;
    Ok(Images {
        store,
        mariadb,
        front_end,
        origin,
        _one: one,
    })
}
