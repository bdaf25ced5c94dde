//! onepod's own messages: what its code says through `tracing` becomes lines of the stream.
//!
//! Only this crate's events, from information upwards. Libraries' events and spans are left out.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{Log, OWN_NAME, Severity};

/// Sends this program's events to the stream. Only the first call has an effect.
pub fn install(log: &Log) {
    // It fails when there is one already, which then goes on working.
    let _ = tracing::subscriber::set_global_default(Own { log: log.clone() });
}

struct Own {
    log: Log,
}

impl Subscriber for Own {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO && metadata.target().starts_with("onepod")
    }

    fn event(&self, event: &Event<'_>) {
        let severity = match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            _ => Severity::Debug,
        };
        let mut text = Text(String::new());
        event.record(&mut text);
        self.log.line(OWN_NAME, severity, text.0.trim_end().as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, then other fields as `name=value`.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}
