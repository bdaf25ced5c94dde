//! ECDSA keys whose secret number begins with zero bytes. OpenSSH leaves such bytes out (RFC 4251, section 5: mpint), which
//! is so for one key in 256 on the curves of 256 and 384 bits and for half of those on 521 bits, and the library that reads
//! keys asks for all of them. Here they are put back in, for the reading alone: files keep the text as it was given.
//!
//! Nothing is judged here: whatever is not such a key is left to the library's own refusal. The format is that of OpenSSH's
//! PROTOCOL.key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Bytes to which the private part of a key without passphrase is filled up.
const BLOCK: usize = 8;
/// Letters in a line of the text.
const LINE: usize = 70;

/// The same key with its secret number in full length; none where that is not what is wrong with it.
pub(super) fn padded(pem: &str) -> Option<String> {
    let text = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let letters: String = text.split_whitespace().collect();
    let whole = STANDARD.decode(letters).ok()?;
    let mut rest = whole.strip_prefix(MAGIC)?;
    let cipher = string(&mut rest)?;
    let derivation = string(&mut rest)?;
    let options = string(&mut rest)?;
    let (count, mut rest) = rest.split_at_checked(4)?;
    let public = string(&mut rest)?;
    let private = string(&mut rest)?;
    if cipher != b"none" {
        return None;
    }
    let mut key = Vec::from(MAGIC);
    for field in [cipher, derivation, options] {
        put(&mut key, field)?;
    }
    key.extend_from_slice(count);
    put(&mut key, public)?;
    put(&mut key, &in_full(private)?)?;
    Some(armoured(&STANDARD.encode(key)))
}

/// The private part with the number in full length.
fn in_full(private: &[u8]) -> Option<Vec<u8>> {
    let (checks, mut rest) = private.split_at_checked(8)?;
    let kind = string(&mut rest)?;
    let curve = string(&mut rest)?;
    let point = string(&mut rest)?;
    let number = string(&mut rest)?;
    let comment = string(&mut rest)?;
    let size = match curve {
        b"nistp256" => 32_usize,
        b"nistp384" => 48,
        b"nistp521" => 66,
        _ => return None,
    };
    let missing = size.checked_sub(number.len()).filter(|missing| *missing > 0)?;
    let mut part = Vec::from(checks);
    for field in [kind, curve, point] {
        put(&mut part, field)?;
    }
    put(&mut part, &[&vec![0; missing], number].concat())?;
    put(&mut part, comment)?;
    for byte in 1.. {
        if part.len().is_multiple_of(BLOCK) {
            break;
        }
        part.push(byte);
    }
    Some(part)
}

/// Takes a string with its length in front.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(text)
}

/// Appends one.
fn put(to: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    to.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
    to.extend_from_slice(text);
    Some(())
}

fn armoured(letters: &str) -> String {
    let mut text = format!("{BEGIN}\n");
    let mut rest = letters;
    while !rest.is_empty() {
        // Base64 is ASCII: every place is one between two letters.
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + END + "\n"
}
