//! The images of the offline cluster, by buildah: a base from the distribution's packages, the stand-in for MariaDB's
//! image, and the front-end's from `image/Dockerfile`. Each is made again only when what it is made of changed.
//!
//! Builder and store are buildah's, in the cache, so that they are shared by checkouts; nothing is fetched from a registry.

mod front_end;
mod layers;
mod packages;
mod repository;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

pub(crate) use front_end::{name, onepod, repository, simulator};
pub(crate) use layers::Layer;
pub(crate) use packages::{Origin, Source, VENDOR};
pub(crate) use repository::{Packages, Repository};

use crate::apt;
use crate::cluster::Cluster;
use crate::digest::Inputs;
use crate::machine::Distribution;
use crate::repo::Repo;
use crate::serve;
use crate::sh::{Cmd, cmd};

/// The name of MariaDB's image in the chart's values, which the stand-in gets inside the cluster.
const MARIADB: &str = "docker.io/library/mariadb:11.8";

/// The time that the files of a build carry, in seconds since 1970: 2025-07-01, the date of `OpenNebula` 7.0.0. Builds of
/// the same parts are the same to the byte.
const EPOCH: &str = "1751328000";

/// An image in buildah's store, ready to be loaded.
#[derive(Debug)]
pub(crate) struct Image {
    /// Under which name the chart asks for it.
    name: String,
    /// `localhost/…:NUMBER` in the store.
    stored: String,
    number: String,
}

impl Image {
    /// Loads it into the cluster unless it is there. True when it was loaded now.
    pub(crate) fn load(&self, store: &Store, cluster: &Cluster) -> Result<bool> {
        cluster.load(&self.name, &self.number, || {
            let tar = store
                .repo
                .state
                .join("images")
                .join(format!("{}.tar", self.number));
            fs::create_dir_all(store.repo.state.join("images")).context(".state/images")?;
            let target = format!("docker-archive:{}:{}", tar.display(), self.name);
            store
                .buildah(["push", &self.stored, &target])
                .run(&store.log("export"))?;
            Ok(tar)
        })
    }

    /// Pushes it to a registry on this machine, `127.0.0.1:PORT/NAME:TAG`; the digest that it has there.
    pub(crate) fn push(&self, store: &Store, to: &str) -> Result<String> {
        let file = store.repo.state.join("pushed.digest");
        store
            .buildah(["push", "--tls-verify=false", "--digestfile"])
            .arg(&file)
            .arg(&self.stored)
            .arg(format!("docker://{to}"))
            .run(&store.log("push"))?;
        let digest = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        fs::remove_file(&file).with_context(|| file.display().to_string())?;
        Ok(digest.trim().to_owned())
    }

    /// Unpacks it into the checkout's state, unless this very one is there.
    pub(crate) fn unpack(&self, store: &Store) -> Result<Unpacked> {
        let parent = store.repo.state.join("unpacked");
        let release = &store.repo.release;
        let unpacked = Unpacked {
            rootfs: parent.join(release),
            configuration: parent.join(format!("{release}.json")),
        };
        let (half, mark) = (
            parent.join(format!("{release}.unfinished")),
            parent.join(format!("{release}.number")),
        );
        if fs::read_to_string(&mark).is_ok_and(|number| number == self.number) {
            return Ok(unpacked);
        }
        store.copy_out(&self.stored, &half)?;
        if unpacked.rootfs.exists() {
            fs::remove_dir_all(&unpacked.rootfs).with_context(|| unpacked.rootfs.display().to_string())?;
        }
        fs::write(&unpacked.configuration, store.configuration(&self.stored)?)
            .with_context(|| unpacked.configuration.display().to_string())?;
        fs::rename(&half, &unpacked.rootfs).with_context(|| unpacked.rootfs.display().to_string())?;
        fs::write(&mark, &self.number).with_context(|| mark.display().to_string())?;
        Ok(unpacked)
    }
}

/// An image as a folder.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Its files.
    pub(crate) rootfs: PathBuf,
    /// How it is to be run, as JSON in Docker's form.
    pub(crate) configuration: PathBuf,
}

/// Buildah with a store of its own.
#[derive(Debug)]
pub(crate) struct Store {
    repo: Repo,
    dir: PathBuf,
}

impl Store {
    pub(crate) fn open(repo: &Repo) -> Self {
        Self {
            repo: repo.clone(),
            dir: repo.cache.join("buildah"),
        }
    }

    fn buildah<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Cmd {
        cmd("buildah")
            .arg("--root")
            .arg(self.dir.join("root"))
            .arg("--runroot")
            .arg(self.dir.join("run"))
            .args(args)
            // The build's commands see the machine's network and need no cgroup of their own.
            .env("BUILDAH_ISOLATION", "chroot")
            .env("BUILDAH_FORMAT", "docker") // the OCI format has no HEALTHCHECK
    }

    fn log(&self, what: &str) -> PathBuf {
        self.repo.logs().join(format!("image-{what}.log"))
    }

    /// How an image is to be run, in Docker's form.
    fn configuration(&self, stored: &str) -> Result<String> {
        let json = self.buildah(["inspect", "--type", "image", stored]).read()?;
        let image: Value = serde_json::from_str(&json).with_context(|| stored.to_owned())?;
        Ok(image["Docker"]["config"].to_string())
    }

    fn has(&self, stored: &str) -> bool {
        self.buildah(["inspect", "--type", "image", stored]).succeeds()
    }

    /// Builds `context` under a name that carries the number, unless it is there, and forgets older ones of that name.
    fn build(&self, name: &str, number: &str, build: impl FnOnce(&str) -> Result<()>) -> Result<String> {
        let stored = format!("localhost/{name}:{number}");
        if self.has(&stored) {
            return Ok(stored);
        }
        build(&stored)?;
        let reference = format!("reference=localhost/{name}");
        let all = self
            .buildah(["images", "--filter", &reference, "--format", "{{.Name}}:{{.Tag}}"])
            .read()?;
        let old: Vec<&str> = all.lines().filter(|image| *image != stored).collect();
        if !old.is_empty() {
            // One that another build still uses stays.
            self.buildah(["rmi", "--force"]).args(old).succeeds();
        }
        Ok(stored)
    }

    /// The machine's settings of apt, as the secret of a build.
    fn apt_secret(&self) -> Result<String> {
        let file = self.repo.state.join("apt.conf");
        fs::create_dir_all(&self.repo.state).context(".state")?;
        fs::write(&file, apt::network_settings()?).with_context(|| file.display().to_string())?;
        Ok(format!("id=apt,src={}", file.display()))
    }

    /// The base: the machine's own distribution. Its name in the store.
    pub(crate) fn base(&self) -> Result<String> {
        let distribution = Distribution::read();
        let recipe = self.repo.root.join("cluster/images/base");
        let sources = sources(&distribution)?;
        let number = Inputs::default()
            .word(&sources.list)
            .word(std::env::consts::ARCH)
            .path(&recipe)?
            .number();
        self.build("opennebula-base", &number, |stored| {
            let context = self.repo.cache.join(format!("base-{number}"));
            let root = context.join("root");
            if context.exists() {
                fs::remove_dir_all(&context).with_context(|| context.display().to_string())?;
            }
            fs::create_dir_all(&context).with_context(|| context.display().to_string())?;
            let log = self.log("debootstrap");
            cmd("debootstrap")
                .args(["--variant=minbase", "--include=ca-certificates"])
                .arg(&distribution.codename)
                .arg(&root)
                .arg(sources.mirror)
                .run(&log)?;
            cmd("tar")
                .arg("--create")
                .arg("--file")
                .arg(context.join("rootfs.tar"))
                .arg("--exclude=./var/cache/apt/archives/*.deb")
                .arg("--directory")
                .arg(&root)
                .arg(".")
                .run(&log)?;
            fs::write(context.join("sources.list"), &sources.list).context("sources.list")?;
            let file = recipe.join("Containerfile");
            self.buildah(["bud", "--secret", &self.apt_secret()?, "--tag", stored, "--file"])
                .arg(file)
                .arg(&context)
                .run(&self.log("base"))?;
            fs::remove_dir_all(&context).with_context(|| context.display().to_string())
        })
    }

    /// The stand-in for MariaDB's image.
    pub(crate) fn mariadb(&self, base: &str) -> Result<Image> {
        let recipe = self.repo.root.join("cluster/images/mariadb");
        let number = Inputs::default().word(base).path(&recipe)?.number();
        let stored = self.build("opennebula-mariadb", &number, |stored| {
            let base = format!("BASE_IMAGE={base}");
            self.buildah([
                "bud",
                "--secret",
                &self.apt_secret()?,
                "--build-arg",
                &base,
                "--tag",
                stored,
            ])
            .arg(&recipe)
            .run(&self.log("mariadb"))
        })?;
        Ok(Image {
            name: MARIADB.to_owned(),
            stored,
            number,
        })
    }

    /// The front-end's image, with packages of `source` and a compiled onepod.
    pub(crate) fn front_end(&self, base: &str, onepod: &Path, source: &Source) -> Result<Image> {
        let root = &self.repo.root;
        let name = name(root)?;
        let number = Inputs::default()
            .word(base)
            .word(&self.repo.release)
            .word(&source.number)
            .path(onepod)?
            .path(&root.join("image"))?
            .number();
        // Each origin and release has a name of its own: one does not push the other out of the store.
        let stored = self.build(&source.image(&self.repo.release), &number, |stored| {
            self.build_front_end(base, onepod, source, &[], stored)
        })?;
        Ok(Image { name, stored, number })
    }

    /// Builds it once more, with nothing taken from an earlier build and a layer for each instruction, as a published one
    /// has; its layers, the base's first.
    pub(crate) fn build_again(&self, base: &str, onepod: &Path, source: &Source) -> Result<Vec<Layer>> {
        let stored = "localhost/opennebula-again:latest";
        self.build_front_end(base, onepod, source, &["--no-cache", "--layers"], stored)?;
        self.weigh(stored)
    }

    /// Builds what an earlier image of the name consisted of, for comparison; its layers and its files.
    pub(crate) fn build_earlier(&self, base: &str, source: &Source) -> Result<(Vec<Layer>, PathBuf)> {
        let stored = "localhost/opennebula-earlier:latest";
        // It has no argument for the fingerprint.
        let [repository, key, _] = source.arguments(serve::serve)?;
        self.buildah(["bud", "--tag", stored, "--secret", &self.apt_secret()?])
            .args(["--build-arg", &format!("BASE_IMAGE={base}")])
            .args(["--build-arg", &repository, "--build-arg", &key])
            .args(["--no-cache", "--layers"])
            .arg(self.repo.root.join("tests/image/earlier"))
            .run(&self.log("earlier"))?;
        let root = self.repo.state.join("unpacked/earlier");
        self.copy_out(stored, &root)?;
        Ok((self.weigh(stored)?, root))
    }

    /// The layers of an image as a registry would store them; the image is removed.
    fn weigh(&self, stored: &str) -> Result<Vec<Layer>> {
        let folder = self.repo.state.join("weighed");
        if folder.exists() {
            fs::remove_dir_all(&folder).context(".state/weighed")?;
        }
        self.buildah([
            "push",
            "--format",
            "oci",
            stored,
            &format!("oci:{}", folder.display()),
        ])
        .run(&self.log("weigh"))?;
        let layers = layers::read(&folder);
        fs::remove_dir_all(&folder).context(".state/weighed")?;
        self.buildah(["rmi", "--force", stored]).succeeds();
        layers
    }

    /// Copies the files of an image into a folder that is not there yet.
    fn copy_out(&self, stored: &str, to: &Path) -> Result<()> {
        let log = self.log("unpack");
        if to.exists() {
            fs::remove_dir_all(to).with_context(|| to.display().to_string())?;
        }
        fs::create_dir_all(to).with_context(|| to.display().to_string())?;
        let container = "opennebula-unpacked";
        self.buildah(["rm", container]).succeeds(); // of a run that was interrupted
        self.buildah(["from", "--pull-never", "--name", container, stored])
            .run(&log)?;
        let copied = self.buildah(["mount", container]).read().and_then(|mounted| {
            cmd("cp")
                .arg("--archive")
                .arg(format!("{mounted}/."))
                .arg(to)
                .run(&log)
        });
        self.buildah(["rm", container]).succeeds();
        copied
    }

    fn build_front_end(
        &self,
        base: &str,
        onepod: &Path,
        source: &Source,
        more: &[&str],
        stored: &str,
    ) -> Result<()> {
        let root = &self.repo.root;
        let Some(folder) = onepod.parent() else {
            bail!("{} lies in no folder", onepod.display())
        };
        let [repository, key, fingerprint] = source.arguments(serve::serve)?;
        // A folder with the one file, so that the number of the context does not hang on its neighbours.
        let context = self.repo.state.join("onepod");
        fs::create_dir_all(&context).context(".state/onepod")?;
        fs::copy(folder.join("onepod"), context.join("onepod")).context("onepod")?;
        self.buildah(["bud", "--tag", stored, "--secret", &self.apt_secret()?])
            .args(["--build-context", &format!("onepod={}", context.display())])
            .args(["--build-arg", &format!("BASE_IMAGE={base}")])
            .args(["--build-arg", &format!("ONE_VERSION={}", self.repo.release)])
            .args(["--build-arg", &repository, "--build-arg", &key])
            .args(["--build-arg", &fingerprint])
            .args(["--build-arg", &format!("SOURCE_DATE_EPOCH={EPOCH}")])
            .args(["--timestamp", EPOCH])
            .args(more)
            .arg("--ignorefile")
            .arg(root.join("image/Dockerfile.dockerignore"))
            .arg("--file")
            .arg(root.join("image/Dockerfile"))
            .arg(root)
            .run(&self.log("front-end"))
    }
}

/// Where the base's packages come from.
struct Sources {
    mirror: &'static str,
    list: String,
}

fn sources(distribution: &Distribution) -> Result<Sources> {
    let codename = &distribution.codename;
    let line = |address: &str, suite: &str, components: &str| {
        format!("deb {address} {codename}{suite} {components}\n")
    };
    let debian = "http://deb.debian.org/debian";
    let (mirror, list) = match (distribution.id.as_str(), std::env::consts::ARCH) {
        ("debian", _) => (
            debian,
            line(debian, "", "main")
                + &line(debian, "-updates", "main")
                + &line("http://deb.debian.org/debian-security", "-security", "main"),
        ),
        ("ubuntu", arch) => {
            let mirror = if arch == "x86_64" {
                "http://archive.ubuntu.com/ubuntu"
            } else {
                "http://ports.ubuntu.com/ubuntu-ports"
            };
            let security = if arch == "x86_64" {
                "http://security.ubuntu.com/ubuntu"
            } else {
                mirror
            };
            let both = "main universe";
            (
                mirror,
                line(mirror, "", both) + &line(mirror, "-updates", both) + &line(security, "-security", both),
            )
        }
        (other, _) => bail!("no base image is known for the distribution \"{other}\""),
    };
    Ok(Sources { mirror, list })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_has_its_distribution_s_security_updates() {
        let debian = Distribution {
            id: "debian".to_owned(),
            codename: "bookworm".to_owned(),
            ..Distribution::default()
        };
        let list = sources(&debian).unwrap().list;
        assert!(
            list.contains("deb http://deb.debian.org/debian-security bookworm-security main\n"),
            "{list}"
        );
        let fedora = Distribution {
            id: "fedora".to_owned(),
            ..Distribution::default()
        };
        assert!(sources(&fedora).is_err());
    }
}
