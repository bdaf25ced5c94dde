//! `release promote`: gives an image that was found good the tags of its release.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::progress;
use crate::registry::{Digest, Repository};
use crate::release::{How, promote};
use crate::repo::Repo;
use crate::verbs::release::image;
use crate::versions::{Version, Versions};

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The image's name without a tag; without it the chart's
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// The digest of the index that was tried and found good
    #[arg(long, value_name = "sha256:…")]
    digest: Digest,
    /// The release that is in it
    #[arg(long, value_name = "X.Y.Z")]
    release: Version,
    /// Looks at everything and sets nothing
    #[arg(long)]
    dry_run: bool,
}

impl Promote {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let name = image(repo, self.image.as_deref())?;
        let versions = Versions::read(&repo.versions())?;
        let how = if self.dry_run { How::Rehearse } else { How::Set };
        let repository = Repository::open(&name)?;
        let promotion = promote(&repository, &self.digest, self.release, &versions, how)
            .with_context(|| format!("{name}@{} is not promoted", self.digest))?;
        progress::say(&promotion.table());
        Ok(ExitCode::SUCCESS)
    }
}
