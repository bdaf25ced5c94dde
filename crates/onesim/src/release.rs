//! Which OpenNebula release is simulated, and what follows from it: schema version, password files.
//!
//! The number comes from `$ONESIM_RELEASE`, else from /usr/lib/onesim/release (written by the package),
//! else it is 7.0.0.

use std::fs;

/// A release number and its consequences.
#[derive(Clone, Debug)]
pub(crate) struct Release(String);

impl Release {
    /// The installed release.
    pub(crate) fn installed() -> Self {
        let number = std::env::var("ONESIM_RELEASE")
            .ok()
            .or_else(|| fs::read_to_string("/usr/lib/onesim/release").ok())
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        Self::new(number.as_deref().unwrap_or("7.0.0"))
    }

    /// A given release.
    pub(crate) fn new(number: &str) -> Self {
        Self(number.to_owned())
    }

    /// The number, as `one.system.version` answers it.
    pub(crate) fn number(&self) -> &str {
        &self.0
    }

    /// Local and shared schema version (7.0.0, 7.0.1 and 7.0.2 share one).
    pub(crate) fn schema(&self) -> &'static str {
        if self.0.starts_with("7.4") {
            "7.4.0"
        } else if self.0.starts_with("7.2") {
            "7.2.0"
        } else {
            "7.0.0"
        }
    }

    /// Password files of the services, in the order in which oned creates them.
    pub(crate) fn service_auth_files(&self) -> &'static [&'static str] {
        match self.schema() {
            "7.4.0" => &[
                "sunstone_auth",
                "onegate_auth",
                "oneflow_auth",
                "oneform_auth",
                "oneks_auth",
            ],
            "7.2.0" => &["sunstone_auth", "onegate_auth", "oneflow_auth", "oneform_auth"],
            _ => &["sunstone_auth", "onegate_auth", "oneflow_auth"],
        }
    }
}
