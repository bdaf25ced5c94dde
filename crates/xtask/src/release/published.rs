//! What is published: the tags of a repository that the rules are about, with what they name now. Changes nothing.

use anyhow::Result;

use super::tags::Published;
use crate::registry::Repository;

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
