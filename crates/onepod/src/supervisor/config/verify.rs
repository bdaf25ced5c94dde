//! A look at the image's files: whether what services.toml names can be executed. It starts nothing.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::unit::{Unit, Work};
use crate::supervisor::unit::PATH;

/// The kernel reads this much of a script for its `#!` line, see `execve(2)`.
const FIRST_LINE: u64 = 256;

/// Everything that keeps an installed unit's program from being started.
pub(super) fn verify(unit: &Unit, root: &Path) -> Vec<String> {
    let Work::Program { path, arguments } = &unit.work else {
        return Vec::new();
    };
    let absent = |path: &PathBuf| !below(root, path).exists();
    if unit.installed.as_ref().is_some_and(absent) {
        return Vec::new();
    }
    let search = unit.environment.get("PATH").map_or(PATH, String::as_str);
    let program = executable(root, path, search);
    // What a program is given of the packages' files: the script of an interpreter, above all.
    let files = arguments
        .iter()
        .map(PathBuf::from)
        .filter(|argument| argument.starts_with("/usr") && absent(argument))
        .map(|argument| format!("{}: there is no such file", argument.display()));
    program
        .err()
        .into_iter()
        .chain(files)
        .map(|mistake| format!("{}: {mistake}", unit.name))
        .collect()
}

fn executable(root: &Path, path: &Path, search: &str) -> Result<(), String> {
    may_be_executed(root, path)?;
    let line = first_line(&below(root, path)).map_err(|error| format!("{}: {error}", path.display()))?;
    let Some(line) = line.strip_prefix("#!") else {
        return Ok(());
    };
    let mut words = line.split_ascii_whitespace();
    let interpreter = PathBuf::from(words.next().unwrap_or_default());
    let of_script = |mistake: String| format!("{}: its interpreter {mistake}", path.display());
    may_be_executed(root, &interpreter).map_err(of_script)?;
    if interpreter.file_name().is_some_and(|name| name == "env") {
        let name = words.find(|word| !word.starts_with('-')).unwrap_or_default();
        let found = search
            .split(':')
            .any(|directory| may_be_executed(root, &Path::new(directory).join(name)).is_ok());
        if !found {
            return Err(of_script(format!("{name}: not found in {search}")));
        }
    }
    Ok(())
}

fn may_be_executed(root: &Path, path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(below(root, path)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{}: there is no such file", path.display()),
        _ => format!("{}: {error}", path.display()),
    })?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        Ok(())
    } else {
        Err(format!("{}: may not be executed", path.display()))
    }
}

/// The first line of a file; empty for one that is no text, and for one that may be executed but not read.
fn first_line(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(FIRST_LINE).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A path of the image below the directory that it is looked at in.
fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix("/")
        .map_or_else(|_| root.join(path), |relative| root.join(relative))
}

#[cfg(test)]
mod tests;
