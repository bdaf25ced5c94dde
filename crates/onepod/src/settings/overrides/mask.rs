//! Secrets inside of values that are shown: the user and password of a URL, `password=…`, `--token …`. Pure.

use serde_json::Value;

use super::HIDDEN;
use crate::settings::vendor::sounds_secret;

/// What parts the words of a value.
fn parts(character: char) -> bool {
    character.is_whitespace() || matches!(character, ';' | '&' | '?' | ',' | '"' | '\'')
}

/// The text with every secret replaced that can be told by what stands before it.
pub(crate) fn without_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // The word before said that this one is a secret.
    let mut is_secret = false;
    for piece in without_logins(text).split_inclusive(parts) {
        let word = piece.trim_end_matches(parts);
        let end = piece.get(word.len()..).unwrap_or_default();
        let (name, value) = word.split_once(['=', ':']).unwrap_or((word, ""));
        if word.is_empty() {
            shown.push_str(end);
            continue;
        }
        if is_secret && !word.starts_with('-') {
            shown.push_str(HIDDEN);
            is_secret = false;
        } else if !value.is_empty() && sounds_secret(name) && !value.starts_with("//") {
            let separator = word.get(name.len()..=name.len()).unwrap_or_default();
            shown.extend([name, separator, HIDDEN]);
            is_secret = false;
        } else {
            shown.push_str(word);
            is_secret = (word.starts_with('-') || word.ends_with(['=', ':']))
                && sounds_secret(word.trim_end_matches(['=', ':']));
        }
        shown.push_str(end);
    }
    shown
}

/// The text with `***` for what stands between `://` and `@` in it.
fn without_logins(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after
            .find(|character: char| character == '/' || character.is_whitespace())
            .unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        // A password may have slashes that nobody has escaped; an @ further on then belongs to the login.
        let (login, host) = match (authority.rsplit_once('@'), behind.split_whitespace().next()) {
            (Some((login, host)), _) => (!login.is_empty(), Some((host, behind))),
            (None, Some(word)) if authority.contains(':') && behind.starts_with('/') => {
                match word.rsplit_once('@') {
                    Some((login, _)) => (true, behind.get(login.len() + 1..).map(|behind| ("", behind))),
                    None => (false, Some((authority, behind))),
                }
            }
            (None, _) => (false, Some((authority, behind))),
        };
        let (host, behind) = host.unwrap_or((authority, behind));
        if login {
            shown.push_str(HIDDEN);
            shown.push('@');
        }
        shown.push_str(host);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// The password in a URL `http://user:password@host`.
pub(crate) fn password(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    (!password.is_empty()).then(|| password.to_owned())
}

/// The same for every text in a value of a YAML file.
pub(super) fn of_yaml(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_secrets(text)),
        Value::Array(items) => items.iter().map(of_yaml).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_values_are_hidden() {
        for (text, shown) in [
            (
                "http://user:hunter2@proxy.example:3128",
                "http://***@proxy.example:3128",
            ),
            ("http://hunter2@proxy.example", "http://***@proxy.example"),
            (
                "http://user:hun/ter2@proxy.example/x",
                "http://***@proxy.example/x",
            ),
            (
                "a http://u:hunter2@b/c, https://d/e@f",
                "a http://***@b/c, https://d/e@f",
            ),
            ("-t 15 --password hunter2 -x y", "-t 15 --password *** -x y"),
            ("-t 15 --password=hunter2 kvm", "-t 15 --password=*** kvm"),
            ("host=db;password=hunter2;ssl=1", "host=db;password=***;ssl=1"),
            (
                "https://x.example/a?token=hunter2&b=c",
                "https://x.example/a?token=***&b=c",
            ),
            ("password: hunter2", "password: ***"),
            ("-t 15 -d dummy,fs -s shared", "-t 15 -d dummy,fs -s shared"),
            ("http://localhost:2633/RPC2", "http://localhost:2633/RPC2"),
            ("tcp://localhost:2101", "tcp://localhost:2101"),
            ("ssh,x509, ldap", "ssh,x509, ldap"),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }
}
