//! The image's health check as a runtime calls it, on a front-end that becomes ready and then loses oned.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use faults::front_end::Container;
use faults::wait::{Look, until};
use rustix::process::Signal;

use super::Seen;
use crate::context::Context;
use crate::stand::Stand;

/// A first start takes this long at most.
const READY: Duration = Duration::from_mins(4);
/// A change is noticed by then.
const NOTICED: Duration = Duration::from_mins(2);

pub(super) fn run(context: &Context, stand: &mut Stand) -> Result<Seen> {
    let command = context.config.healthcheck();
    ensure!(!command.is_empty(), "the image has no health check");
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut container = stand.begin()?;
    // Until then runc has an exit code of its own for what cannot be called.
    until("a program in the container", NOTICED, || {
        Ok(match container.exec(&["true"])? {
            (0, _) => Look::Seen(()),
            (_, said) => Look::NotYet(said),
        })
    })?;
    let mut before = BTreeSet::new();
    code_is(
        0,
        "a front-end that starts",
        READY,
        &mut container,
        &words,
        |code| {
            before.insert(code);
        },
    )?;
    before.remove(&0);
    ensure!(
        before.is_empty() || before == BTreeSet::from([1]),
        "before it is ready: exit codes {before:?}"
    );
    let oned = container.service("oned")?;
    container.signal_service(&oned, Signal::STOP)?;
    code_is(
        1,
        "oned that stands still",
        NOTICED,
        &mut container,
        &words,
        |_| {},
    )?;
    // It may have been replaced meanwhile.
    let _ = container.signal_service(&oned, Signal::CONT);
    code_is(0, "oned that goes on", NOTICED, &mut container, &words, |_| {})?;
    container.stop()?;
    let start = if before.is_empty() {
        "ready at the first look: 0"
    } else {
        "starting: 1; ready: 0"
    };
    Ok(Seen::from(format!(
        "\"{}\": {start}; oned stopped: 1; oned goes on: 0",
        command.join(" ")
    )))
}

/// Calls the health check again and again until it exits with the code; `each` hears every code.
fn code_is(
    wanted: i32,
    what: &str,
    limit: Duration,
    container: &mut Container,
    words: &[&str],
    mut each: impl FnMut(i32),
) -> Result<()> {
    until(&format!("exit code {wanted} for {what}"), limit, || {
        if let Some(code) = container.ended()? {
            bail!("the container ended with {code}");
        }
        let (code, said) = container.exec(words).context("the health check")?;
        each(code);
        Ok(if code == wanted {
            Look::Seen(())
        } else {
            Look::NotYet(format!("{code}: {said}"))
        })
    })
}
