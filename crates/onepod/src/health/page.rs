//! `/status` for people: one HTML page with everything that the JSON has, for whoever's client says that it takes HTML.
//!
//! It is whole in itself and still: no script, nothing from elsewhere, nothing that could be changed from it. All text that
//! does not stem from here is escaped, and the policy in the answer's head lets the browser load nothing but this style.

use std::fmt::{self, Write as _};

use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, REFRESH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::board::status::{Phase, Status};
use crate::board::{DatabaseLock, RemoteKind, ServiceState, ServiceView, StageState, TimerState};
use crate::format::{count, mebibytes, span};

mod graph;
mod html;
mod timeline;

use html::Escaped;

const STYLE: &str = include_str!("page/style.css");

/// The shortest and longest time between two refreshes, in seconds.
const REFRESHES: std::ops::RangeInclusive<u32> = 1..=3600;

/// Whether a client wants the page: it names HTML, which no probe and no script does.
pub(super) fn wanted(head: &HeaderMap) -> bool {
    head.get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| range.eq_ignore_ascii_case("text/html"))
}

/// The page as an answer; `refresh` has the browser ask again after so many seconds.
pub(super) fn answer(status: &Status, refresh: Option<u32>) -> Response {
    let refresh = refresh.map(|seconds| seconds.clamp(*REFRESHES.start(), *REFRESHES.end()));
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (VARY, "accept".to_owned()),
    ];
    let again = refresh.map(|seconds| [(REFRESH, seconds.to_string())]);
    (head, again, render(status, Timestamp::now(), refresh)).into_response()
}

/// The page as it is at this time; `refresh` is what it says of itself.
#[must_use]
pub fn render(status: &Status, now: Timestamp, refresh: Option<u32>) -> String {
    let mut out = String::with_capacity(48 * 1024);
    let page = Page { status, now };
    // Writing to a String does not fail.
    let _ = page.write(&mut out, refresh);
    out
}

struct Page<'a> {
    status: &'a Status,
    now: Timestamp,
}

impl Page<'_> {
    fn write(&self, out: &mut String, refresh: Option<u32>) -> fmt::Result {
        let release = self.status.release.as_deref().unwrap_or("of unknown release");
        write!(
            out,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>OpenNebula {} – {}</title><style>{STYLE}</style></head><body>",
            Escaped(release),
            self.headline().1,
        )?;
        self.header(out, release, refresh)?;
        out.write_str("<main>")?;
        self.reasons(out)?;
        self.services(out)?;
        self.order(out)?;
        self.start(out)?;
        out.write_str("<div class=\"pair\">")?;
        self.database(out)?;
        self.timers(out)?;
        out.write_str("</div>")?;
        self.remotes(out)?;
        self.errors(out)?;
        write!(
            out,
            "</main><footer>{}; {}. The same as JSON: <code>onepod status --json</code>. Numbers: \
             <a href=\"/metrics\">/metrics</a>.</footer></body></html>",
            count(
                as_count(self.status.orphans_reaped),
                "orphan reaped",
                "orphans reaped"
            ),
            count(
                as_count(self.status.log_lines_dropped),
                "log line dropped",
                "log lines dropped"
            ),
        )
    }

    /// Class and words of the pod's state.
    fn headline(&self) -> (&'static str, &'static str) {
        match (self.status.phase, self.status.ready) {
            (Phase::Running, true) => ("good", "ready"),
            (Phase::Running, false) => ("bad", "not ready"),
            (Phase::Preparing, _) => ("busy", "preparing"),
            (Phase::Stopping, _) => ("warn", "stopping"),
        }
    }

    fn header(&self, out: &mut String, release: &str, refresh: Option<u32>) -> fmt::Result {
        let (class, words) = self.headline();
        let (target, link) = match refresh {
            Some(_) => ("/status".to_owned(), "stop refreshing".to_owned()),
            None => ("?refresh=5".to_owned(), "refresh every 5 s".to_owned()),
        };
        write!(
            out,
            "<header><h1>OpenNebula {} <span class=\"pill {class}\">{words}</span></h1>\
             <p>onepod {} · up {} · as of {} · <a href=\"{target}\">{link}</a></p></header>",
            Escaped(release),
            Escaped(&self.status.onepod),
            span(self.now.duration_since(self.status.started_at)),
            time(self.now),
        )
    }

    fn reasons(&self, out: &mut String) -> fmt::Result {
        if self.status.reasons.is_empty() {
            return Ok(());
        }
        out.write_str("<section class=\"alert\" aria-labelledby=\"reasons\"><h2 id=\"reasons\">Why it is not ready</h2><ul>")?;
        for reason in &self.status.reasons {
            write!(out, "<li>{}</li>", Escaped(reason))?;
        }
        out.write_str("</ul></section>")
    }

    fn services(&self, out: &mut String) -> fmt::Result {
        begin(out, "services", "Services and tasks")?;
        if self.status.services.is_empty() {
            out.write_str(
                "<p class=\"none\">None has been started yet: the stages of the start come first.</p>",
            )?;
            return out.write_str("</section>");
        }
        out.write_str(
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"services\"><table><thead><tr>\
             <th scope=\"col\">Service or task</th><th scope=\"col\">State</th><th scope=\"col\">Since</th>\
             <th scope=\"col\" class=\"number\">Restarts</th><th scope=\"col\" class=\"number\">Memory</th>\
             <th scope=\"col\" class=\"number minor\">CPU</th><th scope=\"col\" class=\"number minor\">Processes</th>\
             <th scope=\"col\" class=\"number minor\">PID</th></tr></thead><tbody>",
        )?;
        for service in &self.status.services {
            self.service(out, service)?;
        }
        out.write_str("</tbody></table></div></section>")
    }

    fn service(&self, out: &mut String, service: &ServiceView) -> fmt::Result {
        let number = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        write!(
            out,
            "<tr><th scope=\"row\">{}{}</th><td><span class=\"pill {}\">{}</span></td><td class=\"since\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number minor\">{}</td>\
             <td class=\"number minor\">{}</td><td class=\"number minor\">{}</td></tr>",
            Escaped(&service.name),
            if service.essential {
                "<span class=\"tag\">essential</span>"
            } else {
                ""
            },
            class(service.state),
            service.state.name(),
            span(self.now.duration_since(service.since)),
            service.restarts,
            number(service.memory_kib.map(mebibytes)),
            number(service.cpu_seconds.map(|seconds| format!("{seconds:.1} s"))),
            number(service.processes.map(|processes| processes.to_string())),
            number(service.pid.map(|pid| pid.to_string())),
        )?;
        let remark = match (&service.cause, &service.last_exit) {
            (Some(cause), _) => Some(cause.clone()),
            (None, Some(exit)) if service.state != ServiceState::Done => Some(format!("last run: {exit}")),
            (None, _) => None,
        };
        if let Some(remark) = remark {
            write!(
                out,
                "<tr class=\"more\"><td colspan=\"8\">{}</td></tr>",
                Escaped(&remark)
            )?;
        }
        Ok(())
    }

    fn order(&self, out: &mut String) -> fmt::Result {
        let state = |name: &str| {
            let service = self.status.services.iter().find(|service| service.name == name);
            service.map_or(ServiceState::Waiting, |service| service.state)
        };
        let nodes: Vec<graph::Node<'_>> = self
            .status
            .plan
            .iter()
            .map(|unit| graph::Node {
                unit,
                state: state(&unit.name),
            })
            .collect();
        if nodes.is_empty() {
            return Ok(());
        }
        begin(out, "order", "Order of the start")?;
        figure(out, "order")?;
        graph::draw(out, &nodes)?;
        out.write_str(
            "</div><figcaption>An arrow leads to what comes after. Dashed arrows are wishes: they hold up nothing for ever. \
             What follows from other arrows is left out. The stop goes the other way.</figcaption></figure></section>",
        )
    }

    fn start(&self, out: &mut String) -> fmt::Result {
        begin(out, "start", "Timeline of the start")?;
        if !self.status.timeline.is_empty() {
            figure(out, "start")?;
            let up = self.now.duration_since(self.status.started_at).as_secs_f64();
            timeline::draw(out, &self.status.timeline, up)?;
            out.write_str(
                "</div><figcaption><span class=\"key stage\"></span>stage <span class=\"key service\"></span>service or task \
                 until it was ready <span class=\"key failed\"></span>failed <span class=\"key open\"></span>not yet\
                 </figcaption></figure>",
            )?;
        }
        let told = |stage: &&crate::board::StageView| {
            !stage.notes.is_empty() || (stage.cause.is_some() && stage.state != StageState::Done)
        };
        let stages: Vec<_> = self.status.stages.iter().filter(told).collect();
        if !stages.is_empty() {
            out.write_str("<ul class=\"notes\">")?;
            for stage in stages {
                for note in stage.cause.iter().chain(&stage.notes) {
                    write!(out, "<li>{}: {}</li>", Escaped(&stage.name), Escaped(note))?;
                }
            }
            out.write_str("</ul>")?;
        }
        out.write_str("</section>")
    }

    fn database(&self, out: &mut String) -> fmt::Result {
        begin(out, "database", "Database")?;
        let Some(database) = &self.status.database else {
            return out.write_str("<p class=\"none\">Nothing is known of it yet.</p></section>");
        };
        let lock = match database.lock {
            DatabaseLock::Held => "<span class=\"pill good\">held by this front-end</span>",
            DatabaseLock::Lost => "<span class=\"pill bad\">lost</span>",
            DatabaseLock::Unknown => "not known yet",
        };
        write!(
            out,
            "<dl><dt>Backend</dt><dd>{}</dd><dt>Server</dt><dd class=\"path\">{}</dd>",
            Escaped(&database.backend),
            Escaped(&database.server),
        )?;
        if let Some(version) = &database.version {
            write!(out, "<dt>Version</dt><dd>{}</dd>", Escaped(version))?;
        }
        write!(
            out,
            "<dt>Schema</dt><dd>{} ({} at the start)</dd><dt>Lock</dt><dd>{lock}</dd><dt>Dumps kept</dt><dd>{}</dd></dl></section>",
            Escaped(database.schema.as_deref().unwrap_or("made by oned")),
            Escaped(&database.class),
            database.dumps,
        )
    }

    fn timers(&self, out: &mut String) -> fmt::Result {
        begin(out, "timers", "Timers")?;
        if self.status.timers.is_empty() {
            return out.write_str("<p class=\"none\">There are none.</p></section>");
        }
        out.write_str(
            "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Timer</th><th scope=\"col\">Next run</th>\
             <th scope=\"col\">Last run</th></tr></thead><tbody>",
        )?;
        for timer in &self.status.timers {
            let next = match (timer.state, timer.next) {
                (TimerState::Waiting, Some(next)) => {
                    format!("in {}", span(next.duration_since(self.now)))
                }
                (state, _) => state.name().to_owned(),
            };
            let last = match timer.last {
                Some(last) => format!("{} ago: {}", span(self.now.duration_since(last)), timer.outcome()),
                None => "–".to_owned(),
            };
            write!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"since\">{next}</td><td class=\"remark\">{}</td></tr>\
                 <tr class=\"more\"><td colspan=\"3\">{}</td></tr>",
                Escaped(&timer.name),
                Escaped(&last),
                Escaped(&timer.schedule),
            )?;
        }
        out.write_str("</tbody></table></div></section>")
    }

    fn remotes(&self, out: &mut String) -> fmt::Result {
        let Some(remotes) = &self.status.remotes else {
            return Ok(());
        };
        begin(out, "remotes", "Remotes")?;
        let release = remotes.release.as_deref().unwrap_or("the image");
        write!(
            out,
            "<p class=\"none\">Files of {}{}; {} from it.</p>",
            Escaped(release),
            match remotes.before.as_deref().filter(|before| *before != release) {
                Some(before) => format!(", before this start of {}", Escaped(before)),
                None => String::new(),
            },
            count(remotes.differences.len(), "file differs", "files differ"),
        )?;
        if !remotes.differences.is_empty() {
            out.write_str(
                "<div class=\"wide\"><table><thead><tr><th scope=\"col\">File</th><th scope=\"col\">How</th>\
                 <th scope=\"col\">Remark</th></tr></thead><tbody>",
            )?;
            for difference in &remotes.differences {
                let class = match difference.kind {
                    RemoteKind::Conflict | RemoteKind::Replaced => "warn",
                    _ => "busy",
                };
                write!(
                    out,
                    "<tr><td class=\"path\">{}</td><td><span class=\"pill {class}\">{}</span></td><td class=\"remark\">{}</td></tr>",
                    Escaped(&difference.path),
                    difference.kind.name(),
                    Escaped(difference.note.as_deref().unwrap_or_default()),
                )?;
            }
            out.write_str("</tbody></table></div>")?;
        }
        out.write_str("</section>")
    }

    fn errors(&self, out: &mut String) -> fmt::Result {
        begin(out, "errors", "Last errors")?;
        if self.status.errors.is_empty() {
            return out.write_str("<p class=\"none\">None since the start.</p></section>");
        }
        out.write_str(
            "<div class=\"wide\"><table><thead><tr><th scope=\"col\">When</th><th scope=\"col\">From</th>\
             <th scope=\"col\">What</th></tr></thead><tbody>",
        )?;
        for error in self.status.errors.iter().rev() {
            let times = if error.times > 1 {
                format!(" ({} times)", error.times)
            } else {
                String::new()
            };
            write!(
                out,
                "<tr><td>{}</td><th scope=\"row\">{}</th><td class=\"remark\">{}{times}</td></tr>",
                time(error.time),
                Escaped(&error.source),
                Escaped(&error.text),
            )?;
        }
        out.write_str("</tbody></table></div></section>")
    }
}

fn begin(out: &mut String, id: &str, title: &str) -> fmt::Result {
    write!(
        out,
        "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>"
    )
}

/// The frame of a picture, which can be moved within it where the screen is narrow.
fn figure(out: &mut String, id: &str) -> fmt::Result {
    write!(
        out,
        "<figure><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"{id}\">"
    )
}

fn time(time: Timestamp) -> String {
    let text = format!("{time:.0}");
    let shown = text.replace('T', " ").replace('Z', " UTC");
    format!("<time datetime=\"{text}\">{shown}</time>")
}

fn class(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Ready | ServiceState::Done => "good",
        ServiceState::Starting | ServiceState::Running => "busy",
        ServiceState::Unready | ServiceState::Backoff | ServiceState::Failed => "bad",
        ServiceState::Waiting | ServiceState::Stopping => "warn",
        ServiceState::Stopped | ServiceState::Standby | ServiceState::Off | ServiceState::Absent => "",
    }
}

fn as_count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
