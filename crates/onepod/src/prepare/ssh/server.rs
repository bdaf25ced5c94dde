//! What OpenSSH's server needs to run without root: its host key, which stays on the volume, and its configuration.
//!
//! It is there for one thing: OpenNebula's drivers log in to the front-end, from hypervisors and from the front-end
//! itself, to copy images with scp, rsync or tar. For a copy that goes on to a third machine they forward the agent
//! (`ssh_forward` in `remotes/scripts_common.sh`, 7.0.2). Nothing else is allowed.

use std::path::Path;

use super::{Note, SshError};
use crate::identity;
use crate::paths::Paths;
use crate::prepare::files;
use crate::settings::SshKey;

/// Where the server listens; ports below 1024 need root.
pub(super) const PORT: u16 = 2222;

/// Settles the server's files and gives the public half of its host key, when it can be told.
pub(super) fn settle(paths: &Paths, note: Note<'_>) -> Result<Option<String>, SshError> {
    let key = paths.ssh_host_key();
    let public = host_key(&key, note)?;
    let user = identity::user(paths)?;
    if user.is_none() {
        note(&format!(
            "uid {} has no entry in {}: OpenSSH serves and knows no such user, so that nothing can be copied to or \
             from hypervisors",
            rustix::process::geteuid().as_raw(),
            paths.passwd().display()
        ));
    }
    let text = configuration(&key, &paths.ssh_dir().join("authorized_keys"), user.as_deref());
    files::write(&paths.sshd_config(), text.as_bytes(), 0o644)?;
    Ok(public)
}

/// The host key: hypervisors remember it, so it is made once.
fn host_key(path: &Path, note: Note<'_>) -> Result<Option<String>, SshError> {
    let key = if let Some(text) = files::read_text(path)? {
        match SshKey::parse(&text) {
            Ok(key) => key,
            Err(error) => {
                note(&format!("the host key {} is {error}; it stays", path.display()));
                return Ok(None);
            }
        }
    } else {
        let key = SshKey::generate()?;
        files::write(path, key.pem().expose().as_bytes(), 0o600)?;
        tracing::info!("ssh: made the front-end's host key {}", path.display());
        key
    };
    files::close(path, 0o600)?;
    let public = path.with_added_extension("pub");
    if files::read_text(&public)?.is_none_or(|line| line.trim() != key.identity()) {
        files::write(&public, format!("{}\n", key.identity()).as_bytes(), 0o644)?;
    }
    Ok(Some(key.identity().to_owned()))
}

/// The whole configuration; every keyword is explained in `sshd_config(5)`.
fn configuration(host_key: &Path, authorized_keys: &Path, user: Option<&str>) -> String {
    let allowed = user
        .map(|user| format!("AllowUsers {user}\n"))
        .unwrap_or_default();
    format!(
        "# Written by onepod at each start.\n\
         Port {PORT}\n\
         HostKey {}\n\
         PidFile none\n\
         UsePAM no\n\
         \n\
         {allowed}\
         AuthenticationMethods publickey\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         AuthorizedKeysFile {}\n\
         # The root of a volume belongs to root and is open to the pod's group; nobody else lives in this container.\n\
         StrictModes no\n\
         \n\
         Subsystem sftp internal-sftp\n\
         # Copies that go on to a third machine use the agent of who started them.\n\
         AllowAgentForwarding yes\n\
         AllowTcpForwarding no\n\
         AllowStreamLocalForwarding no\n\
         GatewayPorts no\n\
         X11Forwarding no\n\
         PermitTunnel no\n\
         PermitTTY no\n\
         PermitUserRC no\n\
         PermitUserEnvironment no\n\
         PrintMotd no\n\
         \n\
         # Drivers start many copies at once, and share connections.\n\
         MaxStartups 100:30:300\n\
         MaxSessions 100\n\
         # A hypervisor that has gone leaves no session behind.\n\
         ClientAliveInterval 60\n",
        quoted(host_key),
        quoted(authorized_keys)
    )
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
