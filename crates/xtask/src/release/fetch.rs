//! Reads the vendor's repository over HTTP: by curl, which has the proxy, the certificates and the patience.
//!
//! What comes out was verified from the key down to the lists of packages. That a file is not there (404) is told apart
//! from all else that can go wrong.

use std::env;
use std::fs;
use std::path::Path;
use std::str::FromStr as _;

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

use super::debs::{Deb, debs};
use super::index::{Index, Release, packages};
use super::signature::Keyring;
use crate::sh::{cmd, which};
use crate::versions::Architecture;

/// The suite and the component that the vendor uses.
const SUITE: &str = "stable";
const COMPONENT: &str = "opennebula";

/// Programs that are run, and the packages that bring them.
const PROGRAMS: [(&str, &str); 4] = [
    ("curl", "curl"),
    ("gpg", "gnupg"),
    ("gpgv", "gpgv"),
    ("gzip", "gzip"),
];

/// How many seconds curl waits for a connection, and for trying again altogether.
const CONNECT: &str = "10";
const ALTOGETHER: &str = "120";
/// How often curl tries again: after one second, then two, four, eight.
const RETRIES: u8 = 4;

/// How large a file may be in bytes, and how many seconds it may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    bytes: &'static str,
    seconds: &'static str,
}

/// Of keys and indexes.
const TEXT: Limits = Limits {
    bytes: "67108864",
    seconds: "60",
};
/// Of packages.
const PACKAGE: Limits = Limits {
    bytes: "1073741824",
    seconds: "600",
};

/// The folder of apt repositories that the vendor has, one for each release and line.
#[derive(Debug)]
pub(crate) struct Repository {
    address: String,
    keyring: Keyring,
    curl: Curl,
}

impl Repository {
    /// Gets the key, by its address or from a file, and takes the repositories below `address`.
    pub(crate) fn open(address: &str, key: &str) -> Result<Self> {
        for (program, package) in PROGRAMS {
            if which(program).is_none() {
                bail!("{program} is missing: apt-get install {package}");
            }
        }
        let curl = Curl::new(RETRIES)?;
        let bytes = if key.contains("://") {
            curl.get(key)?
                .with_context(|| format!("{key} is not there (404): name the vendor's key with --key"))?
        } else {
            fs::read(key).with_context(|| format!("the key {key}: name the vendor's with --key"))?
        };
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            keyring: Keyring::of(&bytes, key)?,
            curl,
        })
    }

    /// The address of the signed index in a folder such as `7.0/Ubuntu/24.04`.
    pub(crate) fn index_of(&self, folder: &str) -> String {
        format!("{}/{folder}/dists/{SUITE}/InRelease", self.address)
    }

    /// Reads and verifies a folder's index; none when there is no such folder.
    pub(crate) fn read(&self, folder: &str) -> Result<Option<Index>> {
        let address = self.index_of(folder);
        let Some(release) = self.release(&address)? else {
            return Ok(None);
        };
        let suite = address.trim_end_matches("InRelease");
        let mut found = Index {
            address: address.clone(),
            packages: [].into(),
        };
        for architecture in release
            .architectures
            .iter()
            .filter_map(|name| Architecture::from_str(name).ok())
        {
            let list = self.list(suite, &release, &architecture.to_string(), packages)?;
            let list = list.with_context(|| no_list(&address, architecture))?;
            found.packages.insert(architecture, list);
        }
        // Packages for all architectures may have a list of their own, beside being in each of the others.
        if release.architectures.iter().any(|name| name == "all")
            && let Some(shared) = self.list(suite, &release, "all", packages)?
        {
            for list in found.packages.values_mut() {
                list.extend_from_slice(&shared);
            }
        }
        Ok(Some(found))
    }

    /// The packages of a folder for an architecture, as files that can be downloaded; none when there is no such folder.
    pub(crate) fn debs(&self, folder: &str, architecture: Architecture) -> Result<Option<Vec<Deb>>> {
        let address = self.index_of(folder);
        let Some(release) = self.release(&address)? else {
            return Ok(None);
        };
        let suite = address.trim_end_matches("InRelease");
        let mut found = self
            .list(suite, &release, &architecture.to_string(), debs)?
            .with_context(|| no_list(&address, architecture))?;
        if release.architectures.iter().any(|name| name == "all") {
            found.extend(self.list(suite, &release, "all", debs)?.unwrap_or_default());
        }
        Ok(Some(found))
    }

    /// Downloads a package of a folder, and fails unless it is what the vendor signed.
    pub(crate) fn download(&self, folder: &str, deb: &Deb, to: &Path) -> Result<()> {
        let address = format!("{}/{folder}/{}", self.address, deb.path);
        let bytes = self.curl.within(&address, PACKAGE)?.with_context(|| {
            format!("{address} is not there (404), and the index has it: try again later")
        })?;
        deb.sum.check(&bytes).with_context(|| unlike(&address))?;
        fs::write(to, bytes).with_context(|| to.display().to_string())
    }

    /// The signed index; none when it is not there.
    fn release(&self, address: &str) -> Result<Option<Release>> {
        let Some(signed) = self.curl.get(address)? else {
            return Ok(None);
        };
        let text = self
            .keyring
            .signed_part(&signed)
            .with_context(|| address.to_owned())?;
        Release::parse(&text)
            .map(Some)
            .with_context(|| address.to_owned())
    }

    /// An architecture's packages, plain or compressed; none when the Release or the server has neither.
    fn list<T>(
        &self,
        suite: &str,
        release: &Release,
        architecture: &str,
        read: fn(&str) -> Result<Vec<T>>,
    ) -> Result<Option<Vec<T>>> {
        for suffix in ["", ".gz"] {
            let path = format!("{COMPONENT}/binary-{architecture}/Packages{suffix}");
            let address = format!("{suite}{path}");
            if let Some(sum) = release.sum(&path)
                && let Some(mut bytes) = self.curl.get(&address)?
            {
                sum.check(&bytes).with_context(|| unlike(&address))?;
                if !suffix.is_empty() {
                    bytes = unpack(&bytes).context(address.clone())?;
                }
                let list = read(&String::from_utf8_lossy(&bytes)).context(address)?;
                return Ok(Some(list));
            }
        }
        Ok(None)
    }
}

/// A list that the Release names and that cannot be had.
fn no_list(address: &str, architecture: Architecture) -> String {
    format!(
        "{address} names {architecture}, and of its list of packages neither Packages nor Packages.gz can be had: try again later"
    )
}

/// A file that is not the one that was signed for.
fn unlike(address: &str) -> String {
    format!(
        "{address} is not what the vendor signed; it may be so for a moment while something is published, so try again later"
    )
}

/// What gzip makes of it.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>> {
    let dir = tempfile::tempdir().context("a temporary folder")?;
    let packed = dir.path().join("list.gz");
    fs::write(&packed, bytes).with_context(|| packed.display().to_string())?;
    cmd("gzip").arg("--decompress").arg(&packed).read()?;
    let plain = dir.path().join("list");
    fs::read(&plain).with_context(|| plain.display().to_string())
}

/// GET requests, one at a time.
#[derive(Debug)]
struct Curl {
    retries: u8,
    dir: TempDir,
}

impl Curl {
    fn new(retries: u8) -> Result<Self> {
        let dir = tempfile::tempdir().context("a temporary folder")?;
        Ok(Self { retries, dir })
    }

    /// The body of a text, or none for a 404.
    fn get(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.within(address, TEXT)
    }

    /// The same within limits.
    fn within(&self, address: &str, limits: Limits) -> Result<Option<Vec<u8>>> {
        let body = self.dir.path().join("body");
        if body.exists() {
            fs::remove_file(&body).with_context(|| body.display().to_string())?;
        }
        let protocols = "=http,https";
        let code = cmd("curl")
            .args(["--silent", "--show-error", "--location"])
            .args(["--proto", protocols, "--proto-redir", protocols])
            .args(["--connect-timeout", CONNECT, "--max-time", limits.seconds])
            .args(["--max-filesize", limits.bytes])
            .args(["--retry", &self.retries.to_string(), "--retry-max-time", ALTOGETHER])
            // Trouble with the connection too. An answer of any status is none: without --fail it is for us to judge.
            .arg("--retry-all-errors")
            .args(["--write-out", "%{http_code}", "--output"])
            .arg(&body)
            .args(["--url", address])
            .env("no_proxy", without_proxy())
            .read()
            .map_err(|error| {
                let said = format!("{error:#}");
                // It says the same after each try, behind the command with all of its arguments.
                let reason = said.rfind("curl: (").map_or(said.as_str(), |at| &said[at..]);
                anyhow!(
                    "{address} cannot be read ({reason}): look whether it can be reached from here, or name another with --repository and --key"
                )
            })?;
        match code.as_str() {
            "200" => fs::read(&body).map(Some).or_else(|error| match error.kind() {
                // curl makes no file for a body of no bytes.
                std::io::ErrorKind::NotFound => Ok(Some(Vec::new())),
                _ => Err(error).with_context(|| body.display().to_string()),
            }),
            "404" => Ok(None),
            "401" | "403" => bail!(
                "{address} is closed (HTTP {code}{}): name a repository that is open with --repository",
                excerpt(&body)
            ),
            _ => bail!(
                "{address} answers HTTP {code}{}: try again later, or name another with --repository and --key",
                excerpt(&body)
            ),
        }
    }
}

/// Hosts that are asked directly: those that the environment names, and this machine.
fn without_proxy() -> String {
    let named = ["no_proxy", "NO_PROXY"]
        .iter()
        .find_map(|name| env::var(name).ok())
        .unwrap_or_default();
    if named.trim() == "*" {
        return named;
    }
    format!("{named},127.0.0.1")
}

/// The beginning of what a server says to an error.
fn excerpt(body: &Path) -> String {
    let text = fs::read(body).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(String::new, |line| {
        format!(", {}", line.chars().take(100).collect::<String>())
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// The address of a server that gives each request the same answer.
    fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let _request = lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .count();
                let _ = write!(stream, "HTTP/1.1 {answer}");
            }
        });
        format!("http://{address}/InRelease")
    }

    fn get(address: &str) -> Result<Option<Vec<u8>>> {
        Curl::new(0).unwrap().get(address)
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error() {
        let nothing = "404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(get(&server(nothing)).unwrap(), None);
    }

    #[test]
    fn an_empty_file_is_there() {
        let empty = "200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(get(&server(empty)).unwrap(), Some(Vec::new()));
    }

    #[test]
    fn any_other_answer_is_told_with_the_address_and_the_body() {
        let busy = server("503 Busy\r\nContent-Length: 12\r\nConnection: close\r\n\r\nin an hour.\n");
        assert_eq!(
            get(&busy).unwrap_err().to_string(),
            format!(
                "{busy} answers HTTP 503, in an hour.: try again later, or name another with --repository and --key"
            )
        );
        let closed = server("403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(
            get(&closed).unwrap_err().to_string(),
            format!("{closed} is closed (HTTP 403): name a repository that is open with --repository")
        );
    }

    #[test]
    fn trouble_with_the_connection_is_an_error_and_not_an_absence() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let short = server("200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc");
        for address in [
            format!("http://{nobody}/x"),
            short,
            "file:///etc/passwd".to_owned(),
        ] {
            let error = get(&address).unwrap_err();
            assert!(
                format!("{error:#}").starts_with(&format!("{address} cannot be read (curl: (")),
                "{error:#}"
            );
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let error = Repository::open("http://127.0.0.1:1", "/no/such/key").unwrap_err();
        assert!(
            format!("{error:#}").starts_with("the key /no/such/key: name the vendor's with --key: "),
            "{error:#}"
        );
    }
}
