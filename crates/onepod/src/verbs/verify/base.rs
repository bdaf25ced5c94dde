//! The addresses of the services that `onepod verify` asks.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// `http://host:port`, the part of a URL before its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

/// Why a text is no [`Base`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BaseError {
    #[error("not a URL of the form http://host:port")]
    NotAUrl,
    #[error("the scheme is {0}, but inside the cluster it is http")]
    Scheme(String),
    #[error("name host and port only; the path is known")]
    Path,
}

impl FromStr for Base {
    type Err = BaseError;

    fn from_str(text: &str) -> Result<Self, BaseError> {
        let uri: Uri = text.trim().parse().map_err(|_| BaseError::NotAUrl)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => return Err(BaseError::Scheme(other.to_owned())),
            None => return Err(BaseError::NotAUrl),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(BaseError::Path);
        }
        let authority = uri
            .authority()
            .filter(|a| !a.as_str().contains('@'))
            .ok_or(BaseError::NotAUrl)?;
        let host = authority.host();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == host => 80,
            None => return Err(BaseError::NotAUrl),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(BaseError::NotAUrl);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl Base {
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_host_and_port() {
        for (text, printed) in [
            ("http://opennebula-oneflow:2474", "http://opennebula-oneflow:2474"),
            ("http://one.example/", "http://one.example:80"),
            ("http://[fd00::1]:5030", "http://[fd00::1]:5030"),
        ] {
            assert_eq!(text.parse::<Base>().unwrap().to_string(), printed);
        }
        for (text, error) in [
            ("https://one:2616", BaseError::Scheme("https".to_owned())),
            ("http://one:2616/fireedge", BaseError::Path),
            ("http://a:b@one:2616", BaseError::NotAUrl),
            ("http://one:99999", BaseError::NotAUrl),
            ("one:2616", BaseError::NotAUrl),
            ("", BaseError::NotAUrl),
        ] {
            assert_eq!(text.parse::<Base>(), Err(error), "{text}");
        }
    }
}
