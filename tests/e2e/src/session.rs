//! The session that FireEdge gives for a login: a token in the answer's body until 7.2, a cookie since 7.4.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const COOKIE: &str = "FireedgeToken=";

/// The header with which a request belongs to the session. The cookies are those of the answer, as `name=value`.
pub(crate) fn header<'a>(cookies: impl IntoIterator<Item = &'a str>, body: &str) -> Result<String> {
    if let Some(cookie) = cookies.into_iter().find(|cookie| cookie.starts_with(COOKIE)) {
        return Ok(format!("Cookie: {cookie}"));
    }
    let answer: Value = serde_json::from_str(body).context("the login's answer is not JSON")?;
    let token = answer["data"]["token"]
        .as_str()
        .context("the login has neither the cookie FireedgeToken nor a token in its answer")?;
    ensure!(token.split('.').count() == 3, "the token is no JWT");
    Ok(format!("Authorization: Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_a_cookie_or_a_token() {
        let body = r#"{"id":200,"data":{"token":"a.b.c"}}"#;
        let cookies = ["saml=1", "FireedgeToken=%7B%22token%22%3A%22d.e.f%22%7D"];
        assert_eq!(header([], body).unwrap(), "Authorization: Bearer a.b.c");
        assert_eq!(
            header(cookies, r#"{"data":{"status":"ok"}}"#).unwrap(),
            "Cookie: FireedgeToken=%7B%22token%22%3A%22d.e.f%22%7D"
        );
        assert!(header(["saml=1"], r#"{"data":{"status":"ok"}}"#).is_err());
        assert!(header([], r#"{"data":{"token":"no-jwt"}}"#).is_err());
    }
}
