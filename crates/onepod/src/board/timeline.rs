//! When the stages and the services of the start began and were ready, as a list of bars.
//!
//! The services' moments are derived from the states that the supervisor records. What happens after the start is left
//! out: it grows without end, and the log tells it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{ServiceState, ServiceView};

/// So many runs of one service are kept; a service that needs more has a trouble of its own.
const RUNS: usize = 8;

/// One bar of the start's timeline. All times are seconds since onepod began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// The stage or service.
    pub name: String,
    /// Which of the two.
    pub kind: BarKind,
    /// When it began.
    pub begins: f64,
    /// When it was ready or done.
    pub ready: Option<f64>,
    /// When it ended without having done its work.
    pub failed: Option<f64>,
}

/// What a bar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BarKind {
    /// A stage before the services.
    Stage,
    /// One run of a service or a task.
    Service,
}

/// The services' moments.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    name: String,
    pid: Option<u32>,
    runs: bool,
    began: f64,
    /// Seconds from the start of its latest run until it was ready.
    start_seconds: Option<f64>,
    ready: bool,
    bars: Vec<Bar>,
}

impl Timeline {
    /// Notes what is new in the services' states.
    pub(super) fn see(&mut self, services: &[ServiceView], began: Instant, start_is_over: bool) {
        let now = began.elapsed().as_secs_f64();
        for service in services {
            let position = self.tracks.iter().position(|track| track.name == service.name);
            if let Some(track) = position.and_then(|position| self.tracks.get_mut(position)) {
                track.see(service, now, start_is_over);
            } else {
                let mut track = Track::new(service.name.clone());
                track.see(service, now, start_is_over);
                self.tracks.push(track);
            }
        }
    }

    pub(super) fn bars(&self) -> impl Iterator<Item = Bar> + '_ {
        self.tracks.iter().flat_map(|track| track.bars.iter().cloned())
    }

    /// Seconds that the latest start of each service took, of those that have been ready.
    pub(super) fn start_seconds(&self) -> Vec<(String, f64)> {
        self.tracks
            .iter()
            .filter_map(|track| Some((track.name.clone(), track.start_seconds?)))
            .collect()
    }
}

impl Track {
    fn new(name: String) -> Self {
        Self {
            name,
            pid: None,
            runs: false,
            began: 0.0,
            start_seconds: None,
            ready: false,
            bars: Vec::new(),
        }
    }

    fn see(&mut self, service: &ServiceView, now: f64, start_is_over: bool) {
        let runs = matches!(
            service.state,
            ServiceState::Starting | ServiceState::Running | ServiceState::Ready | ServiceState::Unready
        );
        let ready = matches!(service.state, ServiceState::Ready | ServiceState::Done);
        // What is built in runs without a process.
        if self.runs && (!runs || self.pid != service.pid) && !ready {
            self.end(now);
            self.runs = false;
        }
        if runs && !self.runs {
            self.began = now;
            self.ready = false;
            if !start_is_over && self.bars.len() < RUNS {
                self.bars.push(Bar {
                    name: self.name.clone(),
                    kind: BarKind::Service,
                    begins: now,
                    ready: None,
                    failed: None,
                });
            }
        }
        self.runs = runs;
        self.pid = service.pid;
        if ready && !self.ready {
            self.ready = true;
            self.start_seconds = Some(now - self.began);
            if let Some(bar) = self.open_bar() {
                bar.ready = Some(now);
            }
        }
    }

    /// A run that was never ready has failed.
    fn end(&mut self, now: f64) {
        if !self.ready
            && let Some(bar) = self.open_bar()
        {
            bar.failed = Some(now);
        }
    }

    fn open_bar(&mut self) -> Option<&mut Bar> {
        self.bars
            .last_mut()
            .filter(|bar| bar.ready.is_none() && bar.failed.is_none())
    }
}
