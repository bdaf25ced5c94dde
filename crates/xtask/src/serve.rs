//! A folder over HTTP on 127.0.0.1, for apt in an image that is being built. GET only, one request per connection, no
//! listing, nothing outside the folder.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Serves `dir` until the program ends; returns the address.
pub(crate) fn serve(dir: &Path) -> Result<SocketAddr> {
    let dir = dir.to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    let address = listener.local_addr().context("127.0.0.1")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let dir = dir.clone();
            // A client that goes away is its own affair.
            thread::spawn(move || answer(stream, &dir));
        }
    });
    Ok(address)
}

fn answer(stream: TcpStream, dir: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut out = stream;
    let found = request
        .strip_prefix("GET ")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|target| file(dir, target))
        .and_then(|file| fs::read(file).ok());
    match found {
        Some(body) => {
            write!(
                out,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            )?;
            out.write_all(&body)
        }
        None => out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
}

/// The file that a request's target names, unless it lies outside of the folder.
fn file(dir: &Path, target: &str) -> Option<PathBuf> {
    let path = PathBuf::from(decode(target.split('?').next()?)?.trim_start_matches('/'));
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    let file = dir.join(path);
    (inside && file.is_file()).then_some(file)
}

/// Undoes %XX, as apt writes `+` and `~`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn get(address: SocketAddr, target: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_are_served_and_nothing_outside_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "no").unwrap();
        fs::create_dir(dir.path().join("repo")).unwrap();
        fs::write(dir.path().join("repo/a+b"), "yes").unwrap();
        let address = serve(&dir.path().join("repo")).unwrap();
        assert!(get(address, "/a%2bb").ends_with("\r\n\r\nyes"));
        for outside in ["/../secret", "/%2e%2e/secret", "/none", "/", "/%zz"] {
            assert!(get(address, outside).starts_with("HTTP/1.1 404"), "{outside}");
        }
    }
}
