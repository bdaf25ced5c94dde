//! Memory and processor time of whole services, from one look through `/proc`.
//!
//! A service is the group of its process and every descendant, also one that has left the group. Looked at only when
//! someone asks, and kept for a while: the walk takes time in proportion to the number of processes.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two walks through `/proc` for the same services, at least.
const WALK_INTERVAL: Duration = Duration::from_secs(2);

/// After a walk this many times its own duration passes without another: walks take a small part of one processor,
/// however many processes there are.
const WALK_PAUSE: u32 = 20;

/// What a service uses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Resident memory of its processes, in KiB; pages that they share are counted for each of them.
    pub memory_kib: u64,
    /// Processor time of its living processes and of those that they have waited for, in seconds.
    pub cpu_seconds: f64,
    /// Its living processes.
    pub processes: u32,
}

/// The fields of `/proc/PID/stat` that matter here, see `proc_pid_stat(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    group: u32,
    /// utime and stime together, in ticks.
    own_ticks: u64,
    /// cutime and cstime together, in ticks: of children that it has waited for.
    waited_ticks: u64,
    /// Resident pages.
    pages: u64,
}

/// The usage of services, from the last walk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct UsageCache {
    walk: Arc<Mutex<Option<Walk>>>,
}

#[derive(Debug)]
struct Walk {
    leaders: Vec<u32>,
    usage: HashMap<u32, Usage>,
    done: Instant,
    took: Duration,
}

impl Walk {
    /// Whether it may stand for the usage of these services: for others only where the last walk was costly.
    fn is_fresh(&self, leaders: &[u32], now: Instant) -> bool {
        let age = now.saturating_duration_since(self.done);
        age < self.took * WALK_PAUSE || (age < WALK_INTERVAL && self.leaders == leaders)
    }
}

impl UsageCache {
    /// The usage of every service in `leaders`, which are the numbers of their processes.
    #[must_use]
    pub fn of_services(&self, leaders: &[u32]) -> HashMap<u32, Usage> {
        // Whoever asks meanwhile waits for this walk and needs none of its own.
        let mut walk = self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now();
        if let Some(walk) = walk.as_ref().filter(|walk| walk.is_fresh(leaders, start)) {
            return walk.usage.clone();
        }
        let usage = by_service(&processes(), leaders);
        *walk = Some(Walk {
            leaders: leaders.to_owned(),
            usage: usage.clone(),
            done: Instant::now(),
            took: start.elapsed(),
        });
        usage
    }
}

fn by_service(processes: &HashMap<u32, Stat>, leaders: &[u32]) -> HashMap<u32, Usage> {
    let mut known = HashMap::with_capacity(processes.len());
    let mut usage: HashMap<u32, Usage> = HashMap::new();
    for (pid, stat) in processes {
        if let Some(leader) = leader(*pid, processes, leaders, &mut known) {
            add(usage.entry(leader).or_default(), stat);
        }
    }
    usage
}

/// The usage of this process; its children have their own, although it waits for all of them.
#[must_use]
pub fn of_this_process() -> Usage {
    let mut usage = Usage::default();
    if let Some(stat) = stat(Path::new("/proc/self")) {
        let alone = Stat {
            waited_ticks: 0,
            ..stat
        };
        add(&mut usage, &alone);
    }
    usage
}

fn add(usage: &mut Usage, stat: &Stat) {
    usage.memory_kib += stat.pages * page_kib();
    usage.cpu_seconds += seconds(stat.own_ticks + stat.waited_ticks);
    usage.processes += 1;
}

fn page_kib() -> u64 {
    u64::try_from(rustix::param::page_size()).map_or(4, |bytes| bytes / 1024)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ticks of a processor are far fewer than 2^52"
)]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second().max(1) as f64
}

/// The service that a process belongs to: by its own group, else by the nearest ancestor that belongs to one. What is
/// found is noted for all ancestors in between, so that a long chain is gone through once.
fn leader(
    pid: u32,
    processes: &HashMap<u32, Stat>,
    leaders: &[u32],
    known: &mut HashMap<u32, Option<u32>>,
) -> Option<u32> {
    let mut between = Vec::new();
    let mut at = pid;
    let found = loop {
        if let Some(found) = known.get(&at) {
            break *found;
        }
        let Some(stat) = processes.get(&at) else {
            break None;
        };
        if leaders.contains(&stat.group) {
            break Some(stat.group);
        }
        // Numbers may be given anew while we read: a circle ends where it began.
        known.insert(at, None);
        between.push(at);
        at = stat.parent;
    };
    known.extend(between.into_iter().map(|pid| (pid, found)));
    found
}

fn processes() -> HashMap<u32, Stat> {
    let Ok(directory) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    directory
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, stat(&entry.path())?))
        })
        .collect()
}

fn stat(process: &Path) -> Option<Stat> {
    parse(&fs::read_to_string(process.join("stat")).ok()?)
}

/// Fields 4 (ppid), 5 (pgrp), 14 to 17 (times) and 24 (rss).
fn parse(stat: &str) -> Option<Stat> {
    // The command's name, field 2, is in parentheses and may itself hold blanks and parentheses.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ').skip(1);
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let mut fields = fields.skip(8);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let own_ticks = ticks()? + ticks()?;
    let waited_ticks = ticks()? + ticks()?;
    let pages = fields.nth(6)?.parse().ok()?;
    Some(Stat {
        parent,
        group,
        own_ticks,
        waited_ticks,
        pages,
    })
}

/// Processor time of the services over all their runs. A counter never goes back, not even when a process goes whose
/// time nobody waited for.
#[derive(Debug, Clone, Default)]
pub struct CpuCounters {
    known: Arc<Mutex<HashMap<String, Counted>>>,
}

#[derive(Debug, Default)]
struct Counted {
    pid: u32,
    /// Of the runs before.
    before: f64,
    /// Of this run, as far as it was seen.
    seen: f64,
}

impl CpuCounters {
    /// The counter of a service, after its process was seen with this much.
    pub fn count(&self, service: &str, pid: u32, seconds: f64) -> f64 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = known.entry(service.to_owned()).or_default();
        if counted.pid != pid {
            counted.before += counted.seen;
            counted.seen = 0.0;
            counted.pid = pid;
        }
        counted.seen = counted.seen.max(seconds);
        counted.before + counted.seen
    }

    /// The counter of a service that has no process now.
    #[must_use]
    pub fn last(&self, service: &str) -> Option<f64> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(service).map(|counted| counted.before + counted.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let line = "7 (a ) (b) S 3 5 5 0 -1 4194560 1 2 3 4 100 20 3 1 20 0 1 0 99 1234 640 18446744073709551615 1 1 0";
        assert_eq!(
            parse(line),
            Some(Stat {
                parent: 3,
                group: 5,
                own_ticks: 120,
                waited_ticks: 4,
                pages: 640
            })
        );
        assert_eq!(parse("7 (cut"), None);
    }

    #[test]
    fn a_chain_of_processes_is_gone_through_once_and_a_circle_ends() {
        let stat = |parent| Stat {
            parent,
            group: parent,
            own_ticks: 0,
            waited_ticks: 0,
            pages: 1,
        };
        // Each one is the child of the one before and has a group that is not a service's. Gone through for each of them, this
        // would take 20 billion steps.
        let mut processes: HashMap<u32, Stat> = (2..200_000).map(|pid| (pid, stat(pid - 1))).collect();
        assert_eq!(by_service(&processes, &[1])[&1].processes, 199_998);
        processes.insert(2, stat(199_999));
        assert_eq!(by_service(&processes, &[300_000]), HashMap::new());
    }

    #[test]
    fn one_walk_answers_many_questions() {
        let own = u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()).unwrap();
        let cache = UsageCache::default();
        let _ = cache.of_services(&[own]);
        let done = || cache.walk.lock().unwrap().as_ref().unwrap().done;
        let first = done();
        let _ = cache.of_services(&[own]);
        assert_eq!(done(), first);
        let mut walk = cache.walk.lock().unwrap().take().unwrap();
        walk.took = Duration::from_millis(1);
        for (leaders, age, fresh) in [
            (&[own][..], 1_900, true),
            (&[own], 2_100, false),
            (&[own, 1], 10, true),
            (&[own, 1], 30, false),
        ] {
            let now = walk.done + Duration::from_millis(age);
            assert_eq!(walk.is_fresh(leaders, now), fresh, "{leaders:?} after {age} ms");
        }
        walk.took = Duration::from_secs(1);
        assert!(walk.is_fresh(&[own], walk.done + Duration::from_secs(19)));
    }

    #[test]
    fn a_descendant_that_has_left_the_group_belongs_to_its_service() {
        let stat = |parent, group| Stat {
            parent,
            group,
            own_ticks: 0,
            waited_ticks: 0,
            pages: 0,
        };
        let processes = HashMap::from([
            (1, stat(0, 1)),
            (10, stat(1, 10)),
            (11, stat(10, 10)),
            (12, stat(11, 12)),
            (13, stat(12, 12)),
            (20, stat(1, 20)),
            (30, stat(1, 30)),
        ]);
        let of = |pid| leader(pid, &processes, &[10, 20], &mut HashMap::new());
        assert_eq!(
            [of(1), of(10), of(11), of(13), of(20), of(30)],
            [None, Some(10), Some(10), Some(10), Some(20), None]
        );
    }

    #[test]
    fn this_process_uses_memory_and_a_counter_never_goes_back() {
        assert!(of_this_process().memory_kib > 500);
        let counters = CpuCounters::default();
        let all: Vec<f64> = [(2, 1.0), (2, 3.0), (2, 2.0), (9, 0.5), (9, 1.5)]
            .into_iter()
            .map(|(pid, seconds)| counters.count("oned", pid, seconds))
            .collect();
        assert_eq!(all, [1.0, 3.0, 3.0, 3.5, 4.5]);
        assert_eq!(counters.last("oned"), Some(4.5));
        assert_eq!(counters.last("other"), None);
    }
}
