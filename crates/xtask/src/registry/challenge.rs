//! What a registry wants to see of who asks: the header `WWW-Authenticate` (RFC 9110, and the token protocol of the
//! distribution specification). Pure.

/// How to prove who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which the realm's server gives for user and password, or to anybody.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads one header; none where it asks for something that is not known here.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let value = |wanted: &str| {
            let found = parameters
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        Some(Self::Bearer {
            realm: value("realm")?,
            service: value("service"),
            scope: value("scope"),
        })
    }
}

/// Reads `name="value",name=value`; a comma within quotes is part of the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        found.push((name.trim().to_owned(), value.to_owned()));
        rest = next.trim_start_matches([',', ' ']);
    }
    found
}

/// The address at which a token is asked for.
pub(super) fn token_address(realm: &str, service: Option<&str>, scope: Option<&str>) -> String {
    let mut address = realm.to_owned();
    for (name, value) in [("service", service), ("scope", scope)] {
        if let Some(value) = value {
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(name);
            address.push('=');
            address.push_str(&encoded(value));
        }
    }
    address
}

/// A value in an address's query.
pub(super) fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_s_way_to_a_token() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push",error="x""#;
        let Some(Challenge::Bearer {
            realm,
            service,
            scope,
        }) = Challenge::parse(header)
        else {
            panic!("no challenge in {header}");
        };
        assert_eq!(
            token_address(&realm, service.as_deref(), scope.as_deref()),
            "https://auth.docker.io/token?service=registry.docker.io&scope=repository:a/b:pull%2Cpush"
        );
    }

    #[test]
    fn a_realm_may_have_a_query_and_lack_the_rest() {
        let Some(Challenge::Bearer {
            realm,
            service: None,
            scope: Some(scope),
        }) = Challenge::parse("bearer realm=http://x/t?a=b, scope=\"r e\"")
        else {
            panic!("not read");
        };
        assert_eq!(
            token_address(&realm, None, Some(&scope)),
            "http://x/t?a=b&scope=r%20e"
        );
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert_eq!(
            Challenge::parse("Basic realm=\"Registry\""),
            Some(Challenge::Basic)
        );
        for header in [
            "",
            "Bearer",
            "Bearer service=\"x\"",
            "Negotiate",
            "\"",
            "Bearer realm",
        ] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }
}
