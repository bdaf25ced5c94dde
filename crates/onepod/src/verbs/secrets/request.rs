//! The arguments of `onepod secrets`, checked and ordered by Secret.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::kind::Kind;

/// `SECRET/KEY=KIND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRequest {
    secret: String,
    key: String,
    kind: Kind,
}

impl FromStr for KeyRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "it should be SECRET/KEY=KIND";
        let (secret, rest) = text.split_once('/').ok_or(form)?;
        let (key, kind) = rest.split_once('=').ok_or(form)?;
        if !is_object_name(secret) {
            return Err(format!("{secret:?} cannot be a Secret's name"));
        }
        if !is_data_key(key) {
            return Err(format!("{key:?} cannot be a key in a Secret"));
        }
        Ok(Self {
            secret: secret.to_owned(),
            key: key.to_owned(),
            kind: kind.parse()?,
        })
    }
}

/// `NAME=VALUE`. Whether Kubernetes takes it is left to Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    name: String,
    value: String,
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("it should be NAME=VALUE".to_owned()),
        }
    }
}

/// Everything that is asked for.
#[derive(Debug)]
pub(super) struct Plan {
    secrets: BTreeMap<String, BTreeMap<String, Kind>>,
    labels: BTreeMap<String, String>,
}

impl Plan {
    /// Orders the requests by Secret. The same request twice is one; two kinds for one key, or two values for one label,
    /// are a mistake.
    pub(super) fn new(keys: Vec<KeyRequest>, labels: Vec<Label>) -> Result<Self, String> {
        let mut plan = Self {
            secrets: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        for request in keys {
            let KeyRequest { secret, key, kind } = request;
            let before = plan
                .secrets
                .entry(secret.clone())
                .or_default()
                .insert(key.clone(), kind);
            if before.is_some_and(|other| other != kind) {
                return Err(format!(
                    "--key {secret}/{key} is given twice with different kinds"
                ));
            }
        }
        for Label { name, value } in labels {
            let before = plan.labels.insert(name.clone(), value.clone());
            if before.is_some_and(|other| other != value) {
                return Err(format!("--label {name} is given twice with different values"));
            }
        }
        Ok(plan)
    }

    /// Secret names with the keys that each must have.
    pub(super) fn secrets(&self) -> &BTreeMap<String, BTreeMap<String, Kind>> {
        &self.secrets
    }

    /// Labels of Secrets that are created.
    pub(super) fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}

/// A DNS subdomain, as Kubernetes names its objects.
fn is_object_name(text: &str) -> bool {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 253
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.'))
        && end(text.chars().next())
        && end(text.chars().last())
}

/// A key of a Secret's data becomes a file's name.
fn is_data_key(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= 253
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_split_at_the_first_slash_and_equals_sign() {
        let request: KeyRequest = "opennebula/one-key=hex64".parse().unwrap();
        assert_eq!(
            (request.secret.as_str(), request.key.as_str(), request.kind),
            ("opennebula", "one-key", Kind::Hex64)
        );
        for (text, reason) in [
            ("opennebula", "SECRET/KEY=KIND"),
            ("opennebula/key", "SECRET/KEY=KIND"),
            ("/key=hex64", "\"\" cannot be a Secret's name"),
            ("Open/key=hex64", "\"Open\" cannot be a Secret's name"),
            ("open-/key=hex64", "\"open-\" cannot be a Secret's name"),
            ("open/a/b=hex64", "\"a/b\" cannot be a key"),
            ("open/..=hex64", "\"..\" cannot be a key"),
            ("open/key=rsa", "the kind rsa does not exist"),
        ] {
            let error = text.parse::<KeyRequest>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn contradictions_are_mistakes_and_repetitions_are_not() {
        let keys = |texts: &[&str]| {
            texts
                .iter()
                .map(|t| t.parse().unwrap())
                .collect::<Vec<KeyRequest>>()
        };
        let labels = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<Label>>();
        let plan = Plan::new(
            keys(&["a/x=hex64", "b/y=password", "a/x=hex64", "a/z=ed25519"]),
            vec![],
        )
        .unwrap();
        assert_eq!(plan.secrets().len(), 2);
        assert_eq!(plan.secrets()["a"].len(), 2);
        let error = Plan::new(keys(&["a/x=hex64", "a/x=password"]), vec![]).unwrap_err();
        assert!(error.contains("a/x is given twice"), "{error}");
        let error = Plan::new(keys(&["a/x=hex64"]), labels(&["k=1", "k=1", "k=2"])).unwrap_err();
        assert!(error.contains("--label k is given twice"), "{error}");
        assert!("=v".parse::<Label>().is_err() && "k".parse::<Label>().is_err());
        assert_eq!("k=".parse::<Label>().unwrap().value, "");
    }
}
