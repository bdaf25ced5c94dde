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

/// The same as a user who is not in the image; programs that ask for its name must get one.
pub(super) fn as_somebody(context: &Context, stand: &mut Stand) -> Result<Seen> {
    life(stand, context.release, |container| {
        let (_, number) = container.exec(&["id", "-u"])?;
        let said = container.exec_with(&[], &["id", "-un"])?;
        let name = said.out.trim();
        ensure!(
            said.code == 0 && is_name(name),
            "user {} has no name: {}",
            number.trim(),
            said.err.trim()
        );
        Ok(format!(", user {} is called {name}", number.trim()))
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
    container.stop()?;
    drop(container);
    let secrets = stand.secrecy()?;
    Ok(Seen::from(format!(
        "ready with sqlite: {}; login by API and FireEdge{more}; started again: same login, same data; {secrets} secrets \
         in nothing that was written; exit 0",
        services.join(", ")
    )))
}

/// `id` prints the number where there is no name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_no_name() {
        assert!(is_name("oneadmin"));
        assert!(!is_name("1000650000"));
        assert!(!is_name(""));
    }
}
