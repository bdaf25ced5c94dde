//! The image's file system with a layer of one test's own above it: what a test changes is gone with the test.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process;

/// Factor on the fixed waits of the simulated OpenNebula; without the file they have the lengths of the real ones.
const TIME_SCALE: &str = "usr/lib/onesim/time-scale";
/// Only an image with the simulated packages has it.
const SIMULATOR: &str = "usr/lib/onesim";

/// Whose packages an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenNebula {
    /// Those of the simulator: `crates/onesim`.
    Simulated,
    /// Others, the vendor's or built from its source.
    Real,
}

impl OpenNebula {
    /// Looks into an unpacked root file system.
    #[must_use]
    pub fn of(rootfs: &Path) -> Self {
        if rootfs.join(SIMULATOR).is_dir() {
            Self::Simulated
        } else {
            Self::Real
        }
    }

    /// Factor on the limits of the suite, which fit a simulated one whose waits are a tenth as long. The daemons of a real one
    /// take 5 s to start, 6 s to stop and 15 s for their first monitoring, whatever the machine.
    #[must_use]
    pub fn limit_factor(self) -> u32 {
        match self {
            Self::Simulated => 1,
            Self::Real => 4,
        }
    }
}

/// A mounted image. Its mounts go with the mount namespace that it was made in.
#[derive(Debug)]
pub struct Image {
    root: PathBuf,
    upper: PathBuf,
}

impl Image {
    /// Mounts the unpacked root file system `rootfs` under an empty layer below `dir`.
    pub fn mount(rootfs: &Path, dir: &Path) -> Result<Self> {
        let [upper, work, root] = ["upper", "work", "merged"].map(|name| dir.join(name));
        for dir in [&upper, &work, &root] {
            fs::create_dir_all(dir)?;
        }
        let lower = rootfs
            .canonicalize()
            .with_context(|| format!("{} is no unpacked image", rootfs.display()))?;
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        let target = root.display().to_string();
        process::run("mount", &["-t", "overlay", "-o", &options, "overlay", &target])?;
        Ok(Self { root, upper })
    }

    /// Shortens the fixed waits of the simulated OpenNebula; those of a real one stay as they are.
    pub fn scale_time(&self, factor: &str) -> Result<()> {
        if OpenNebula::of(&self.root) == OpenNebula::Real {
            return Ok(());
        }
        let file = self.root.join(TIME_SCALE);
        fs::write(&file, factor).with_context(|| file.display().to_string())
    }

    /// Its root directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The layer above the image: what was written since it was mounted, as `overlayfs` keeps it.
    #[must_use]
    pub fn upper(&self) -> &Path {
        &self.upper
    }

    /// A text file of it.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| path.to_owned())
    }

    /// Writes a file with its mode: a program that behaves otherwise, or a knob of the simulator.
    pub fn write(&self, path: &str, content: &str, mode: u32) -> Result<()> {
        let file = self.root.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        // A link must not be followed, and a program may be in use.
        let _ = fs::remove_file(&file);
        fs::write(&file, content).with_context(|| file.display().to_string())?;
        fs::set_permissions(&file, Permissions::from_mode(mode))?;
        Ok(())
    }

    /// Puts a file of the machine in the place of one of the image's.
    pub fn replace(&self, path: &str, with: &Path) -> Result<()> {
        let file = self.root.join(path);
        let _ = fs::remove_file(&file);
        fs::copy(with, &file).with_context(|| with.display().to_string())?;
        Ok(())
    }

    /// Gives a file another name.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.root.join(from), self.root.join(to)).with_context(|| from.to_owned())
    }

    /// Takes a file out.
    pub fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.root.join(path)).with_context(|| path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_wider_for_a_real_opennebula() {
        let dir = std::env::temp_dir().join(format!("faults-{:016x}", rand::random::<u64>()));
        fs::create_dir_all(&dir).unwrap();
        assert_eq!(OpenNebula::of(&dir).limit_factor(), 4);
        fs::create_dir_all(dir.join("usr/lib/onesim")).unwrap();
        assert_eq!(OpenNebula::of(&dir).limit_factor(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
