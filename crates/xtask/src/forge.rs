//! What only a workflow needs: step outputs and summaries, an issue for a failed run, the body of a pull request. Everything else
//! that a workflow does is a verb that people call too. Knows GitHub's files and its program `gh`, and no token.

pub(crate) mod bump;
pub(crate) mod chart;
pub(crate) mod hand;
pub(crate) mod matrix;
pub(crate) mod tell;

use anyhow::{Context as _, Result};

/// A variable that every step of a workflow has.
fn given(name: &str) -> Result<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .with_context(|| format!("{name} is not set: this is called by a workflow, where the forge sets it"))
}
