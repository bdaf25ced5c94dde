//! Opens and reads files that somebody else can put in place: regular files only, without ever waiting for one, and no
//! more of them than fits.
//!
//! A FIFO has no end until its writer comes, a device may have none at all, and reading one would stop process 1.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// What to do where the path is a symbolic link; links among its directories are always followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// The file that it leads to is meant: Kubernetes mounts Secrets as links.
    Follow,
    /// It is refused.
    Refuse,
}

/// Opens a regular file for reading.
pub(crate) fn open(path: &Path, links: Links) -> io::Result<File> {
    open_with(path, links, OFlags::RDONLY)
}

/// Opens a regular file in this way; it is neither made nor cut.
pub(crate) fn open_with(path: &Path, links: Links, access: OFlags) -> io::Result<File> {
    // Opening alone has effects on some devices and wakes the writer of a FIFO: what can be seen before is refused before.
    let (found, links) = match links {
        Links::Follow => (fs::metadata(path)?, OFlags::empty()),
        Links::Refuse => (fs::symlink_metadata(path)?, OFlags::NOFOLLOW),
    };
    check(&found)?;
    let flags = access | links | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, Links::Follow)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("it has more than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// The same as text.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn check(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let name = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(
        ErrorKind::InvalidInput,
        format!("it is {name}, not a regular file"),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("fifo", path("link-to-fifo")).unwrap();
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        assert_eq!(read_text(&path("file"), 4).unwrap(), "text");
        assert_eq!(read_text(&path("link"), 4).unwrap(), "text");
        let problem = |path: &Path, limit| read(path, limit).unwrap_err().to_string();
        for (path, expected) in [
            (path("fifo"), "it is a FIFO, not a regular file"),
            (path("link-to-fifo"), "it is a FIFO, not a regular file"),
            (path("socket"), "it is a socket, not a regular file"),
            (path(""), "it is a directory, not a regular file"),
            ("/dev/zero".into(), "it is a device, not a regular file"),
        ] {
            assert_eq!(problem(&path, 4), expected, "{}", path.display());
        }
        assert_eq!(problem(&path("file"), 3), "it has more than 3 bytes");
        assert_eq!(
            open(&path("link"), Links::Refuse).unwrap_err().to_string(),
            "it is a symbolic link, not a regular file"
        );
    }
}
