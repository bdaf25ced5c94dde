//! Rendered objects, read by path.
//!
//! They stay untyped: a misspelt field must be visible to a test, and a typed object would drop it.

use serde_json::Value;

/// One Kubernetes object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(Value);

/// The objects of a rendered chart, in order.
pub fn parse(manifests: &str) -> Result<Vec<Object>, serde_saphyr::Error> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifests)?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(Object)
        .collect())
}

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// What is at a path such as `/spec/replicas`; null when nothing is.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        self.0.pointer(path).unwrap_or(&Value::Null)
    }

    /// The text at a path; empty when there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// The list at a path; empty when there is none.
    #[must_use]
    pub fn list(&self, path: &str) -> &[Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    /// The specification of the pods that it is or makes, for the kinds that these charts use.
    #[must_use]
    pub fn pod(&self) -> Option<&Value> {
        let path = match self.kind() {
            "Pod" => "/spec",
            "StatefulSet" | "Deployment" | "DaemonSet" | "Job" => "/spec/template/spec",
            "CronJob" => "/spec/jobTemplate/spec/template/spec",
            _ => return None,
        };
        self.0.pointer(path)
    }

    /// The whole object.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }
}
