//! What OpenSSH's client goes by: the packages' recommendation in `~/.ssh/config`, the way to the front-end's own
//! server, and the hosts that it knows.

use super::{Note, SshError, known_hosts, server};
use crate::paths::Paths;
use crate::prepare::files;
use crate::settings::Settings;

/// Brings the client configuration that the packages recommend, as the remotes' `etc` is brought: it follows the release
/// until the user changes it.
pub(super) fn recommendation(paths: &Paths, note: Note<'_>) -> Result<(), SshError> {
    let (path, base) = (paths.ssh_dir().join("config"), paths.ssh_config_base());
    let Some(recommended) = files::read(&paths.vendor_ssh_config())? else {
        return Ok(());
    };
    let (found, before) = (files::read(&path)?, files::read(&base)?);
    if found.is_none() || (found != Some(recommended.clone()) && found == before) {
        files::write(&path, &recommended, 0o600)?;
    } else {
        files::close(&path, 0o600)?;
        if found.as_ref() != Some(&recommended) && before.is_some_and(|before| before != recommended) {
            note(&format!(
                "{} stays as you changed it, although this release changed it too; compare with {}",
                path.display(),
                paths.vendor_ssh_config().display()
            ));
        }
    }
    if files::read(&base)?.as_ref() != Some(&recommended) {
        files::write(&base, &recommended, 0o600)?;
    }
    Ok(())
}

/// Leads the client to the front-end's own server when a driver names the front-end as the source of a copy. The image's
/// `/etc/ssh/ssh_config.d` includes this file.
pub(super) fn own_host(settings: &Settings, paths: &Paths) -> Result<(), SshError> {
    let name = settings.hostname();
    let text = format!(
        "# Written by onepod at each start; read after ~/.ssh/config.\n\
         Host {name}\n\
         \x20 HostName 127.0.0.1\n\
         \x20 Port {}\n\
         \x20 HostKeyAlias {name}\n\
         Host *\n\
         # Names in clear can be compared with the pinned ones.\n\
         \x20 HashKnownHosts no\n",
        server::PORT
    );
    Ok(files::write(&paths.ssh_client_config(), text.as_bytes(), 0o644)?)
}

/// Pins the host keys of the settings and the front-end's own, and keeps what was learned.
pub(super) fn hosts(
    settings: &Settings,
    paths: &Paths,
    own_key: Option<&str>,
    note: Note<'_>,
) -> Result<(), SshError> {
    let path = paths.ssh_dir().join("known_hosts");
    let file = files::read_text(&path)?;
    let own = own_key.map(|key| format!("{} {key}\n", settings.hostname()));
    let pinned = own.unwrap_or_default() + settings.known_hosts().unwrap_or_default();
    let merged = known_hosts::merge(file.as_deref().unwrap_or_default(), &pinned);
    if !merged.displaced.is_empty() {
        let aside = paths.replaced().join(files::stamp()).join("ssh");
        files::directory(&aside, 0o700)?;
        files::write(
            &aside.join("known_hosts"),
            file.as_deref().unwrap_or_default().as_bytes(),
            0o600,
        )?;
        let hosts: Vec<_> = merged
            .displaced
            .iter()
            .filter_map(|line| line.split_ascii_whitespace().next())
            .collect();
        note(&format!(
            "{}: other keys than the pinned ones were known for {}; the file as it was is {}",
            path.display(),
            hosts.join(", "),
            aside.join("known_hosts").display()
        ));
    }
    if file.as_deref() != Some(merged.text.as_str()) {
        files::write(&path, merged.text.as_bytes(), 0o600)?;
    }
    Ok(())
}
