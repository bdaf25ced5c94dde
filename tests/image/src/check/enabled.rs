//! What somebody sees who enables `OneKS` before TPROXY is configured.

use std::time::Duration;

use anyhow::{Result, ensure};
use faults::wait::{Look, until};

use super::Seen;
use crate::context::Context;
use crate::release::Release;
use crate::stand::Stand;

/// Two failed starts and the waits before and after them.
const FAILED_TWICE: Duration = Duration::from_mins(1);

pub(super) fn run(context: &Context, stand: &mut Stand) -> Result<Seen> {
    let enabled = ("ONEPOD_ENABLE".to_owned(), "oneks".to_owned());
    stand.pod.environment.extend([enabled]);
    let mut container = stand.start()?;
    if context.release < Release::KS {
        let state = container.service("oneks")?.state;
        ensure!(state == "absent", "before 7.4 oneks is {state}");
        container.stop()?;
        return Ok(Seen::from(format!(
            "{} has no OneKS: absent, also when enabled",
            context.release
        )));
    }
    let restarts = until("oneks in backoff again", FAILED_TWICE, || {
        let now = container.service("oneks")?;
        Ok(if now.state == "backoff" && now.restarts > 0 {
            Look::Seen(now.restarts)
        } else {
            Look::NotYet(format!("{}, {} restarts", now.state, now.restarts))
        })
    })?;
    container.ready()?;
    let status = container.exec_with(&[], &["onepod", "status"])?.out;
    let log = container.written();
    for (place, text) in [("onepod status", &status), ("the log", &log)] {
        for word in ["Server initialization failed", "TPROXY", "OpenNebulaNetwork.conf"] {
            ensure!(text.contains(word), "{place} does not say \"{word}\": {text}");
        }
    }
    container.stop()?;
    Ok(Seen::from(format!(
        "ready; oneks: backoff after {} failed starts; log and `onepod status` name TPROXY and its file; exit 0",
        restarts + 1
    )))
}
