//! The version of any package of Debian's, in dpkg's order: deb-version(7). What we build of the vendor's is stricter,
//! and has a type of its own in `package`.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::iter;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};

/// `[EPOCH:]UPSTREAM[-REVISION]`, as it was written. Two texts may be the same version: `0:1.0` and `1.00`.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "temporary")]
pub(crate) struct DebianVersion {
    text: String,
    epoch: u32,
}

#[expect(dead_code, reason = "temporary")]
impl DebianVersion {
    /// Without the epoch: upstream's version, and the revision behind the last hyphen.
    fn parts(&self) -> (&str, &str) {
        let rest = self
            .text
            .split_once(':')
            .map_or(self.text.as_str(), |(_, rest)| rest);
        rest.rsplit_once('-').unwrap_or((rest, ""))
    }
}

impl FromStr for DebianVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let epoch = match text.split_once(':') {
            None => 0,
            Some((epoch, _)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => epoch
                .parse()
                .with_context(|| format!("\"{text}\" has the epoch \"{epoch}\", which is no number"))?,
            Some((epoch, _)) => bail!("\"{text}\" has the epoch \"{epoch}\", which is no number"),
        };
        let version = Self {
            text: text.to_owned(),
            epoch,
        };
        let (upstream, revision) = version.parts();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+~".contains(&byte);
        let good = upstream.starts_with(|first: char| first.is_ascii_digit())
            && upstream.bytes().all(|byte| plain(byte) || b"-:".contains(&byte))
            && revision.bytes().all(plain)
            && !text.ends_with('-');
        if !good {
            bail!("\"{text}\" is no version of a Debian package: one is such as 1:2.39-0ubuntu8.6");
        }
        Ok(version)
    }
}

impl Display for DebianVersion {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl Ord for DebianVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((upstream, revision), (its_upstream, its_revision)) = (self.parts(), other.parts());
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(upstream, its_upstream))
            .then_with(|| compare(revision, its_revision))
    }
}

impl PartialOrd for DebianVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DebianVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DebianVersion {}

/// Upstream's versions, or revisions: what is no number and what is one by turns, until they differ.
pub(super) fn compare(mut one: &str, mut other: &str) -> Ordering {
    let no_digit = |next: char| !next.is_ascii_digit();
    let digit = |next: char| next.is_ascii_digit();
    while !(one.is_empty() && other.is_empty()) {
        let order = weights(front(&mut one, no_digit))
            .cmp(weights(front(&mut other, no_digit)))
            .then_with(|| number(front(&mut one, digit)).cmp(&number(front(&mut other, digit))));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes from the front what belongs there.
fn front<'a>(text: &mut &'a str, belongs: impl Fn(char) -> bool) -> &'a str {
    let end = text.find(|next| !belongs(next)).unwrap_or(text.len());
    let (front, rest) = text.split_at(end);
    *text = rest;
    front
}

/// A tilde before the end, the end before letters, letters before all else.
fn weights(text: &str) -> impl Iterator<Item = u16> {
    const END: u16 = 1;
    text.bytes()
        .map(|byte| match byte {
            b'~' => 0,
            byte if byte.is_ascii_alphabetic() => u16::from(byte) + END,
            byte => u16::from(byte) + 256,
        })
        .chain(iter::once(END))
}

/// A number of any length: the longer is the greater.
fn number(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sh::cmd;

    fn version(text: &str) -> DebianVersion {
        text.parse().unwrap()
    }

    /// What dpkg itself says.
    fn dpkg(one: &str, operator: &str, other: &str) -> bool {
        cmd("dpkg")
            .args(["--compare-versions", one, operator, other])
            .succeeds()
    }

    /// The same by the exit statuses of dpkg.
    fn by_dpkg(one: &str, other: &str) -> Ordering {
        match (dpkg(one, "lt", other), dpkg(one, "eq", other)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Equal,
            (false, false) => Ordering::Greater,
            (true, true) => unreachable!("{one} and {other}"),
        }
    }

    #[test]
    fn strange_versions_order_as_dpkg_orders_them() {
        let sorted = [
            "6.10.0-1",
            "7.0.0~rc1-1",
            "7.0.0-1~ubuntu24.04",
            "7.0.0-1",
            "7.0.0-1+b1",
            "7.0.0-1.1",
            "7.0.0+git1-1",
            "7.0.0.1-1",
            "7.0.9-1",
            "7.0.10~beta-1",
            "7.0.10-1",
            "7.0.10-10",
            "1:1.0-1",
            "2:0.1",
        ];
        for pair in sorted.windows(2) {
            let [one, other] = pair else { unreachable!() };
            assert!(dpkg(one, "lt", other), "dpkg: {one} is older than {other}");
            assert!(version(one) < version(other), "{one} is older than {other}");
        }
        for (one, other) in [("0:1.0-1", "1.0-1"), ("1.0-0", "1.0"), ("1.00-01", "1.0-1")] {
            assert!(dpkg(one, "eq", other), "dpkg: {one} is {other}");
            assert_eq!(version(one), version(other));
        }
    }

    #[test]
    fn what_dpkg_takes_for_no_version_is_none() {
        for text in [
            "",
            "abc",
            ":1",
            "x:1",
            "1 2",
            "1-",
            "-1",
            "1_2",
            "99999999999:1",
            "1-a_b",
            "ä",
        ] {
            assert!(text.parse::<DebianVersion>().is_err(), "{text}");
        }
        for text in ["1", "1:2-3", "1.0-1-1", "1:2:3-1", "0~", "1+b~c"] {
            assert_eq!(version(text).to_string(), text);
        }
    }

    /// Few characters, so that two of them are often nearly the same.
    const ANY: &str = "([0-2]:)?[0-9][0-2a.+~-]{0,4}[0-2a.+~](-[0-2a.+~]{1,3})?";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(192))]

        #[test]
        fn any_two_order_as_dpkg_orders_them(one in ANY, other in ANY) {
            prop_assert_eq!(version(&one).cmp(&version(&other)), by_dpkg(&one, &other), "{} {}", one, other);
        }
    }

    proptest! {
        #[test]
        fn there_is_one_order(mut all in prop::collection::vec(ANY, 3)) {
            all.sort_by_key(|text| version(text));
            let all: Vec<DebianVersion> = all.iter().map(|text| version(text)).collect();
            prop_assert!(all[0] <= all[2]);
            prop_assert_eq!(all[0].cmp(&all[1]), all[1].cmp(&all[0]).reverse());
        }
    }
}
