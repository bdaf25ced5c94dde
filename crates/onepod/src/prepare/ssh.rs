//! Stage ssh: oneadmin's key pair, `authorized_keys`, `known_hosts` and client configuration in `/var/lib/one/.ssh`, and
//! what OpenSSH's server needs to run without root.
//!
//! A given key (`SSH_PRIVATE_KEY`) is the one in use, a kept one comes next, and a new one is made only where there is
//! none. Keys of other kinds stay beside it: hypervisors may still trust them, and the SSH client tries them all. Nothing
//! is deleted, and lines in `authorized_keys` are only added. Settling again, after the Secret has changed, is the same
//! function.

use std::path::Path;

use super::files::{self, FileError};
use crate::paths::Paths;
use crate::settings::ssh_key::{self, SshKeyError};
use crate::settings::{Settings, SshKey};

mod client;
mod known_hosts;
mod server;

/// The files in which OpenSSH's client looks for a key by itself.
pub(crate) const KEY_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// Why the SSH files are not settled.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// A file could not be read, written or moved.
    #[error(transparent)]
    File(#[from] FileError),
    /// No key could be made.
    #[error("oneadmin's SSH key was {0}")]
    Key(#[from] SshKeyError),
}

/// Hears what the operator should know.
pub(crate) type Note<'a> = &'a dyn Fn(&str);

/// What settling has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// A private key was written: the agent does not have it yet.
    pub(crate) new_key: bool,
}

/// Settles the SSH files.
pub(crate) fn settle(settings: &Settings, paths: &Paths, note: Note<'_>) -> Result<Settled, SshError> {
    let directory = paths.ssh_dir();
    let mut settled = Settled { new_key: false };
    let mut keys = kept_keys(&directory, note)?;
    match settings.ssh_key() {
        Some(given) => {
            settled.new_key = install(given, &directory, &keys, note)?;
            keys.usable
                .retain(|kept| kept.file_name() != given.file_name() || kept.identity() == given.identity());
            keys.usable.push(given.clone());
        }
        None if !keys.has_files => {
            let made = SshKey::generate()?;
            settled.new_key = install(&made, &directory, &keys, note)?;
            tracing::info!(
                "ssh: made oneadmin's key {}",
                directory.join(made.file_name()).display()
            );
            keys.usable.push(made);
        }
        None => {}
    }
    for key in &keys.usable {
        public_half(key, &directory)?;
    }
    authorize(&keys.usable, &directory)?;
    client::recommendation(paths, note)?;
    client::own_host(settings, paths)?;
    let host_key = server::settle(paths, note)?;
    client::hosts(settings, paths, host_key.as_deref(), note)?;
    Ok(settled)
}

/// The private keys that are there.
struct Kept {
    /// Those that could be read.
    usable: Vec<SshKey>,
    /// Whether there is any file of a key, usable or not.
    has_files: bool,
}

fn kept_keys(directory: &Path, note: Note<'_>) -> Result<Kept, SshError> {
    let mut kept = Kept {
        usable: Vec::new(),
        has_files: false,
    };
    for name in KEY_FILES {
        let path = directory.join(name);
        let Some(text) = files::read_text(&path)? else {
            continue;
        };
        files::close(&path, 0o600)?;
        kept.has_files = true;
        match SshKey::parse(&text) {
            Ok(key) if key.file_name() == name => kept.usable.push(key),
            Ok(_) => note(&format!(
                "{} holds a key of another kind than its name says",
                path.display()
            )),
            // Older formats work with OpenSSH; only the public half cannot be derived here.
            Err(error) => note(&format!(
                "{} is {error}; it stays, and its public half is not added to authorized_keys",
                path.display()
            )),
        }
    }
    Ok(kept)
}

/// Puts a private key in its place; another one that is there is moved aside with its public half. True when it was not
/// there yet.
fn install(key: &SshKey, directory: &Path, kept: &Kept, note: Note<'_>) -> Result<bool, SshError> {
    if kept.usable.iter().any(|kept| kept.identity() == key.identity()) {
        return Ok(false);
    }
    let path = directory.join(key.file_name());
    let mut old = vec![key.file_name().to_owned(), format!("{}.pub", key.file_name())];
    old.retain(|name| directory.join(name).symlink_metadata().is_ok());
    if !old.is_empty() {
        let aside = files::set_aside(directory, &old)?;
        note(&format!(
            "SSH_PRIVATE_KEY is another key than {}, which was moved to {}: give the new public key {}.pub to the \
             hypervisors. The old one still logs in here: take its line out of {} once they have the new one, or at \
             once if it was stolen",
            path.display(),
            aside.display(),
            path.display(),
            directory.join("authorized_keys").display()
        ));
    }
    files::write(&path, key.pem().expose().as_bytes(), 0o600)?;
    Ok(true)
}

/// Writes the public half beside the private one, where it is missing or belongs to another key.
fn public_half(key: &SshKey, directory: &Path) -> Result<(), SshError> {
    let path = directory.join(format!("{}.pub", key.file_name()));
    let there = files::read_text(&path)?;
    if there.is_none_or(|line| ssh_key::identity(&line) != key.identity()) {
        files::write(&path, format!("{}\n", key.public()).as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Adds the keys to `authorized_keys`: hypervisors that share the key copy files from the front-end with it.
fn authorize(keys: &[SshKey], directory: &Path) -> Result<(), SshError> {
    let path = directory.join("authorized_keys");
    let mut text = files::read_text(&path)?.unwrap_or_default();
    let before = text.len();
    for key in keys {
        // The key stands after the options, if a line has some.
        if !text
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains(key.identity()))
        {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(key.public());
            text.push('\n');
        }
    }
    if text.len() > before {
        files::write(&path, text.as_bytes(), 0o600)?;
    } else if before > 0 {
        files::close(&path, 0o600)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
