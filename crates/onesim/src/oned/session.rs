//! Who calls: `user:password` for the core driver, `serveradmin:user:token` for the services.
//!
//! The password column of the core driver is the SHA-256 of the password. For `server_cipher` it is the
//! SHA-256 of the services' secret, and its first 32 characters are the AES-256-CBC key of the token: a
//! service with another secret cannot log in, which is what makes FireEdge answer 500.

use std::fmt::Write as _;

use aes::cipher::{BlockDecryptMut as _, KeyIvInit as _, block_padding::Pkcs7};
use base64::Engine as _;
use sha2::Digest as _;

use crate::clock;
use crate::db::DbError;
use crate::objects::{Owner, USER};
use crate::store::Store;
use crate::xml::Element;

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Hex digits of the SHA-256 of a text.
pub(crate) fn sha256(text: &str) -> String {
    hex(&sha2::Sha256::digest(text.as_bytes()))
}

/// A caller that was authenticated.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user on whose behalf the call runs.
    pub(crate) owner: Owner,
}

impl Caller {
    /// Whether the user is in the group oneadmin.
    pub(crate) fn is_admin(&self) -> bool {
        self.owner.uid == 0 || self.owner.gid == 0
    }
}

/// The caller of a session; `None` when it is not a valid one. A lost database looks the same to clients.
pub(crate) fn authenticate(store: &Store, session: &str) -> Result<Option<Caller>, DbError> {
    let Some((name, secret)) = session.split_once(':') else {
        return Ok(None);
    };
    let Some(user) = by_name(store, name)? else {
        return Ok(None);
    };
    if user.text_at(&["ENABLED"]) != "1" {
        return Ok(None);
    }
    let password = user.text_at(&["PASSWORD"]);
    match user.text_at(&["AUTH_DRIVER"]) {
        "core" if sha256(secret) == password => Ok(Some(caller(&user))),
        driver if driver.starts_with("server") => {
            let Some((target, token)) = secret.split_once(':') else {
                return Ok(None);
            };
            if !token_is_valid(name, target, token, password) {
                return Ok(None);
            }
            Ok(by_name(store, target)?.map(|user| caller(&user)))
        }
        _ => Ok(None),
    }
}

fn by_name(store: &Store, name: &str) -> Result<Option<Element>, DbError> {
    match store.id_of(USER, name)? {
        Some(oid) => store.get(USER, oid),
        None => Ok(None),
    }
}

fn caller(user: &Element) -> Caller {
    Caller {
        owner: Owner {
            uid: user.number_at(&["ID"]).unwrap_or(-1),
            gid: user.number_at(&["GID"]).unwrap_or(-1),
            uname: user.text_at(&["NAME"]).to_owned(),
            gname: user.text_at(&["GNAME"]).to_owned(),
        },
    }
}

/// Whether the token says `server:target:expiry` under the key of `password`, and has not expired.
fn token_is_valid(server: &str, target: &str, token: &str, password: &str) -> bool {
    let (Some(key), Some(iv)) = (password.as_bytes().get(..32), password.as_bytes().get(..16)) else {
        return false;
    };
    let Ok(sealed) = base64::engine::general_purpose::STANDARD.decode(token.trim()) else {
        return false;
    };
    let Ok(cipher) = cbc::Decryptor::<aes::Aes256>::new_from_slices(key, iv) else {
        return false;
    };
    let Ok(plain) = cipher.decrypt_padded_vec_mut::<Pkcs7>(&sealed) else {
        return false;
    };
    let Ok(plain) = String::from_utf8(plain) else {
        return false;
    };
    let parts: Vec<&str> = plain.split(':').collect();
    matches!(parts.as_slice(), [s, t, expires]
        if *s == server && *t == target && expires.parse::<i64>().is_ok_and(|e| e > clock::now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::BlockEncryptMut as _;

    #[test]
    fn a_token_is_bound_to_server_target_and_secret() {
        let password = sha256("secret");
        let (key, iv) = (&password.as_bytes()[..32], &password.as_bytes()[..16]);
        let plain = format!("serveradmin:oneadmin:{}", clock::now() + 60);
        let sealed = cbc::Encryptor::<aes::Aes256>::new_from_slices(key, iv)
            .unwrap()
            .encrypt_padded_vec_mut::<Pkcs7>(plain.as_bytes());
        let token = base64::engine::general_purpose::STANDARD.encode(sealed);
        assert!(token_is_valid("serveradmin", "oneadmin", &token, &password));
        assert!(!token_is_valid("serveradmin", "other", &token, &password));
        assert!(!token_is_valid(
            "serveradmin",
            "oneadmin",
            &token,
            &sha256("other")
        ));
    }
}
