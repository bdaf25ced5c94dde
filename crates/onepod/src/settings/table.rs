//! The table of settings: each one described once, for `onepod check`, for the reader of the environment and for the
//! reference in the documentation.
//!
//! What a value must look like is checked in `resolve`.

use std::fmt::Write as _;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Name of the environment variable.
    pub name: &'static str,
    /// What holds when it is not given, in words where it is not a fixed value.
    pub default: &'static str,
    /// One sentence for the reference.
    pub description: &'static str,
    /// Whether it is a secret, whose value is never shown. Of all but plain ones, `NAME_FILE` works as well.
    pub kind: Kind,
}

/// Whether the value may be shown, and whether it can be given as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// May be shown.
    Plain,
    /// One line that may be shown; can be given as a file, where an empty one stands for "not given".
    Line,
    /// Lines that may be shown; can be given as a file.
    Text,
    /// May never be shown; can be given as a file.
    Secret,
}

/// Every setting, in the order in which a person thinks of them.
pub const TABLE: &[Setting] = &[
    Setting {
        name: "ONEADMIN_PASSWORD",
        default: "the kept one_auth, else generated",
        description: "Password of oneadmin: 1 to 256 visible ASCII characters. Another one than before is set in OpenNebula, also while the front-end runs.",
        kind: Kind::Secret,
    },
    Setting {
        name: "ONE_KEY",
        default: "the kept one_key, else made by oned",
        description: "Key of the encrypted attributes in the database: 64 hexadecimal digits.",
        kind: Kind::Secret,
    },
    Setting {
        name: "FIREEDGE_KEY",
        default: "the kept fireedge_key, else made by FireEdge",
        description: "Key of FireEdge's sessions and console tokens: 32 characters.",
        kind: Kind::Secret,
    },
    Setting {
        name: "SERVERADMIN_SECRET",
        default: "that of the kept service files, else generated",
        description: "Secret of serveradmin, by which FireEdge, OneFlow and the other services log in: 1 to 256 visible ASCII characters without a colon.",
        kind: Kind::Secret,
    },
    Setting {
        name: "SSH_PRIVATE_KEY",
        default: "the kept key in ~/.ssh, else a generated ed25519 key",
        description: "oneadmin's key for the hypervisors: OpenSSH format, without a passphrase.",
        kind: Kind::Secret,
    },
    Setting {
        name: "SSH_KNOWN_HOSTS",
        default: "none",
        description: "Host keys of the hypervisors, lines in the format of known_hosts.",
        kind: Kind::Text,
    },
    Setting {
        name: "DB_BACKEND",
        default: "sqlite",
        description: "Database of OpenNebula: sqlite (a file on the volume) or mysql (MariaDB or MySQL).",
        kind: Kind::Plain,
    },
    Setting {
        name: "DB_HOST",
        default: "none; mysql needs it",
        description: "Host name or address of the database.",
        kind: Kind::Plain,
    },
    Setting {
        name: "DB_PORT",
        default: "3306",
        description: "TCP port of the database.",
        kind: Kind::Plain,
    },
    Setting {
        name: "DB_USER",
        default: "oneadmin",
        description: "User of the database.",
        kind: Kind::Plain,
    },
    Setting {
        name: "DB_PASSWORD",
        default: "none; mysql needs it",
        description: "Password of the database's user.",
        kind: Kind::Secret,
    },
    Setting {
        name: "DB_NAME",
        default: "opennebula",
        description: "Name of the database; oned creates it when it is missing and the user may.",
        kind: Kind::Plain,
    },
    Setting {
        name: "OPENNEBULA_HOSTNAME",
        default: "the pod's host name",
        description: "Name under which hypervisors reach the front-end (HOSTNAME in oned.conf).",
        kind: Kind::Plain,
    },
    Setting {
        name: "OPENNEBULA_MONITOR_ADDRESS",
        default: "auto",
        description: "Address to which hypervisors send monitoring data, TCP and UDP 4124 (NETWORK/MONITOR_ADDRESS in monitord.conf). auto: the address from which the front-end's ssh connection comes. An empty file stands for auto.",
        kind: Kind::Line,
    },
    Setting {
        name: "ONEPOD_LISTEN",
        default: "0.0.0.0:8080",
        description: "Address and port of the health endpoint.",
        kind: Kind::Plain,
    },
    Setting {
        name: "ONEPOD_LOG_FORMAT",
        default: "text",
        description: "Form of the log lines on standard output: text or json.",
        kind: Kind::Plain,
    },
    Setting {
        name: "ONEPOD_KEEP_DUMPS",
        default: "3",
        description: "Number of database dumps that are kept, at least 1; each upgrade of the database makes one and removes the oldest.",
        kind: Kind::Plain,
    },
    Setting {
        name: "ONEPOD_STOP_TIMEOUT",
        default: "25",
        description: "Seconds in which all services stop, 5 or more. The runtime must give at least 5 s more before it kills the container: terminationGracePeriodSeconds, docker stop --time, stop_grace_period.",
        kind: Kind::Plain,
    },
    Setting {
        name: "ONEPOD_DISABLE",
        default: "none",
        description: "Services that stay off, separated by commas, for example oneflow,onegate.",
        kind: Kind::Plain,
    },
    Setting {
        name: "ONEPOD_ENABLE",
        default: "none",
        description: "Services that are off by default and start all the same, separated by commas: oneks.",
        kind: Kind::Plain,
    },
    Setting {
        name: "ONEPOD_CONFIG",
        default: "none",
        description: "Path of a YAML file with further values for OpenNebula's configuration files.",
        kind: Kind::Plain,
    },
];

/// The setting of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

/// The known name that `given` was most probably meant to be: at most three edits away, and not a different word.
#[must_use]
pub fn nearest(given: &str) -> Option<&'static str> {
    nearest_of(given, TABLE.iter().map(|setting| setting.name))
}

/// The same for names of another kind.
pub(crate) fn nearest_of<S: AsRef<str>>(given: &str, names: impl IntoIterator<Item = S>) -> Option<S> {
    names
        .into_iter()
        .map(|name| (distance(given, name.as_ref()), name))
        .min_by_key(|(edits, _)| *edits)
        .filter(|(edits, name)| *edits <= 3 && edits * 3 < name.as_ref().len())
        .map(|(_, name)| name)
}

/// The table as Markdown, for the documentation.
#[must_use]
pub fn reference() -> String {
    let mut text = "| Setting | Default | What it is |\n|---|---|---|\n".to_owned();
    for Setting {
        name,
        default,
        description,
        kind,
    } in TABLE
    {
        let file = match kind {
            Kind::Plain => String::new(),
            Kind::Line | Kind::Secret | Kind::Text => format!(" or `{name}_FILE`"),
        };
        let _ = writeln!(text, "| `{name}`{file} | {default} | {description} |");
    }
    text
}

/// Number of insertions, deletions and substitutions that turn `a` into `b`.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or_default();
            let here = (diagonal + usize::from(from != *to)).min(above + 1).min(left + 1);
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            diagonal = above;
            left = here;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_its_name_and_another_word_finds_none() {
        assert_eq!(nearest("ONEPOD_LISTN"), Some("ONEPOD_LISTEN"));
        assert_eq!(nearest("ONEPOD_LOGFORMAT"), Some("ONEPOD_LOG_FORMAT"));
        assert_eq!(nearest("ONEPOD_DISABLED"), Some("ONEPOD_DISABLE"));
        assert_eq!(nearest("ONEPOD_REPLICATION"), None);
    }

    #[test]
    fn the_reference_has_a_row_for_each_setting_and_files_for_secrets() {
        let text = reference();
        assert_eq!(text.lines().count(), TABLE.len() + 2);
        assert!(text.contains("| `ONE_KEY` or `ONE_KEY_FILE` |"), "{text}");
        assert!(text.contains("| `DB_PORT` | 3306 |"), "{text}");
    }

    #[test]
    fn each_setting_is_described_once() {
        for setting in TABLE {
            assert_eq!(
                TABLE.iter().filter(|other| other.name == setting.name).count(),
                1,
                "{}",
                setting.name
            );
            assert!(setting.description.ends_with('.'), "{}", setting.name);
        }
    }
}
