//! What is published: the tags of a repository that the rules are about, with what they name now. Changes nothing.

use anyhow::Result;

use super::tags::Published;
use crate::registry::{Name, Repository};
use crate::versions::Version;

/// Asks for the tags and for what each of them names.
pub(crate) fn published(repository: &Repository) -> Result<Published> {
    let mut published = Published::default();
    for tag in repository.tags()?.iter().filter(|tag| Published::is_about(tag)) {
        // One that is gone since the list was made is none.
        if let Some(digest) = repository.digest(tag)? {
            published.add(tag, digest);
        }
    }
    Ok(published)
}

/// The newest image of a release by its digest, NAME@DIGEST; none where the release is not published.
pub(crate) fn newest(name: &Name, release: Version, published: &Published) -> Option<String> {
    let build = published.newest(release)?;
    let digest = published.builds.get(&build)?;
    Some(format!("{name}@{}", digest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Digest;

    #[test]
    fn the_last_rebuild_is_the_newest_and_latest_is_no_release() {
        let name: Name = "docker.io/a/b".parse().unwrap();
        let digest = |text: &str| Digest::of(text.as_bytes());
        let mut published = Published::default();
        for (tag, content) in [
            ("7.0.0", "a"),
            ("7.0.0-r10", "c"),
            ("7.0.0-r9", "b"),
            ("7.0.1", "d"),
            ("latest", "e"),
        ] {
            published.add(tag, digest(content));
        }
        assert_eq!(
            newest(&name, "7.0.0".parse().unwrap(), &published),
            Some(format!("docker.io/a/b@{}", digest("c").as_str()))
        );
        assert_eq!(newest(&name, "7.2.0".parse().unwrap(), &published), None);
    }
}
