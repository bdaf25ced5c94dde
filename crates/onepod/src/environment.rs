//! Which variables of the container reach the programs that onepod starts. Everything is started with an environment of its
//! own, so that no password of the settings is in it; what a site sets for a container on purpose is passed on: its proxies,
//! its certificate authorities, its time zone and its language. Values are never shown: a proxy's may hold a password.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::settings::{self, overrides::mask};

/// The variables that are passed on, unless they are empty; proxies also in lower case.
const PASSED: [&str; 11] = [
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
];

/// Proxies for what a service reaches.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// What is reached without a proxy, in the two spellings that programs know.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The pod itself: its services call each other there.
const OWN_ADDRESSES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Variables that every container has, or its shell.
const USUAL: [&str; 11] = [
    "PATH", "HOME", "HOSTNAME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "TERM", "_",
];

/// The container's environment, taken apart.
#[derive(Clone, Default)]
pub struct Inherited {
    passed: Vec<(OsString, OsString)>,
    ignored: Vec<String>,
}

/// Without the values.
impl std::fmt::Debug for Inherited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Inherited {
    /// Takes an environment apart.
    pub fn of(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut passed = BTreeMap::new();
        let mut ignored = Vec::new();
        for (name, value) in environment {
            let text = name.to_string_lossy();
            if is_passed(&text) {
                if !value.is_empty() {
                    passed.insert(name, value);
                }
            } else if !settings::is_setting(&name) && !is_platforms(&text) {
                ignored.push(text.into_owned());
            }
        }
        except_own_addresses(&mut passed);
        ignored.sort_unstable();
        Self {
            passed: passed.into_iter().collect(),
            ignored,
        }
    }

    /// The variables for a program.
    pub fn passed(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.passed
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The names of the variables that programs get.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.passed
            .iter()
            .map(|(name, _)| name.to_string_lossy().into_owned())
    }

    /// The names of the variables that somebody has set for the container and no program gets.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The passwords in the URLs of proxies.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let values = self.passed.iter().map(|(_, value)| value.to_string_lossy());
        values.filter_map(|value| mask::password(&value)).collect()
    }
}

fn is_passed(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_lower = name == name.to_ascii_lowercase();
    PASSED.contains(&name)
        || NO_PROXY.contains(&name)
        || (PROXIES.contains(&upper.as_str()) && (name == upper || is_lower))
}

/// Whether it was the platform that set the variable: the usual ones, and what Kubernetes sets for each Service.
fn is_platforms(name: &str) -> bool {
    let of_service = |part: &str| name.ends_with(part) || name.contains(&format!("{part}_"));
    USUAL.contains(&name)
        || name.starts_with("KUBERNETES_")
        || name.ends_with("_SERVICE_HOST")
        || of_service("_SERVICE_PORT")
        || of_service("_PORT")
}

/// Takes the pod's own addresses out of what goes through a proxy.
fn except_own_addresses(passed: &mut BTreeMap<OsString, OsString>) {
    let has_proxy = PROXIES.iter().any(|name| {
        [*name, &name.to_ascii_lowercase()]
            .iter()
            .any(|name| passed.contains_key(OsStr::new(name)))
    });
    if !has_proxy {
        return;
    }
    let given = NO_PROXY
        .iter()
        .find_map(|name| passed.get(OsStr::new(name)).cloned());
    for name in NO_PROXY {
        let value = passed.get(OsStr::new(name)).or(given.as_ref());
        let value = value
            .map(|value| value.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut hosts: Vec<&str> = value
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .collect();
        hosts.extend(
            OWN_ADDRESSES
                .iter()
                .filter(|own| !value.split(',').any(|host| host.trim() == **own)),
        );
        passed.insert(name.into(), hosts.join(",").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited(pairs: &[(&str, &str)]) -> Inherited {
        Inherited::of(pairs.iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn passed(inherited: &Inherited) -> Vec<(String, String)> {
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        inherited
            .passed()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn what_a_site_sets_is_passed_and_the_rest_is_named() {
        let inherited = inherited(&[
            ("PATH", "/bin"),
            ("TZ", "Europe/Madrid"),
            ("LANG", ""),
            ("SSL_CERT_FILE", "/etc/site-ca/bundle.pem"),
            ("DB_PASSWORD", "hunter2hunter2"),
            ("ONEADMIN_PASSWORD_FILE", "/run/secrets/x"),
            ("ONE_XMLRPC", "http://elsewhere"),
            ("https_proxy", "http://u:hunter3@proxy:3128"),
            ("KUBERNETES_PORT", "tcp://10.0.0.1:443"),
            ("MY_DB_SERVICE_HOST", "10.0.0.2"),
            ("MY_DB_SERVICE_PORT_SQL", "3306"),
            ("MY_DB_PORT_3306_TCP_ADDR", "10.0.0.2"),
            ("MY_DB_PORT", "tcp://10.0.0.2:3306"),
        ]);
        let names: Vec<String> = inherited.names().collect();
        assert_eq!(
            names,
            ["NO_PROXY", "SSL_CERT_FILE", "TZ", "https_proxy", "no_proxy"]
        );
        assert_eq!(inherited.ignored(), ["ONE_XMLRPC"]);
        assert_eq!(inherited.secrets(), ["hunter3"]);
        assert!(!format!("{inherited:?}").contains("hunter"));
    }

    #[test]
    fn the_pods_own_addresses_never_go_through_a_proxy() {
        let own = "localhost,127.0.0.1,::1";
        for (given, upper, lower) in [
            (&[][..], own.to_owned(), own.to_owned()),
            (
                &[("NO_PROXY", "localhost, .svc")],
                "localhost,.svc,127.0.0.1,::1".to_owned(),
                "localhost,.svc,127.0.0.1,::1".to_owned(),
            ),
            (
                &[("NO_PROXY", "a"), ("no_proxy", "b,::1")],
                format!("a,{own}"),
                "b,::1,localhost,127.0.0.1".to_owned(),
            ),
        ] {
            let pairs = [given, &[("HTTP_PROXY", "http://proxy:3128")]].concat();
            let passed = passed(&inherited(&pairs));
            for (name, value) in [("NO_PROXY", upper), ("no_proxy", lower)] {
                assert!(passed.contains(&(name.to_owned(), value)), "{passed:?}");
            }
        }
        assert_eq!(
            passed(&inherited(&[("NO_PROXY", "a")])),
            [("NO_PROXY".to_owned(), "a".to_owned())]
        );
    }
}
