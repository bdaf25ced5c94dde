//! What is known of OpenNebula's configuration files: which there are, and the keys of each with their type, default,
//! releases and meaning.
//!
//! The one source of the checks of `ONEPOD_CONFIG`, of `onepod schema` and of docs/configuration.md. The facts come from
//! the files that the vendor ships with 7.0, 7.2 and 7.4 and from the code that reads them. A key that is not here is
//! no mistake: it is passed on.

use std::fmt;

mod kind;
mod oned;
mod scheduling;
mod servers;

pub(crate) use kind::decimal;
pub use kind::{Form, Kind};

/// One configuration file below `/etc/one`.
#[derive(Debug)]
pub struct File {
    /// Name of its section in `ONEPOD_CONFIG`.
    pub section: &'static str,
    /// Path below `/etc/one`.
    pub path: &'static str,
    /// How it is written.
    pub grammar: Grammar,
    /// Mode of the file that is written (oned.conf carries the database's password).
    pub mode: u32,
    /// Whether OpenNebula cannot do without it.
    pub needed: bool,
    /// Its keys, in the order of the vendor's file.
    pub keys: &'static [Key],
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// OpenNebula's own: `NAME = value`, `NAME = [ KEY = value ]`.
    Attributes,
    /// YAML whose keys are Ruby symbols: `:name: value`.
    Symbols,
    /// YAML.
    Yaml,
}

/// One key of a file.
#[derive(Debug)]
pub struct Key {
    /// The name as it is written in `ONEPOD_CONFIG`; `VECTOR[NAME]/KEY` is a key of one of several vectors of a name.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What holds when nothing is given.
    pub default: Default,
    /// The first release line that has it.
    pub since: Line,
    /// The last release line that has it, if there is a later one.
    pub until: Option<Line>,
    /// Why it cannot be set in `ONEPOD_CONFIG`, and what to use instead.
    pub decided: Option<&'static str>,
    /// Whether the value is never shown.
    pub secret: bool,
    /// What it does: a clause.
    pub about: &'static str,
}

/// What a key's value is in the vendor's file, or in the code that reads it.
#[derive(Debug, Clone, Copy)]
pub enum Default {
    /// The same in every release that has it.
    Same(&'static str),
    /// From each of these lines on.
    By(&'static [(Line, &'static str)]),
    /// Not one value: said in words.
    Words(&'static str),
}

/// A line of releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// 7.0.0, 7.0.1, 7.0.2.
    V7_0,
    /// 7.2.
    V7_2,
    /// 7.4 and what comes after it, until it is known better.
    V7_4,
}

/// Every file, in the order in which a person thinks of them.
pub const FILES: &[File] = &[
    File {
        section: "oned",
        path: "oned.conf",
        grammar: Grammar::Attributes,
        mode: 0o600,
        needed: true,
        keys: oned::KEYS,
    },
    File {
        section: "monitord",
        path: "monitord.conf",
        grammar: Grammar::Attributes,
        mode: 0o640,
        needed: true,
        keys: scheduling::MONITORD,
    },
    File {
        section: "rank",
        path: "schedulers/rank.conf",
        grammar: Grammar::Attributes,
        mode: 0o640,
        needed: false,
        keys: scheduling::RANK,
    },
    File {
        section: "oneflow",
        path: "oneflow-server.conf",
        grammar: Grammar::Symbols,
        mode: 0o640,
        needed: false,
        keys: servers::ONEFLOW,
    },
    File {
        section: "onegate",
        path: "onegate-server.conf",
        grammar: Grammar::Symbols,
        mode: 0o640,
        needed: false,
        keys: servers::ONEGATE,
    },
    File {
        section: "onehem",
        path: "onehem-server.conf",
        grammar: Grammar::Symbols,
        mode: 0o640,
        needed: false,
        keys: servers::ONEHEM,
    },
    File {
        section: "oneform",
        path: "oneform-server.conf",
        grammar: Grammar::Symbols,
        mode: 0o640,
        needed: false,
        keys: servers::ONEFORM,
    },
    File {
        section: "oneks",
        path: "oneks-server.conf",
        grammar: Grammar::Symbols,
        mode: 0o640,
        needed: false,
        keys: servers::ONEKS,
    },
    File {
        section: "fireedge",
        path: "fireedge-server.conf",
        grammar: Grammar::Yaml,
        mode: 0o640,
        needed: false,
        keys: servers::FIREEDGE,
    },
    File {
        section: "sunstone",
        path: "fireedge/sunstone/sunstone-server.conf",
        grammar: Grammar::Yaml,
        mode: 0o640,
        needed: false,
        keys: servers::SUNSTONE,
    },
];

/// The file of that section.
#[must_use]
pub fn file(section: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.section == section)
}

impl File {
    /// The file's name without its directory.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// The key of that name: `NAME` or `VECTOR/KEY` in upper case (however one of several vectors is selected), or the
    /// path of a YAML key. A key that holds keys of the user's choice answers for all of them.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| {
            key.is(name)
                || (key.kind.holds_keys()
                    && name
                        .strip_prefix(key.name)
                        .is_some_and(|rest| rest.starts_with('/')))
        })
    }

    /// The keys below `name`, where that is the name of a vector or of a group of YAML keys.
    pub fn below(&self, name: &str) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().filter(move |key| {
            key.name
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('/') || rest.starts_with('['))
        })
    }

    /// The known name that `given` was most probably meant to be.
    #[must_use]
    pub fn nearest(&self, given: &str) -> Option<String> {
        let names = self.keys.iter().map(Key::plain_name);
        super::table::nearest_of(given, names)
    }
}

impl Key {
    /// The name without the mark of one of several vectors: `VM_MAD/TYPE` for `VM_MAD[NAME]/TYPE`.
    #[must_use]
    pub fn plain_name(&self) -> String {
        self.name.replace("[NAME]", "")
    }

    /// Whether this is the key of that name.
    fn is(&self, name: &str) -> bool {
        match self.name.split_once("[NAME]") {
            None => self.name == name,
            Some((vector, key)) => name.strip_prefix(vector) == Some(key),
        }
    }

    /// Whether it is a key of one of several vectors.
    #[must_use]
    pub fn is_of_several(&self) -> bool {
        self.name.contains("[NAME]")
    }

    /// Whether a line of releases has it.
    #[must_use]
    pub fn is_in(&self, line: Line) -> bool {
        self.since <= line && self.until.is_none_or(|until| line <= until)
    }

    /// The default in a line of releases, where it is one value.
    #[must_use]
    pub fn default_in(&self, line: Line) -> Option<&'static str> {
        match self.default {
            Default::Same(text) => Some(text),
            Default::By(lines) => lines
                .iter()
                .rev()
                .find(|(since, _)| *since <= line)
                .map(|(_, text)| *text),
            Default::Words(_) => None,
        }
    }

    const fn since(self, since: Line) -> Self {
        Self { since, ..self }
    }

    const fn until(self, until: Line) -> Self {
        Self {
            until: Some(until),
            ..self
        }
    }

    const fn decided(self, instead: &'static str) -> Self {
        Self {
            decided: Some(instead),
            ..self
        }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

/// A key with one default.
const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    entry(name, kind, Default::Same(default), about)
}

/// A key whose default is said in words, `""` for none.
const fn word(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    entry(name, kind, Default::Words(default), about)
}

/// A key whose default differs between lines of releases.
const fn by(
    name: &'static str,
    kind: Kind,
    default: &'static [(Line, &'static str)],
    about: &'static str,
) -> Key {
    entry(name, kind, Default::By(default), about)
}

const fn entry(name: &'static str, kind: Kind, default: Default, about: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        since: Line::V7_0,
        until: None,
        decided: None,
        secret: false,
        about,
    }
}

impl Line {
    /// Every line.
    pub const ALL: [Self; 3] = [Self::V7_0, Self::V7_2, Self::V7_4];

    /// The line of a release such as `7.0.2`; none of a text that is no release.
    #[must_use]
    pub fn of(release: &str) -> Option<Self> {
        let mut numbers = release.trim().split('.').map(|part| part.parse::<u32>().ok());
        match (numbers.next()??, numbers.next()??) {
            (7, 0 | 1) => Some(Self::V7_0),
            (7, 2 | 3) => Some(Self::V7_2),
            (7, 4..) | (8.., _) => Some(Self::V7_4),
            _ => None,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V7_0 => "7.0",
            Self::V7_2 => "7.2",
            Self::V7_4 => "7.4",
        })
    }
}

/// Whether a name says that its value is one to hide, for keys that are not known here.
#[must_use]
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts = [
        "PASSW",
        "PASSPHRASE",
        "PWD",
        "SECRET",
        "TOKEN",
        "CREDENTIAL",
        "PRIVATE",
        "APIKEY",
        "BEARER",
        "COOKIE",
    ];
    parts.iter().any(|part| name.contains(part)) || name.ends_with("_KEY") || name.ends_with("-KEY")
}

#[cfg(test)]
mod tests;
