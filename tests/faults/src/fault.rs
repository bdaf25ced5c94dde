//! The list of faults, each with what must come of it. What they do is in the files of `fault/`.

mod clock;
mod credentials;
mod database;
mod first_start;
mod host_copy;
mod keys;
mod kills;
mod logs;
mod migration;
mod pods;
mod services;
mod stops;
mod volume;

use anyhow::Result;

use faults::world::World;

/// Something that breaks, and what must come of it.
pub(crate) struct Fault {
    /// Its name on the command line and in the table.
    pub(crate) name: &'static str,
    /// What must come of it.
    pub(crate) expected: &'static str,
    /// Breaks it and looks; gives what was seen, in a few words.
    pub(crate) run: fn(&mut World) -> Result<String>,
}

impl Fault {
    /// Name and expectation in one line.
    pub(crate) fn line(&self) -> String {
        format!("{:28} {}", self.name, self.expected)
    }

    /// How many times as long as others it may take: more than once when more rounds of it were asked for.
    pub(crate) fn rounds(&self) -> u32 {
        if self.name == first_start::NAME {
            first_start::rounds().div_ceil(first_start::ROUNDS)
        } else {
            1
        }
    }
}

const fn fault(name: &'static str, expected: &'static str, run: fn(&mut World) -> Result<String>) -> Fault {
    Fault { name, expected, run }
}

/// All of them, in the order of the table.
pub(crate) const ALL: &[Fault] = &[
    fault(
        "kill-services",
        "kill -9 of each service in turn: each runs again by itself, in the same container; same data",
        kills::services,
    ),
    fault(
        "kill-pid1",
        "kill -9 of onepod: the container ends; started again in the same pod, same data",
        kills::pid1,
    ),
    fault(
        first_start::NAME,
        "container, oned or database killed somewhere in the first start on an empty database: a complete cloud",
        first_start::killed,
    ),
    fault(
        "stale-lock",
        "oned's lock and the sockets of a dead predecessor are in the way: it starts all the same",
        kills::stale_lock,
    ),
    fault(
        "database-lost",
        "database killed and back while running: not ready with the reason, alive, same oned; same data",
        database::lost_and_back,
    ),
    fault(
        "database-hangs",
        "the database stops answering: not ready with the reason, alive, oned started again once it has no lease; asked to stop meanwhile: exit 0; same data",
        database::hangs,
    ),
    fault(
        "database-wrong-password",
        "waits, names the setting and not the password; ready in the same container once the Secret is mended",
        database::wrong_password,
    ),
    fault(
        "database-absent",
        "no database at the start: waits and names it, alive; ready when it comes (20 s here; 5 minutes in paused time in onepod's tests)",
        database::absent_at_start,
    ),
    fault(
        "database-newer",
        "refused: exit 1, both versions and the next step named, nothing written to the database",
        database::newer,
    ),
    fault(
        "migration-fails",
        "the dump is restored, exit 1 with versions and next step, again at the next start; with the tool mended: migrated, same data",
        migration::fails,
    ),
    fault(
        "migration-killed",
        "kill -9 half-way: the next start restores the dump and migrates; same data",
        migration::killed,
    ),
    fault(
        "migration-stopped",
        "SIGTERM half-way: exit 0, and the next start restores the dump and migrates; same data",
        migration::stopped,
    ),
    fault(
        "migration-no-room",
        "no room for the dump: refused, exit 1, nothing begun; with room again: migrated, same data",
        migration::no_room,
    ),
    fault(
        "two-pods",
        "two pods on one database: the second waits and names the first; it takes over when that is gone; same data",
        pods::two_on_one_database,
    ),
    fault(
        "two-pods-one-volume",
        "two pods on one volume with the database in a file: the second waits and names the first; same data",
        pods::two_on_one_volume,
    ),
    fault(
        "secret-oneadmin",
        "oneadmin's password rotated: the new one is good without a restart, the old one is not; same data",
        credentials::oneadmin,
    ),
    fault(
        "secret-oneadmin-unknown",
        "oneadmin's password changed in OpenNebula alone: not ready with setting and next step, alive; ready once the Secret says it, also at a start; same data",
        credentials::oneadmin_unknown,
    ),
    fault(
        "secret-serveradmin",
        "serveradmin's secret rotated: files rewritten, FireEdge logs in with it, same oned; same data",
        credentials::serveradmin,
    ),
    fault(
        "secret-database",
        "the database's password rotated: in use without a new container, also after the database restarts; same data",
        credentials::database,
    ),
    fault(
        "secret-fireedge-key",
        "FireEdge's key rotated: FireEdge starts again with it, sessions of before are refused, same oned; same data",
        keys::fireedge,
    ),
    fault(
        "secret-ssh-key",
        "the ssh key rotated: files and agent have the new one, the old one is kept aside and named, same oned; same data",
        keys::ssh,
    ),
    fault(
        "secret-missing-key",
        "while running: nothing changes; at the start: refused, exit 64, setting and file named; same data",
        credentials::missing_key,
    ),
    fault(
        "volume-lost",
        "an empty volume and the old database: credentials are made good, every service logs in; same data in the database",
        credentials::volume_lost,
    ),
    fault(
        "database-lost-volume-kept",
        "an empty database and the old volume: bootstrapped again, stale files kept aside and named; the user's files stay",
        credentials::database_lost,
    ),
    fault(
        "service-keeps-failing",
        "oned ends at once, each time: after 5 runs exit 1, with name, count, exit and last lines; mended: same data",
        services::keeps_failing,
    ),
    fault(
        "service-never-ready",
        "OneFlow hangs: stopped and tried again, pod ready; oned hangs: exit 1 with the reason; mended: same data",
        services::never_ready,
    ),
    fault(
        "volume-foreign",
        "refused: exit 1, path, owner and fsGroup named; with the owner mended, same data",
        volume::foreign,
    ),
    fault(
        "volume-full",
        "at the start: refused, exit 1, the path and the remedy named; with room again, same data",
        volume::full,
    ),
    fault(
        "volume-full-running",
        "while running: stays alive, the API works; with room again nothing was lost",
        volume::full_while_running,
    ),
    fault(
        "read-only-root",
        "the root cannot be written, and nothing needs it; each missing emptyDir is refused by its name",
        volume::read_only_root,
    ),
    fault(
        "sigterm-stages",
        "SIGTERM during every stage of first and later starts: exit 0, and the next start is whole; same data",
        stops::every_stage,
    ),
    fault(
        "host-copy",
        "a hypervisor copies to the front-end and back without root there; strangers are refused; the host key stays",
        host_copy::works,
    ),
    fault(
        "clock-jump",
        "onepod's clock a day forward, then two back: ready, no service started again, timers neither burst nor stand still; same data",
        clock::jumps,
    ),
    fault(
        "log-idle",
        "nothing happens for 40 s: what the services answer to onepod's own probes is in their files and not in the stream",
        logs::idle,
    ),
    fault(
        "log-flood",
        "10,000 lines/s and a reader that is stuck: no service is held up, the API answers, losses are counted",
        logs::stuck_reader,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_for_a_folder() {
        let mut names: Vec<_> = ALL.iter().map(|fault| fault.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }));
    }
}
