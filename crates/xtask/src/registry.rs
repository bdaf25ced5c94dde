//! An image registry's API, as far as releases need it (the OCI distribution specification): tags, manifests as the
//! bytes that they are, and whether blobs are there. Written against ureq and not a client crate, because those hide
//! `Retry-After`, and because a manifest must be put back byte for byte.
//!
//! Nothing is deleted, and it is not decided here which tag may be set: that is `release`'s affair.

mod challenge;
mod contents;
mod credentials;
#[cfg(test)]
pub(crate) mod fake;
mod reference;
mod transport;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

pub(crate) use contents::{ANNOTATION_REVISION, ANNOTATION_VERSION, Contents, Kind, OCI_INDEX, read};
pub(crate) use credentials::Credentials;
pub(crate) use reference::{Digest, Name};
pub(crate) use transport::Patience;

use challenge::encoded;
use transport::{Again, Answer, Local, Question, Transport};

/// The forms of manifests and indexes that are understood.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";
const BYTES: &str = "application/octet-stream";
/// More pages than a list of tags has.
const PAGES: usize = 1000;

/// A repository in a registry.
#[derive(Debug)]
pub(crate) struct Repository {
    name: Name,
    transport: Transport,
}

/// A manifest or index, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

impl Repository {
    /// With the credentials of whoever runs this.
    pub(crate) fn open(name: &Name) -> Result<Self> {
        let credentials = Credentials::find(name)?;
        Ok(Self::with(name, credentials, Patience::default()))
    }

    pub(crate) fn with(name: &Name, credentials: Option<Credentials>, patience: Patience) -> Self {
        let local = if name.is_local() { Local::Yes } else { Local::No };
        Self {
            name: name.clone(),
            transport: Transport::new(&name.registry, local, credentials, patience),
        }
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// All tags; none for a repository that is not there yet.
    pub(crate) fn tags(&self) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct List {
            tags: Option<Vec<String>>,
        }
        let what = format!("the tags of {}", self.name);
        let mut tags = BTreeSet::new();
        let mut address = self.address("tags/list");
        for _ in 0..PAGES {
            let answer = self.get(&address, "application/json", &what)?;
            if !answer.found {
                return Ok(tags);
            }
            let list: List = serde_json::from_slice(&answer.body)
                .map_err(|error| anyhow!("{what}: the answer is no list of tags ({error})"))?;
            tags.extend(list.tags.unwrap_or_default());
            let Some(next) = answer.header("Link").and_then(next_page) else {
                return Ok(tags);
            };
            address = self.resolve(next).with_context(|| what.clone())?;
        }
        bail!("{what}: the list has no end")
    }

    /// What a tag or digest names now; none when it names nothing.
    pub(crate) fn digest(&self, reference: &str) -> Result<Option<Digest>> {
        let what = self.shown(reference);
        let answer = self.transport.ask(
            &Question {
                method: "HEAD",
                address: self.address(&format!("manifests/{reference}")),
                media: MANIFESTS,
                body: None,
                again: Again::Safe,
            },
            &what,
        )?;
        match (answer.found, answer.header("Docker-Content-Digest")) {
            (false, _) => Ok(None),
            (true, Some(digest)) => digest.parse().map(Some).context(what),
            // The header is not obligatory: then the bytes tell.
            (true, None) => Ok(self.manifest(reference)?.map(|manifest| manifest.digest)),
        }
    }

    /// The manifest or index that a tag or digest names; none when it names nothing. The bytes are those of the digest.
    pub(crate) fn manifest(&self, reference: &str) -> Result<Option<Manifest>> {
        let what = self.shown(reference);
        let answer = self.get(&self.address(&format!("manifests/{reference}")), MANIFESTS, &what)?;
        if !answer.found {
            return Ok(None);
        }
        let digest = Digest::of(&answer.body);
        let claimed = answer.header("Docker-Content-Digest").unwrap_or(digest.as_str());
        if claimed != digest.as_str() || (reference.contains(':') && reference != digest.as_str()) {
            bail!(
                "{what}: the registry sends other bytes than those of the digest ({digest}); do not use them"
            );
        }
        let media_type = answer.header("Content-Type").unwrap_or_default();
        Ok(Some(Manifest {
            media_type: media_type.split(';').next().unwrap_or_default().trim().to_owned(),
            bytes: answer.body,
            digest,
        }))
    }

    /// A small blob, such as an image's configuration; none when it is not there.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let what = self.shown(digest.as_str());
        let answer = self.get(&self.address(&format!("blobs/{digest}")), BYTES, &what)?;
        if !answer.found {
            return Ok(None);
        }
        if Digest::of(&answer.body) != *digest {
            bail!("{what}: the registry sends other bytes than those of the digest; do not use them");
        }
        Ok(Some(answer.body))
    }

    pub(crate) fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let question = Question {
            method: "HEAD",
            address: self.address(&format!("blobs/{digest}")),
            media: BYTES,
            body: None,
            again: Again::Safe,
        };
        Ok(self.transport.ask(&question, &self.shown(digest.as_str()))?.found)
    }

    /// Makes a tag (or the digest itself) name a manifest, and looks whether it does.
    ///
    /// The same bytes under the same tag may be sent any number of times: this is tried again like reading.
    pub(crate) fn put_manifest(&self, reference: &str, manifest: &Manifest) -> Result<()> {
        let what = self.shown(reference);
        let answer = self.transport.ask(
            &Question {
                method: "PUT",
                address: self.address(&format!("manifests/{reference}")),
                media: &manifest.media_type,
                body: Some(&manifest.bytes),
                again: Again::Safe,
            },
            &what,
        )?;
        if !answer.found {
            bail!("{what}: there is no such repository (404): make it first, or name another with --image");
        }
        match self.digest(reference)? {
            Some(digest) if digest == manifest.digest => Ok(()),
            Some(digest) => bail!(
                "{what} was set to {} and names {digest}: somebody else sets tags",
                manifest.digest
            ),
            None => bail!(
                "{what} was set to {} and is not there: run it again",
                manifest.digest
            ),
        }
    }

    /// Uploads a blob, unless it is there.
    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if self.has_blob(&digest)? {
            return Ok(digest);
        }
        let what = self.shown(digest.as_str());
        let upload = |method, address, body| {
            let question = Question {
                method,
                address,
                media: BYTES,
                body: Some(body),
                again: Again::Never,
            };
            self.transport.ask(&question, &what)
        };
        let place = upload("POST", self.address("blobs/uploads/"), &[])?;
        let place = place
            .header("Location")
            .with_context(|| format!("{what}: the registry names no place to upload to"))?;
        let mut address = self.resolve(place)?;
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str("digest=");
        address.push_str(&encoded(digest.as_str()));
        upload("PUT", address, bytes)?;
        Ok(digest)
    }

    fn get(&self, address: &str, media: &str, what: &str) -> Result<Answer> {
        let question = Question {
            method: "GET",
            address: address.to_owned(),
            media,
            body: None,
            again: Again::Safe,
        };
        self.transport.ask(&question, what)
    }

    fn address(&self, rest: &str) -> String {
        format!("{}{}/{rest}", self.name.api(), self.name.path)
    }

    /// A place that the registry names, which must be the registry's own.
    fn resolve(&self, place: &str) -> Result<String> {
        let api = self.name.api();
        let host = api.trim_end_matches("/v2/");
        if place.starts_with('/') {
            return Ok(format!("{host}{place}"));
        }
        if place.starts_with(&format!("{host}/")) {
            return Ok(place.to_owned());
        }
        bail!("{} leads to another server, {place}", self.name.registry)
    }

    /// A tag or digest, for messages.
    fn shown(&self, reference: &str) -> String {
        let between = if reference.contains(':') { '@' } else { ':' };
        format!("{}{between}{reference}", self.name)
    }
}

/// The address in `Link: <…>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let (address, relation) = link.trim().strip_prefix('<')?.split_once('>')?;
    relation.contains("next").then_some(address)
}

#[cfg(test)]
mod tests;
