//! `/metrics`: the pod's numbers in the OpenMetrics text format.
//!
//! Everything is gathered when someone asks and forgotten afterwards; between two questions nothing is counted that the
//! pod does not count anyway. docs/metrics.md tells what each name means.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::report::Sources;
use super::usage::{self, Usage};
use crate::board::probes::{BOUNDS, ProbeStats};
use crate::board::status::{Phase, Status};
use crate::board::{DatabaseLock, ServiceState, StageState};

/// The media type of the answer.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything as text.
pub(super) fn render(sources: &Sources) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape {
        status: sources.status(),
        probes: sources.board.probes(),
        start_seconds: sources.board.start_seconds(),
        records: sources.log.totals(),
        own: usage::of_this_process(),
    }));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape {
    status: Status,
    probes: Vec<ProbeStats>,
    start_seconds: Vec<(String, f64)>,
    records: Vec<(String, u64)>,
    own: Usage,
}

/// The labels of one sample.
type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        self.pod(&mut out)?;
        self.stages(&mut out)?;
        self.services(&mut out)?;
        self.probes(&mut out)?;
        self.timers(&mut out)?;
        self.database(&mut out)?;
        self.process(&mut out)
    }
}

impl Scrape {
    fn pod(&self, out: &mut Out<'_>) -> fmt::Result {
        let status = &self.status;
        out.info(
            "onepod_build",
            "Versions of onepod and of OpenNebula.",
            &[
                ("version", &status.onepod),
                ("release", status.release.as_deref().unwrap_or("unknown")),
            ],
        )?;
        let started =
            f64::from(i32::try_from(status.started_at.as_millisecond() % 1000).unwrap_or(0)) / 1000.0;
        out.gauge(
            "onepod_start_time_seconds",
            "When onepod began, in seconds since 1970.",
            [(
                vec![],
                seconds_since_1970(status.started_at.as_second()) + started,
            )],
        )?;
        out.gauge(
            "onepod_ready",
            "1 while all essential services are ready.",
            [(vec![], u64::from(status.ready))],
        )?;
        let phases = [Phase::Preparing, Phase::Running, Phase::Stopping];
        out.gauge(
            "onepod_phase",
            "1 for the phase that the pod is in.",
            phases.map(|phase| (vec![("phase", phase.name())], u64::from(phase == status.phase))),
        )?;
        out.counter(
            "onepod_orphans_reaped",
            "Processes that were reaped for services that had left them behind.",
            [(vec![], status.orphans_reaped)],
        )?;
        out.counter(
            "onepod_log_lines_dropped",
            "Log lines that were lost because standard output was not read.",
            [(vec![], status.log_lines_dropped)],
        )?;
        let differences = status.remotes.as_ref().map(|remotes| remotes.differences.len());
        out.gauge(
            "onepod_remotes_differences",
            "Files of the remotes that differ from the release's.",
            differences.map(|count| (vec![], u64::try_from(count).unwrap_or(u64::MAX))),
        )
    }

    fn stages(&self, out: &mut Out<'_>) -> fmt::Result {
        let finished = || {
            self.status
                .stages
                .iter()
                .filter(|stage| matches!(stage.state, StageState::Done | StageState::Failed))
        };
        out.gauge(
            "onepod_stage_seconds",
            "Seconds that a stage of the start took.",
            finished().map(|stage| (vec![("stage", stage.name.as_str())], stage.seconds)),
        )?;
        out.gauge(
            "onepod_stage_notes",
            "Warnings of a stage of the start.",
            finished().map(|stage| {
                let notes = u64::try_from(stage.notes.len()).unwrap_or(u64::MAX);
                (vec![("stage", stage.name.as_str())], notes)
            }),
        )
    }

    fn services(&self, out: &mut Out<'_>) -> fmt::Result {
        let services = || self.status.services.iter();
        out.gauge(
            "onepod_service_state",
            "1 for the state that a service is in.",
            services().flat_map(|service| {
                ServiceState::ALL.into_iter().map(|state| {
                    (
                        vec![("service", service.name.as_str()), ("state", state.name())],
                        u64::from(service.state == state),
                    )
                })
            }),
        )?;
        out.gauge(
            "onepod_service_essential",
            "1 for a service without which the pod is not ready.",
            services().map(|service| (of(&service.name), u64::from(service.essential))),
        )?;
        out.counter(
            "onepod_service_restarts",
            "How often a service was started again.",
            services().map(|service| (of(&service.name), u64::from(service.restarts))),
        )?;
        out.counter(
            "onepod_log_records",
            "Records that a service has logged; a trace of many lines is one.",
            self.records.iter().map(|(service, total)| (of(service), *total)),
        )?;
        out.gauge(
            "onepod_service_start_seconds",
            "Seconds from the latest start of a service until it was ready.",
            self.start_seconds
                .iter()
                .map(|(service, seconds)| (of(service), *seconds)),
        )?;
        out.gauge(
            "onepod_service_memory_bytes",
            "Resident memory of all processes of a service.",
            services().filter_map(|service| Some((of(&service.name), service.memory_kib? * 1024))),
        )?;
        out.counter(
            "onepod_service_cpu_seconds",
            "Processor time of all processes of a service, over all its runs.",
            services().filter_map(|service| Some((of(&service.name), service.cpu_seconds?))),
        )?;
        out.gauge(
            "onepod_service_processes",
            "Living processes of a service.",
            services().filter_map(|service| Some((of(&service.name), u64::from(service.processes?)))),
        )
    }

    fn probes(&self, out: &mut Out<'_>) -> fmt::Result {
        if !self.probes.is_empty() {
            let mut metric = out.0.encode_descriptor(
                "onepod_probe_seconds",
                "How long a probe of a service took.",
                None,
                MetricType::Histogram,
            )?;
            for probe in &self.probes {
                let mut buckets: Vec<(f64, u64)> = BOUNDS.into_iter().zip(probe.buckets).collect();
                let beyond = probe.count - probe.buckets.iter().sum::<u64>();
                buckets.push((f64::INFINITY, beyond));
                let labels: Labels<'_> = of(&probe.name);
                metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                    probe.sum,
                    probe.count,
                    &buckets,
                    None,
                )?;
            }
        }
        out.counter(
            "onepod_probe_failures",
            "Probes of a service that were answered with no, or not in time.",
            self.probes.iter().map(|probe| (of(&probe.name), probe.failures)),
        )
    }

    fn timers(&self, out: &mut Out<'_>) -> fmt::Result {
        let timers = || self.status.timers.iter();
        out.counter(
            "onepod_timer_runs",
            "Runs of a timer.",
            timers().map(|timer| (vec![("timer", timer.name.as_str())], u64::from(timer.runs))),
        )?;
        out.counter(
            "onepod_timer_failures",
            "Runs of a timer that failed.",
            timers().map(|timer| (vec![("timer", timer.name.as_str())], u64::from(timer.failures))),
        )?;
        out.gauge(
            "onepod_timer_last_run_timestamp_seconds",
            "When the last run of a timer began, in seconds since 1970.",
            timers().filter_map(|timer| {
                let last = seconds_since_1970(timer.last?.as_second());
                Some((vec![("timer", timer.name.as_str())], last))
            }),
        )
    }

    fn database(&self, out: &mut Out<'_>) -> fmt::Result {
        let Some(database) = &self.status.database else {
            return Ok(());
        };
        out.info(
            "onepod_database",
            "The database and what was found in it at the start.",
            &[
                ("backend", &database.backend),
                ("schema", database.schema.as_deref().unwrap_or_default()),
                ("class", &database.class),
            ],
        )?;
        let held = database.lock == DatabaseLock::Held;
        out.gauge(
            "onepod_database_lock_held",
            "1 while the lease is held that keeps other front-ends off the database.",
            [(vec![], u64::from(held))],
        )?;
        out.gauge(
            "onepod_database_dumps",
            "Dumps of the database that are kept on the volume.",
            [(vec![], u64::from(database.dumps))],
        )
    }

    fn process(&self, out: &mut Out<'_>) -> fmt::Result {
        out.gauge(
            "process_resident_memory_bytes",
            "Resident memory of onepod itself.",
            [(vec![], self.own.memory_kib * 1024)],
        )?;
        out.counter(
            "process_cpu_seconds",
            "Processor time of onepod itself.",
            [(vec![], self.own.cpu_seconds)],
        )
    }
}

fn of(service: &str) -> Labels<'_> {
    vec![("service", service)]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 fit a float's 52 bits for a while"
)]
fn seconds_since_1970(seconds: i64) -> f64 {
    seconds as f64
}

/// Writes families; one without samples is left out.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn gauge<'l, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            // With no labels the encoder of families writes empty braces.
            if labels.is_empty() {
                metric.encode_gauge(&value)?;
            } else {
                metric.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn counter<'l, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            let none = None::<&Exemplar<NoLabelSet, u64>>;
            if labels.is_empty() {
                metric.encode_counter::<NoLabelSet, _, u64>(&value, none)?;
            } else {
                let mut family = metric.encode_family(&labels)?;
                family.encode_counter::<NoLabelSet, _, u64>(&value, none)?;
            }
        }
        Ok(())
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&'static str, &str)]) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Info)?
            .encode_info(&labels.to_vec())
    }
}

#[cfg(test)]
mod tests;
