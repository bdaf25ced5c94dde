//! `release candidate`: one index of the images that were pushed by digest, under a tag to try it by. Prints its digest.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::progress;
use crate::registry::{Digest, Repository};
use crate::release::candidate;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::verbs::release::image;
use crate::versions::{Architecture, Version, Versions};

#[derive(Debug, Args)]
pub(crate) struct Candidate {
    /// The image's name without a tag; without it the chart's
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// The release that is in the images
    #[arg(long, value_name = "X.Y.Z")]
    release: Version,
    /// The digest of the image of an architecture, such as amd64=sha256:…; once for each
    #[arg(long = "digest", value_name = "ARCHITECTURE=DIGEST", required = true, value_parser = pair)]
    digests: Vec<(Architecture, Digest)>,
    /// The tag, which begins with candidate-
    #[arg(long)]
    tag: String,
}

impl Candidate {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let name = image(repo, self.image.as_deref())?;
        let versions = Versions::read(&repo.versions())?;
        let mut images = BTreeMap::new();
        for (architecture, digest) in self.digests {
            if images.insert(architecture, digest).is_some() {
                bail!("--digest {architecture}= is there twice");
            }
        }
        let revision = cmd("git").args(["rev-parse", "HEAD"]).dir(&repo.root).read()?;
        let wanted = crate::release::Candidate {
            release: self.release,
            images,
            tag: self.tag,
            revision,
        };
        let made = candidate(&Repository::open(&name)?, &wanted, &versions)
            .with_context(|| format!("{name} gets no candidate"))?;
        progress::aside(&made.table);
        progress::say(made.digest.as_str());
        Ok(ExitCode::SUCCESS)
    }
}

fn pair(text: &str) -> Result<(Architecture, Digest)> {
    let Some((architecture, digest)) = text.split_once('=') else {
        bail!("\"{text}\" is no ARCHITECTURE=DIGEST, such as amd64=sha256:…");
    };
    Ok((architecture.parse()?, digest.parse()?))
}
