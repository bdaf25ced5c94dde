//! A first start with nothing set, a login, and a second start on the same volume.

use anyhow::{Result, ensure};
use faults::front_end::Container;
use faults::world::Kept;

use super::Seen;
use crate::context::Context;
use crate::release::Release;
use crate::stand::{self, Stand};

pub(super) fn run(context: &Context, stand: &mut Stand) -> Result<Seen> {
    life(stand, context.release, |_| Ok(String::new()))
}

/// What the services of a front-end that runs as another user have in their environment.
const WRAPPED: [(&str, &str); 3] = [
    ("LD_PRELOAD", "libnss_wrapper.so"),
    ("NSS_WRAPPER_PASSWD", "/run/onepod/passwd"),
    ("NSS_WRAPPER_GROUP", "/run/onepod/group"),
];

/// The same as a user who is not in the image: its programs take it for oneadmin, and OpenSSH works both ways.
pub(super) fn as_somebody(context: &Context, stand: &mut Stand) -> Result<Seen> {
    let host = format!("oneadmin@{}", stand.pod.hostname);
    life(stand, context.release, |container| {
        let (_, number) = container.exec(&["id", "-u"])?;
        let said = container.exec_with(&WRAPPED, &["id", "-un"])?;
        ensure!(
            said.code == 0 && said.out.trim() == "oneadmin",
            "user {} is called {:?}: {}",
            number.trim(),
            said.out.trim(),
            said.err.trim()
        );
        let said = container.exec_with(&WRAPPED, &["ssh", "-o", "BatchMode=yes", &host, "id", "-u"])?;
        ensure!(
            said.code == 0 && said.out.trim() == number.trim(),
            "a login by ssh as {host}: {} {}",
            said.out.trim(),
            said.err.trim()
        );
        Ok(format!(", user {} is oneadmin, also by ssh", number.trim()))
    })
}

fn life(stand: &mut Stand, release: Release, look: impl Fn(&Container) -> Result<String>) -> Result<Seen> {
    let mut container = stand.start()?;
    let login = stand.login(&container)?;
    login.works()?;
    let services = stand::services(&mut container, release)?;
    ensure!(
        stand.pod.volume().join("one.db").is_file(),
        "there is no sqlite database on the volume"
    );
    let more = look(&container)?;
    let kept = Kept::make(&login.session())?;
    container.stop()?;
    drop(container);
    // The log files of this start are gone with the next one's emptyDirs.
    stand.secrecy()?;

    stand.pod.empty()?;
    let mut container = stand.start()?;
    let again = stand.login(&container)?;
    ensure!(login == again, "the second start prints another login");
    again.works()?;
    kept.found(&again.session())?;
    stand::services(&mut container, release)?;
    // Nobody changed anything between the starts but the services themselves.
    let said = container.written();
    ensure!(
        !said.contains("were moved to"),
        "the second start moves files aside: {said}"
    );
    container.stop()?;
    drop(container);
    let secrets = stand.secrecy()?;
    Ok(Seen::from(format!(
        "ready with sqlite: {}; login by API and FireEdge{more}; started again: same login, same data; {secrets} secrets \
         in nothing that was written; exit 0",
        services.join(", ")
    )))
}
