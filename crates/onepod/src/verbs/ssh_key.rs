//! `onepod ssh-key`: the front-end's public keys, for the `authorized_keys` of hypervisors. They are those that the ssh client
//! offers, whatever their kind, and the one that was given before a start has put it in its place.
//!
//! Nothing is written, and no private key is printed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{complain, say};
use crate::paths::Paths;
use crate::prepare::files;
use crate::prepare::ssh::KEY_FILES;
use crate::settings::{SshKey, ssh_key};

/// Arguments of `onepod ssh-key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every line is one key; hypervisors need all of them, or only that of the kind that they accept.

Exit codes:
   0  at least one key is printed
   1  there is none yet, or none can be read: the reasons are on standard error

Examples:
  onepod ssh-key
  kubectl --namespace opennebula exec opennebula-0 -- onepod ssh-key | ssh root@kvm-1 'tee -a /var/lib/one/.ssh/authorized_keys'")]
pub struct Args {
    /// File of the key that was given to the front-end
    #[arg(long, value_name = "PATH", env = "SSH_PRIVATE_KEY_FILE", hide = true)]
    given: Option<PathBuf>,
    /// Directory under which the keys lie; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    root: PathBuf,
}

/// Prints the keys.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let found = find(&Paths::new(&args.root), args.given.as_deref());
    for reason in &found.unusable {
        complain(reason);
    }
    for key in &found.public {
        say(&format!("{key}\n"));
    }
    if found.public.is_empty() {
        if found.unusable.is_empty() {
            complain(
                "there is no key yet: the start makes it in its stage ssh, and `onepod status` says how far the start has come",
            );
        }
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What there is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Lines for `authorized_keys`.
    public: Vec<String>,
    /// Why a private key has no line.
    unusable: Vec<String>,
}

impl Found {
    fn add(&mut self, line: &str) {
        let known = |other: &String| ssh_key::identity(other) == ssh_key::identity(line);
        if !self.public.iter().any(known) {
            self.public.push(line.trim().to_owned());
        }
    }
}

fn find(paths: &Paths, given: Option<&Path>) -> Found {
    let mut found = Found::default();
    if let Some(path) = given {
        add_file(path, &mut found);
    }
    for name in KEY_FILES {
        add_file(&paths.ssh_dir().join(name), &mut found);
    }
    found
}

/// The public half of one private key: derived, or as it lies beside a key in a format that only OpenSSH reads.
fn add_file(path: &Path, found: &mut Found) {
    let text = match files::read_text(path) {
        Ok(Some(text)) => text,
        Ok(None) => return,
        Err(error) => return found.unusable.push(error.to_string()),
    };
    let error = match SshKey::parse(&text) {
        Ok(key) => return found.add(key.public()),
        Err(error) => error,
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    match files::read_text(Path::new(&beside)) {
        Ok(Some(line)) if !line.trim().is_empty() => found.add(&line),
        _ => found.unusable.push(format!(
            "{0} is {error}, and there is no {0}.pub: `ssh-keygen -y -f {0}` may print its public half",
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn front_end() -> (TempDir, Paths) {
        let folder = TempDir::new().unwrap();
        let paths = Paths::new(folder.path());
        fs::create_dir_all(paths.ssh_dir()).unwrap();
        (folder, paths)
    }

    #[test]
    fn every_key_is_printed_once_whatever_its_kind() {
        let (_folder, paths) = front_end();
        assert_eq!(find(&paths, None), Found::default());
        let key = SshKey::generate().unwrap();
        let given = paths.root().join("given");
        fs::write(&given, key.pem().expose()).unwrap();
        assert_eq!(find(&paths, Some(&given)).public, [key.public()]);
        fs::write(paths.ssh_dir().join("id_ed25519"), key.pem().expose()).unwrap();
        // As older releases of OpenSSH wrote it, with its public half beside it.
        fs::write(
            paths.ssh_dir().join("id_rsa"),
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n",
        )
        .unwrap();
        fs::write(
            paths.ssh_dir().join("id_rsa.pub"),
            "ssh-rsa AAAAB3Nza oneadmin@old\n",
        )
        .unwrap();
        let found = find(&paths, Some(&given));
        assert_eq!(found.public, [key.public(), "ssh-rsa AAAAB3Nza oneadmin@old"]);
        assert!(found.unusable.is_empty(), "{found:?}");
    }

    #[test]
    fn a_key_without_its_public_half_is_named_and_not_shown() {
        let (_folder, paths) = front_end();
        fs::write(
            paths.ssh_dir().join("id_rsa"),
            "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n",
        )
        .unwrap();
        let found = find(&paths, None);
        assert!(found.public.is_empty());
        assert!(
            found.unusable[0].contains("ssh-keygen -y -f") && !found.unusable[0].contains("hunter2"),
            "{found:?}"
        );
    }
}
