//! Looks for the values of Secrets where they must not be: logs, `ConfigMap`s, pods, what Helm keeps. Pure; the cluster
//! is read elsewhere. What it reports names the Secret and the key, never the value.

use k8s_openapi::api::core::v1::Secret;

/// Shorter values would be found by chance (a user's name, a port).
const SHORTEST: usize = 12;

/// A piece of a Secret's value that must not be seen.
#[derive(Clone)]
struct Needle {
    name: String,
    text: String,
}

/// What must not be seen. It has no `Debug`: a failed assertion must not print it.
#[derive(Clone, Default)]
pub(crate) struct Needles(Vec<Needle>);

impl Needles {
    /// The values of all Secrets that people and the chart made; Helm's own record of a release is none of them.
    pub(crate) fn of(secrets: &[Secret]) -> Self {
        let mut needles = Vec::new();
        for secret in secrets
            .iter()
            .filter(|secret| secret.type_.as_deref().unwrap_or("Opaque") == "Opaque")
        {
            for (key, value) in secret.data.iter().flatten() {
                let name = format!("{}/{key}", secret.metadata.name.as_deref().unwrap_or("?"));
                // Of a key in several lines each is a secret; its head and foot are the same for all keys.
                for text in String::from_utf8_lossy(&value.0).lines().map(str::trim) {
                    if text.len() >= SHORTEST && !text.starts_with("-----") {
                        needles.push(Needle {
                            name: name.clone(),
                            text: text.to_owned(),
                        });
                    }
                }
            }
        }
        Self(needles)
    }

    /// Adds the values of others.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Names (`secret/key`) whose values are looked for.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|needle| needle.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Names whose values are in the text.
    pub(crate) fn found_in(&self, text: &str) -> Vec<&str> {
        let mut names: Vec<_> = self
            .0
            .iter()
            .filter(|needle| text.contains(&needle.text))
            .map(|needle| needle.name.as_str())
            .collect();
        names.dedup();
        names
    }

    /// The text without the values: for diagnostics, where a leak must not be repeated.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, needle| {
            text.replace(&needle.text, &format!("<{}>", needle.name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(kind: &str, key: &str, value: &str) -> Secret {
        let mut secret: Secret = serde_json::from_value(json!({"metadata": {"name": "opennebula"}})).unwrap();
        secret.type_ = Some(kind.to_owned());
        secret.data = Some(
            [(key.to_owned(), k8s_openapi::ByteString(value.as_bytes().to_vec()))]
                .into_iter()
                .collect(),
        );
        secret
    }

    #[test]
    fn a_value_in_a_log_is_found_and_redacted() {
        let needles = Needles::of(&[secret("Opaque", "oneadmin-password", "abcdefghijklmnop\n")]);
        let log = "oned: login with abcdefghijklmnop refused";
        assert_eq!(needles.found_in(log), ["opennebula/oneadmin-password"]);
        assert_eq!(
            needles.redact(log),
            "oned: login with <opennebula/oneadmin-password> refused"
        );
        assert!(
            needles
                .found_in("oned: login with abcdefghijklmno refused")
                .is_empty()
        );
    }

    #[test]
    fn each_line_of_a_key_is_a_secret_but_not_its_head() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAAB3NzaC1yc2E\nBBBBB3NzaC1yc2E\n-----END OPENSSH PRIVATE KEY-----\n";
        let needles = Needles::of(&[secret("Opaque", "ssh-private-key", key)]);
        assert_eq!(
            needles.found_in("xx BBBBB3NzaC1yc2E xx"),
            ["opennebula/ssh-private-key"]
        );
        assert!(needles.found_in("-----BEGIN OPENSSH PRIVATE KEY-----").is_empty());
    }

    #[test]
    fn helms_record_of_a_release_is_no_secret_of_the_product() {
        assert!(
            Needles::of(&[secret("helm.sh/release.v1", "release", "H4sIAAAAAAAAA")])
                .names()
                .is_empty()
        );
    }
}
