//! What only a workflow needs: handing what a verb says to the next step, telling people of a failed run, keeping the
//! schedule alive, the body of a pull request. Everything else that a workflow does is a verb that people call too.
//!
//! One file a job, in `forge/`; what decides is pure and beside its tests. Knows GitHub's files and its program `gh`, and no token.

pub(crate) mod bump;
pub(crate) mod chart;
pub(crate) mod hand;
pub(crate) mod matrix;
pub(crate) mod offered;
pub(crate) mod schedule;
pub(crate) mod tell;

use anyhow::{Context as _, Result};

/// A variable that every step of a workflow has.
fn given(name: &str) -> Result<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .with_context(|| format!("{name} is not set: this is called by a workflow, where the forge sets it"))
}
