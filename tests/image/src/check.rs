//! The list of checks, each with what must be true. What they do is in the files of `check/`.

mod configuration;
mod enabled;
mod from_nothing;
mod healthcheck;
mod left_out;
mod migrators;
mod packages;
mod ports;
mod privileges;
mod sockets;
mod written_paths;

use anyhow::Result;
use faults::front_end::Identity;

use crate::context::Context;
use crate::stand::Stand;

/// Something that must be true of the image.
pub(crate) struct Check {
    /// Its name on the command line and in the table.
    pub(crate) name: &'static str,
    /// What must be true.
    pub(crate) expected: &'static str,
    /// Looks.
    pub(crate) run: Run,
}

/// What a check looks at; it gives what it saw, in a few words.
pub(crate) enum Run {
    /// The files and the configuration.
    Unpacked(fn(&Context) -> Result<String>),
    /// Containers that run as somebody.
    Started(Identity, fn(&Context, &mut Stand) -> Result<Seen>),
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// In a few words.
    pub(crate) text: String,
    /// More of it as Markdown, for the report.
    pub(crate) gathered: String,
}

impl From<String> for Seen {
    fn from(text: String) -> Self {
        Self {
            text,
            gathered: String::new(),
        }
    }
}

/// A user that a platform such as `OpenShift` makes up for a project: none of the image's, in the group root.
const SOMEBODY: Identity = Identity {
    user: 1_000_650_000,
    group: 0,
};

/// All of them, in the order of the table.
pub(crate) const ALL: &[Check] = &[
    Check {
        name: "packages",
        expected: "OpenNebula's packages of exactly this release, and none of an init system, editors, npm or gnupg; no program of sudo or \
                   cron, whose packages are there only when OpenNebula's depend on them",
        run: Run::Unpacked(packages::run),
    },
    Check {
        name: "migrators",
        expected: "onedb has the step to this release's schema, for the shared and for the local tables",
        run: Run::Unpacked(migrators::run),
    },
    Check {
        name: "privileges",
        expected: "no setuid or setgid file, no file capability, no sudoers; oneadmin is 9869:9869 at home in /var/lib/one",
        run: Run::Unpacked(privileges::run),
    },
    Check {
        name: "left-out",
        expected: "no lists, caches, logs, documentation but copyrights, credentials, or source of the packages",
        run: Run::Unpacked(left_out::run),
    },
    Check {
        name: "configuration",
        expected: "user, command, stop signal, health check and labels are the published ones; no secret in the environment",
        run: Run::Unpacked(configuration::run),
    },
    Check {
        name: "from-nothing",
        expected: "ready without any setting; the password that it prints on demand logs in and is nowhere else; the same after a restart",
        run: Run::Started(Identity::ONEADMIN, from_nothing::run),
    },
    Check {
        name: "ports",
        expected: "it listens on the ports that the image exposes, and on no other",
        run: Run::Started(Identity::ONEADMIN, ports::run),
    },
    Check {
        name: "healthcheck",
        expected: "the health check exits with 0 when the front-end is ready, and with 1 when it is not",
        run: Run::Started(Identity::ONEADMIN, healthcheck::run),
    },
    Check {
        name: "written-paths",
        expected: "with a root that can be written, nothing is written but below the mounts",
        run: Run::Started(Identity::ONEADMIN, written_paths::run),
    },
    Check {
        name: "arbitrary-uid",
        expected: "the same from nothing as a user that is not the image's, in the group root, and the user has a name",
        run: Run::Started(SOMEBODY, from_nothing::as_somebody),
    },
    Check {
        name: "oneks-enabled",
        expected: "OneKS is off; enabled without what it needs, it is tried again with backoff, the pod is ready, and log and status say what is \
                   missing",
        run: Run::Started(Identity::ONEADMIN, enabled::run),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_for_a_folder() {
        let mut names: Vec<_> = ALL.iter().map(|check| check.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
        );
    }
}
