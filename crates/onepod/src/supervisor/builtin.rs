//! Functions of onepod's own that tasks and timers of services.toml can call by name.
//!
//! Names and functions only: what they do stands where the functions are, when they run is the supervisor's business.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// Every name that `builtin` may have in services.toml.
pub const NAMES: [&str; 3] = ["bootstrap", "credentials", "rotate-logs"];

/// A call that is under way. The error is a sentence for people. It is dropped when the unit has to stop.
pub type Call = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

type Function = Arc<dyn Fn() -> Call + Send + Sync>;

/// The functions by their names.
#[derive(Clone, Default)]
pub struct Builtins {
    functions: BTreeMap<&'static str, Function>,
}

impl Builtins {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more, which is called once for each run.
    #[must_use]
    pub fn with<F>(mut self, name: &'static str, function: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.functions
            .insert(name, Arc::new(move || Box::pin(function())));
        self
    }

    /// Begins a call; none when there is no function of this name.
    #[must_use]
    pub fn call(&self, name: &str) -> Option<Call> {
        self.functions.get(name).map(|function| function())
    }
}

impl fmt::Debug for Builtins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}
