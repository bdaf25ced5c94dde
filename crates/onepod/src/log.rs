//! The one stream on standard output that carries onepod's own lines and those of every service.

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people: time, severity, service, message.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}
