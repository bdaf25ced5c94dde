//! Where oned listens: `http://host:port/RPC2`.
//!
//! Deliberately absent: name resolution (that is the transport's, at each call) and TLS.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// The address of oned's XML-RPC server.
///
/// The path defaults to `/RPC2`, which is the only one that oned serves; the port defaults to 80, as in any `http` URL.
/// An IPv6 address stands in brackets: `http://[fd00::1]:2633/RPC2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    path: String,
}

/// Why a text is not an [`Endpoint`]. The text itself is left out: it may carry a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not a URL at all, or one without a host.
    #[error("not a URL of the form http://host:port/RPC2")]
    NotAUrl,
    /// Another scheme than `http`; `https` in particular.
    #[error("the scheme is {0}, but oned answers plain http only")]
    Scheme(String),
    /// `user:password@host`: credentials are a setting of their own.
    #[error("credentials do not belong into the URL")]
    UserInfo,
    /// Text after a `?`.
    #[error("a query (?…) has no meaning to oned")]
    Query,
}

impl Endpoint {
    /// Host name or IP address; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path of the request, with its leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `host:port` as in a URL and in HTTP's `Host` header, with brackets around an IPv6 address.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let uri: Uri = text.trim().parse().map_err(|_| EndpointError::NotAUrl)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => return Err(EndpointError::Scheme(other.to_owned())),
            None => return Err(EndpointError::NotAUrl),
        }
        let authority = uri.authority().ok_or(EndpointError::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        if uri.query().is_some() {
            return Err(EndpointError::Query);
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(EndpointError::NotAUrl);
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            // `host:` and `host:99999` have no readable port, but do have a colon after the host.
            None if authority.as_str().len() > authority.host().len() => return Err(EndpointError::NotAUrl),
            None => 80,
        };
        let path = match uri.path() {
            "" | "/" => "/RPC2".to_owned(),
            path => path.to_owned(),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        text.parse()
    }

    #[test]
    fn the_usual_forms_are_read_and_printed_back() {
        for (text, host, port, printed) in [
            (
                "http://127.0.0.1:2633/RPC2",
                "127.0.0.1",
                2633,
                "http://127.0.0.1:2633/RPC2",
            ),
            (
                "http://opennebula-api:2633",
                "opennebula-api",
                2633,
                "http://opennebula-api:2633/RPC2",
            ),
            (
                "http://opennebula-api:2633/",
                "opennebula-api",
                2633,
                "http://opennebula-api:2633/RPC2",
            ),
            (
                " http://one.example/RPC2\n",
                "one.example",
                80,
                "http://one.example:80/RPC2",
            ),
            (
                "http://[fd00::1]:2633/RPC2",
                "fd00::1",
                2633,
                "http://[fd00::1]:2633/RPC2",
            ),
        ] {
            let endpoint = parse(text).unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
            assert_eq!(endpoint.to_string(), printed);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        assert_eq!(
            parse("https://one:2633/RPC2"),
            Err(EndpointError::Scheme("https".to_owned()))
        );
        assert_eq!(
            parse("http://oneadmin:secret@one:2633/RPC2"),
            Err(EndpointError::UserInfo)
        );
        assert_eq!(parse("http://one:2633/RPC2?x=1"), Err(EndpointError::Query));
        for text in [
            "",
            "one",
            "one:2633",
            "/RPC2",
            "http://",
            "http://:2633/RPC2",
            "http://one:99999/",
            "http://one:/RPC2",
            "http://fd00::1:2633/",
        ] {
            assert_eq!(parse(text), Err(EndpointError::NotAUrl), "{text}");
        }
    }
}
