//! Who asks the registry: from the environment, or what `docker login` has written. Credential helpers are not run.
//!
//! The password stands in a file, never in an argument or a message.

use std::env;
use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::reference::Name;

/// The variables: a name, and the path of a file with the password or access token.
pub(super) const USERNAME: &str = "REGISTRY_USERNAME";
pub(super) const PASSWORD_FILE: &str = "REGISTRY_PASSWORD_FILE";
/// Under which name `docker login` keeps what it knows of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The header of HTTP's Basic scheme.
    basic: String,
    /// Where they come from, for messages.
    origin: String,
}

impl Debug for Credentials {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "Credentials of {}", self.origin)
    }
}

impl Credentials {
    /// Those of the environment, else those that Docker's client has for the registry; none where there are none.
    pub(crate) fn find(name: &Name) -> Result<Option<Self>> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        match (variable(USERNAME), variable(PASSWORD_FILE)) {
            (Some(user), Some(file)) => {
                return Self::of_file(&user.to_string_lossy(), Path::new(&file)).map(Some);
            }
            (None, None) => {}
            (Some(_), None) => bail!("{USERNAME} is set and {PASSWORD_FILE} is not: set both, or none"),
            (None, Some(_)) => bail!("{PASSWORD_FILE} is set and {USERNAME} is not: set both, or none"),
        }
        let folder = variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".docker")));
        let Some(file) = folder.map(|folder| folder.join("config.json")) else {
            return Ok(None);
        };
        match fs::read_to_string(&file) {
            Ok(text) => Self::of_docker(&text, name, &file.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
        }
    }

    pub(super) fn basic(&self) -> &str {
        &self.basic
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The password is what the file has, without the end of its line.
    pub(super) fn of_file(user: &str, file: &Path) -> Result<Self> {
        let shown = file.display();
        let password =
            fs::read_to_string(file).with_context(|| format!("{shown}, which {PASSWORD_FILE} names"))?;
        let password = password.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            bail!("{shown}, which {PASSWORD_FILE} names, is empty");
        }
        Ok(Self {
            basic: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            origin: format!("{USERNAME} and {PASSWORD_FILE}"),
        })
    }

    /// Reads Docker's config.json.
    fn of_docker(text: &str, name: &Name, file: &str) -> Result<Option<Self>> {
        // Its text may have secrets: the error names the place alone.
        let Ok(config) = serde_json::from_str::<Value>(text) else {
            bail!("{file} is no JSON: correct it, or set {USERNAME} and {PASSWORD_FILE}");
        };
        let keys = if name.is_docker_hub() {
            vec![DOCKER_HUB.to_owned(), "docker.io".to_owned()]
        } else {
            vec![name.registry.clone(), format!("https://{}", name.registry)]
        };
        for key in &keys {
            if let Some(basic) = config["auths"][key]["auth"]
                .as_str()
                .filter(|auth| !auth.is_empty())
            {
                return Ok(Some(Self {
                    basic: format!("Basic {basic}"),
                    origin: file.to_owned(),
                }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_docker(text: &str, name: &str) -> Result<Option<Credentials>> {
        Credentials::of_docker(text, &name.parse().unwrap(), "/c/config.json")
    }

    #[test]
    fn the_password_comes_from_a_file_and_its_line_s_end_is_not_part_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "open sesame\n").unwrap();
        let found = Credentials::of_file("me", &file).unwrap();
        assert_eq!(
            found.basic(),
            format!("Basic {}", STANDARD.encode("me:open sesame"))
        );
        assert!(!format!("{found:?}").contains("Basic"));
        fs::write(&file, "\n").unwrap();
        let error = Credentials::of_file("me", &file).unwrap_err().to_string();
        assert!(
            error.ends_with("token, which REGISTRY_PASSWORD_FILE names, is empty"),
            "{error}"
        );
    }

    #[test]
    fn docker_s_file_has_a_place_for_each_registry() {
        let text = r#"{"auths": {"https://index.docker.io/v1/": {"auth": "aGk="}, "ghcr.io": {"auth": "eW8="}, "quay.io": {}}}"#;
        let basic = |name: &str| {
            of_docker(text, name)
                .unwrap()
                .map(|found| found.basic().to_owned())
        };
        assert_eq!(basic("a/b").as_deref(), Some("Basic aGk="));
        assert_eq!(basic("ghcr.io/a/b").as_deref(), Some("Basic eW8="));
        assert_eq!(basic("quay.io/a/b"), None);
        assert_eq!(basic("127.0.0.1:5000/a"), None);
    }

    #[test]
    fn a_broken_file_is_named_and_not_shown() {
        let error = of_docker("{\"auths\": s3cret", "a/b").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "/c/config.json is no JSON: correct it, or set REGISTRY_USERNAME and REGISTRY_PASSWORD_FILE"
        );
    }
}
