//! Which lines are tried on which releases of Kubernetes, as the matrix of a job.

use serde_json::{Value, json};

use crate::kind::NODES;
use crate::versions::Versions;

/// Which releases of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Breadth {
    /// The newest: each line once
    Newest,
    /// The newest and the three before it, with each line
    All,
}

/// `{"include": [{"line", "kubernetes"} …]}`.
pub(crate) fn matrix(versions: &Versions, breadth: Breadth) -> Value {
    let nodes = match breadth {
        Breadth::Newest => &NODES[..1],
        Breadth::All => &NODES,
    };
    let rows = versions.lines().flat_map(|(line, _)| {
        let row =
            move |(kubernetes, _): &(&str, &str)| json!({"line": line.to_string(), "kubernetes": kubernetes});
        nodes.iter().map(row)
    });
    json!({ "include": rows.collect::<Vec<Value>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::versions;

    #[test]
    fn every_line_meets_every_release_of_kubernetes() {
        let versions = versions(&[("7.0", "7.0.1"), ("7.2", "7.2.0")]);
        let newest = matrix(&versions, Breadth::Newest);
        let row = |line: &str, node: usize| json!({"line": line, "kubernetes": NODES[node].0});
        assert_eq!(newest, json!({"include": [row("7.0", 0), row("7.2", 0)]}));
        let all = matrix(&versions, Breadth::All);
        assert_eq!(all["include"].as_array().unwrap().len(), 2 * NODES.len());
        assert_eq!(all["include"][7], row("7.2", 3));
    }
}
