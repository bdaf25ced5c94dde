//! The apt repository: Packages, Release, its signature, and the key that made it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::Digest as _;

use super::contents::{architecture, repository_temporary};
use super::{Failed, at, output};
use crate::oned::session::hex;

/// A signing key that lives as long as this value.
#[derive(Debug)]
pub(crate) struct Keys {
    home: PathBuf,
}

impl Keys {
    /// Makes a key without a passphrase.
    pub(crate) fn make() -> Result<Self, Failed> {
        let keys = Self {
            home: repository_temporary()?,
        };
        output(keys.gpg().args([
            "--passphrase",
            "",
            "--quick-generate-key",
            "Simulated OpenNebula repository",
            "rsa2048",
            "sign",
            "never",
        ]))?;
        Ok(keys)
    }

    fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &self.home).args([
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]);
        command
    }

    /// Writes the public key, ASCII-armoured.
    pub(crate) fn export(&self, to: &Path) -> Result<(), Failed> {
        let key = output(self.gpg().args(["--armor", "--export"]))?;
        fs::write(to, key).map_err(at(to))
    }

    fn sign(&self, how: &str, from: &Path, to: &Path) -> Result<(), Failed> {
        output(
            self.gpg()
                .args(["--armor", how, "--digest-algo", "SHA512", "--output"])
                .arg(to)
                .arg(from),
        )?;
        Ok(())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The agent that gpg started for this directory ends with it.
        let _ = output(
            Command::new("gpgconf")
                .env("GNUPGHOME", &self.home)
                .args(["--kill", "all"]),
        );
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn digest(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// Indexes and signs the packages below `root/pool`.
pub(crate) fn index(root: &Path, keys: &Keys) -> Result<(), Failed> {
    let dist = root.join("dists/stable");
    let binary = dist.join(format!("opennebula/binary-{}", architecture()));
    fs::create_dir_all(&binary).map_err(at(&binary))?;
    let pool = root.join("pool/opennebula");
    let mut debs: Vec<PathBuf> = fs::read_dir(&pool)
        .map_err(at(&pool))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    debs.sort();
    let mut packages = String::new();
    for deb in debs {
        let control = output(Command::new("dpkg-deb").arg("-f").arg(&deb))?;
        let bytes = fs::read(&deb).map_err(at(&deb))?;
        let name = deb.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(
            packages,
            "{}\nFilename: pool/opennebula/{name}\nSize: {}\nSHA256: {}\n\n",
            String::from_utf8_lossy(&control).trim_end(),
            bytes.len(),
            digest(&bytes)
        );
    }
    let plain = binary.join("Packages");
    fs::write(&plain, &packages).map_err(at(&plain))?;
    let packed = binary.join("Packages.gz");
    fs::write(&packed, output(Command::new("gzip").args(["-9nc"]).arg(&plain))?).map_err(at(&packed))?;
    let mut release = format!(
        "Origin: onesim\nLabel: Simulated OpenNebula\nSuite: stable\nCodename: stable\nDate: {}\nArchitectures: {}\nComponents: opennebula\nSHA256:\n",
        jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S UTC"),
        architecture()
    );
    for file in [plain, packed] {
        let bytes = fs::read(&file).map_err(at(&file))?;
        let name = file.strip_prefix(&dist).unwrap_or(&file).display().to_string();
        let _ = writeln!(release, " {} {:>8} {name}", digest(&bytes), bytes.len());
    }
    let file = dist.join("Release");
    fs::write(&file, release).map_err(at(&file))?;
    keys.sign("--clearsign", &file, &dist.join("InRelease"))?;
    keys.sign("--detach-sign", &file, &dist.join("Release.gpg"))
}
