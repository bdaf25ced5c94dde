//! `known_hosts`: the host keys that are pinned by the settings, above those that the SSH client has learned. Pure.
//!
//! A learned line that contradicts a pinned one would be accepted beside it, so it is taken out. The format is that of
//! `sshd(8)`, `SSH_KNOWN_HOSTS FILE FORMAT`. Two names that are both hashed cannot be compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

const BEGIN: &str = "# onepod: host keys that are pinned, written anew at each start";
const END: &str = "# onepod: what follows was learned or is yours, and is kept";

/// The new file, and what was taken out of the old one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) text: String,
    pub(super) displaced: Vec<String>,
}

/// Puts the pinned lines above the others of a file; without any, the file is without ours.
pub(super) fn merge(file: &str, pinned: &str) -> Merged {
    let mut text = String::new();
    let pinned: Vec<&str> = pinned.lines().filter(|line| !line.trim().is_empty()).collect();
    if !pinned.is_empty() {
        for line in std::iter::once(&BEGIN).chain(&pinned).chain(&[END]) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let pins: Vec<Line<'_>> = pinned.iter().filter_map(|line| Line::parse(line)).collect();
    let mut displaced = Vec::new();
    for line in learned(file) {
        if Line::parse(line).is_some_and(|line| line.contradicts(&pins)) {
            displaced.push(line.to_owned());
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    Merged { text, displaced }
}

/// The lines of a file without those that an earlier start pinned. A block that has lost its end is no block.
fn learned(file: &str) -> Vec<&str> {
    let lines: Vec<&str> = file.lines().collect();
    let begin = lines.iter().position(|line| *line == BEGIN);
    let end = lines.iter().position(|line| *line == END);
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => {
            let (before, after) = (lines.get(..begin), lines.get(end + 1..));
            [before, after].into_iter().flatten().flatten().copied().collect()
        }
        _ => lines
            .into_iter()
            .filter(|line| ![BEGIN, END].contains(line))
            .collect(),
    }
}

/// A line with a host's own key. Lines with a marker, of authorities and of revoked keys, bind no host to one key.
struct Line<'a> {
    hosts: &'a str,
    key: [&'a str; 2],
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let hosts = words.next().filter(|hosts| !hosts.starts_with(['#', '@']))?;
        Some(Self {
            hosts,
            key: [words.next()?, words.next()?],
        })
    }

    /// Whether the pinned lines name one of the same hosts, and none of them with this key.
    fn contradicts(&self, pins: &[Self]) -> bool {
        let mut same_host = pins.iter().filter(|pin| pin.meets(self)).peekable();
        same_host.peek().is_some() && same_host.all(|pin| pin.key != self.key)
    }

    /// Whether some host is named by both.
    fn meets(&self, other: &Self) -> bool {
        self.names().any(|name| covers(other.hosts, name))
            || other.names().any(|name| covers(self.hosts, name))
            || self.hosts == other.hosts
    }

    /// The hosts that are named literally.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.hosts
            .split(',')
            .filter(|name| !name.starts_with(['|', '!']) && !name.contains(['*', '?']))
    }
}

/// Whether a list of patterns is meant for a host: one matches, and none with `!` does.
fn covers(patterns: &str, host: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        return is_hash_of(hashed, host);
    }
    let (forbidden, allowed): (Vec<&str>, Vec<&str>) =
        patterns.split(',').partition(|pattern| pattern.starts_with('!'));
    let host = host.to_ascii_lowercase();
    let hit = |pattern: &str| matches(pattern.to_ascii_lowercase().as_bytes(), host.as_bytes());
    allowed.into_iter().any(hit)
        && !forbidden
            .into_iter()
            .any(|pattern| hit(pattern.trim_start_matches('!')))
}

/// Matching with `*` and `?`, in a time that grows with the product of the lengths: lines of the file may be anybody's.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    // Behind the last `*`, and how much of the text it stands for so far ends there.
    let mut star: Option<(usize, usize)> = None;
    while let Some(have) = text.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, place));
            }
            Some(want) if *want == b'?' || want == have => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((behind, end)) = &mut star else {
                    return false;
                };
                *end += 1;
                (at, place) = (*behind, *end);
            }
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// Whether `SALT|HASH` is the HMAC-SHA1 of the host's name with the salt as its key.
fn is_hash_of(hashed: &str, host: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
        return false;
    };
    hash == hmac_sha1(&salt, host.as_bytes())
}

/// HMAC-SHA1 (RFC 2104) with a key of at most 64 bytes, which a salt here always is.
fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha1::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha1::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(file: &str, pinned: &str) -> bool {
        merge(file, pinned).displaced.is_empty()
    }

    #[test]
    fn pinned_lines_come_first_and_are_replaced_at_the_next_start() {
        let first = merge("# mine\nhost2 ssh-rsa L2\n", "host1 ssh-ed25519 P1\n").text;
        assert_eq!(
            first,
            format!("{BEGIN}\nhost1 ssh-ed25519 P1\n{END}\n# mine\nhost2 ssh-rsa L2\n")
        );
        let grown = format!("{first}host3 ssh-rsa L3\n");
        assert_eq!(
            merge(&grown, "host1 ssh-ed25519 P9\n").text,
            format!("{BEGIN}\nhost1 ssh-ed25519 P9\n{END}\n# mine\nhost2 ssh-rsa L2\nhost3 ssh-rsa L3\n")
        );
        assert_eq!(
            merge(&grown, "").text,
            "# mine\nhost2 ssh-rsa L2\nhost3 ssh-rsa L3\n"
        );
        assert_eq!(
            merge("", ""),
            Merged {
                text: String::new(),
                displaced: Vec::new()
            }
        );
    }

    #[test]
    fn a_block_whose_end_was_cut_off_loses_no_line() {
        let cut = format!("{BEGIN}\nhost1 ssh-ed25519 P1\nhost2 ssh-rsa L2\n");
        assert_eq!(merge(&cut, "").text, "host1 ssh-ed25519 P1\nhost2 ssh-rsa L2\n");
    }

    #[test]
    fn a_learned_key_that_contradicts_a_pinned_one_goes() {
        for (learned, pinned, stays) in [
            ("h1 ssh-rsa L", "h1 ssh-ed25519 P", false),
            ("h1 ssh-ed25519 P", "h1 ssh-ed25519 P comment", true),
            ("h1 ssh-rsa L", "h1 ssh-ed25519 P\nh1 ssh-rsa L", true),
            ("h1,10.0.0.1 ssh-rsa L", "10.0.0.1 ssh-ed25519 P", false),
            ("h2 ssh-rsa L", "h1 ssh-ed25519 P", true),
            ("H1 ssh-rsa L", "h1 ssh-ed25519 P", false),
            ("h1.dc ssh-rsa L", "*.dc ssh-ed25519 P", false),
            ("h1.dc ssh-rsa L", "*.dc,!h1.dc ssh-ed25519 P", true),
            ("h?.dc ssh-rsa L", "h1.dc ssh-ed25519 P", false),
            ("[h1]:2222 ssh-rsa L", "[h1]:2222 ssh-ed25519 P", false),
            ("[h1]:2222 ssh-rsa L", "h1 ssh-ed25519 P", true),
            ("h1 ssh-rsa L", "@cert-authority h1 ssh-ed25519 P", true),
            ("@revoked h1 ssh-rsa L", "h1 ssh-ed25519 P", true),
            ("# h1 ssh-rsa L", "h1 ssh-ed25519 P", true),
            ("nonsense", "h1 ssh-ed25519 P", true),
        ] {
            assert_eq!(kept(learned, pinned), stays, "{learned} / {pinned}");
        }
    }

    #[test]
    fn patterns_match_as_in_openssh_and_cannot_take_for_ever() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("*.dc?", "h1.dc2", true),
            ("**x*", "aax", true),
            ("?", "", false),
            ("a", "ab", false),
            ("*ab", "aab", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                fits,
                "{pattern} {text}"
            );
        }
        // With a try of all ways this would take longer than the universe is old.
        assert!(!matches("*a".repeat(200).as_bytes(), &[b'a'; 150]));
        assert!(!matches(("*a".repeat(60) + "b").as_bytes(), &[b'a'; 250]));
    }

    // Made by `ssh-keygen -H` for the name "kvm-host-1".
    const HASHED: &str = "|1|QmOWRGtEzSkkouq3R3s+UuT3GnY=|sECKtlqsPUMnhydBJ6eCf5bl80Y=";

    #[test]
    fn hashed_names_are_recognised() {
        for (host, stays) in [("kvm-host-1", false), ("kvm-host-2", true)] {
            assert_eq!(
                kept(&format!("{HASHED} ssh-rsa L"), &format!("{host} ssh-ed25519 P")),
                stays
            );
            assert_eq!(
                kept(&format!("{host} ssh-rsa L"), &format!("{HASHED} ssh-ed25519 P")),
                stays
            );
        }
        assert!(!kept(
            &format!("{HASHED} ssh-rsa L"),
            &format!("{HASHED} ssh-ed25519 P")
        ));
        assert!(kept("|1|no base64|x ssh-rsa L", "h1 ssh-ed25519 P"));
    }
}
