//! One fault, inside its namespaces: everything is made, the fault is tried, secrets are looked for. The last line of the
//! output is `seen: …` or `failed: …`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use faults::apart::{FAILED, SEEN, one_line};
use faults::front_end::{Image, OpenNebula};
use faults::world::World;
use faults::{namespaces, wait};

use crate::fault;
use crate::progress::say;
use crate::settings::Settings;

/// Whether it ended as it must; an error says that it could not begin.
pub(crate) fn run(name: &str, settings: &Settings) -> Result<bool> {
    let fault = fault::ALL
        .iter()
        .find(|fault| fault.name == name)
        .with_context(|| format!("there is no fault {name}"))?;
    let dir = settings.work.join(name);
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    if !settings.keep {
        // Gone with the mount namespace.
        namespaces::memory(&dir, "size=2g,mode=755")?;
    }
    namespaces::loopback()?;
    wait::widen_limits(OpenNebula::of(&settings.rootfs).limit_factor());
    let image = Image::mount(&settings.rootfs, &dir.join("image"))?;
    image.scale_time(&settings.time_scale)?;
    for replacement in &settings.replace {
        let (place, file) = replacement
            .split_once('=')
            .with_context(|| format!("--replace {replacement}: PLACE=FILE is wanted"))?;
        image.replace(place, Path::new(file))?;
    }
    let mut world = World::new(&dir, image, &settings.work.join("mariadb"))?;
    let seen = (fault.run)(&mut world);
    let seen = seen.and_then(|seen| world.secrecy().map(|()| seen));
    match &seen {
        Ok(seen) => {
            say(&format!("{} secrets looked for", world.secrets()));
            say(&format!("{SEEN}{}", one_line(&world.needles.redact(seen))));
        }
        Err(error) => {
            world.learn();
            say(&world.diagnosis());
            let text = world.needles.redact(&format!("{error:#}"));
            say(&format!("{FAILED}{}", one_line(&text)));
        }
    }
    Ok(seen.is_ok())
}
