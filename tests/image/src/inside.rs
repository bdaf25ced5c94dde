//! One check of a running container, inside its namespaces. The last line of the output is `seen: …` or `failed: …`.

use std::fs;

use anyhow::{Context as _, Result};
use faults::apart::{FAILED, SEEN, one_line};
use faults::namespaces;

use crate::check::{self, Run};
use crate::context::Context;
use crate::progress::say;
use crate::settings::Settings;
use crate::stand::Stand;
use crate::suite;

/// Whether it passed; an error says that it could not begin.
pub(crate) fn run(name: &str, settings: &Settings) -> Result<bool> {
    let wanted = check::ALL
        .iter()
        .find(|check| check.name == name)
        .map(|check| &check.run);
    let Some(Run::Started(identity, run)) = wanted else {
        anyhow::bail!("there is no check {name} that starts anything");
    };
    let context = Context::new(settings)?;
    let dir = settings.work.join(name);
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    // Gone with the mount namespace.
    namespaces::memory(&dir, "size=3g,mode=755")?;
    namespaces::loopback()?;
    let mut stand = Stand::new(&dir, &context, *identity)?;
    let seen = run(&context, &mut stand);
    match &seen {
        Ok(seen) => {
            if !seen.gathered.is_empty() {
                let file = suite::gathered(settings, name);
                fs::write(&file, stand.needles.redact(&seen.gathered))
                    .with_context(|| file.display().to_string())?;
            }
            say(&format!("{SEEN}{}", one_line(&stand.needles.redact(&seen.text))));
        }
        Err(error) => {
            say(&stand.diagnosis());
            let text = stand.needles.redact(&format!("{error:#}"));
            say(&format!("{FAILED}{}", one_line(&text)));
        }
    }
    Ok(seen.is_ok())
}
