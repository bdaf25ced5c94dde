//! The pod's state as one value, gathered when someone asks: for `/status` in both forms and for `/metrics`.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;

use super::liveness::EventLoop;
use super::usage::{CpuCounters, UsageCache};
use crate::board::Board;
use crate::board::status::Status;
use crate::log::Log;
use crate::reaper::Reaper;

/// What the answers are made of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Stages and services.
    pub board: Board,
    /// How many orphans there were.
    pub reaper: Reaper,
    /// How many lines were lost.
    pub log: Log,
    /// The file with OpenNebula's release.
    pub release: PathBuf,
    /// When onepod began.
    pub started_at: Timestamp,
    /// What the services have used so far.
    pub cpu: CpuCounters,
    /// What they use now.
    pub usage: UsageCache,
    /// Whether PID 1 responds.
    pub event_loop: EventLoop,
}

impl Sources {
    /// Everything as it is now. It may walk through `/proc`, so it is not for an event loop that others wait for.
    #[must_use]
    pub fn status(&self) -> Status {
        let board = &self.board;
        let reasons = board.reasons();
        let mut services = board.services();
        let leaders: Vec<u32> = services.iter().filter_map(|service| service.pid).collect();
        let usage = self.usage.of_services(&leaders);
        for service in &mut services {
            let used = service.pid.and_then(|pid| Some((pid, *usage.get(&pid)?)));
            if let Some((pid, used)) = used {
                service.memory_kib = Some(used.memory_kib);
                service.processes = Some(used.processes);
                service.cpu_seconds = Some(self.cpu.count(&service.name, pid, used.cpu_seconds));
            } else {
                service.cpu_seconds = self.cpu.last(&service.name);
            }
        }
        Status {
            onepod: env!("CARGO_PKG_VERSION").to_owned(),
            release: fs::read_to_string(&self.release)
                .ok()
                .map(|text| text.trim().to_owned()),
            phase: board.phase(),
            ready: reasons.is_empty(),
            reasons,
            started_at: self.started_at,
            orphans_reaped: self.reaper.orphans_reaped(),
            log_lines_dropped: self.log.dropped(),
            stages: board.stages(),
            services,
            timers: board.timers(),
            database: board.database(),
            remotes: board.remotes(),
            errors: board.errors(),
            plan: board.plan(),
            timeline: board.timeline(),
        }
    }
}
