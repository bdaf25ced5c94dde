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

/// `{"include": [{"line", "release", "kubernetes"} …]}`.
pub(crate) fn matrix(versions: &Versions, breadth: Breadth) -> Value {
    let count = match breadth {
        Breadth::Newest => 1,
        Breadth::All => NODES.len(),
    };
    let include: Vec<Value> = versions
        .lines()
        .flat_map(|(line, entry)| {
            NODES.iter().take(count).map(move |(kubernetes, _)| {
                json!({
                    "line": line.to_string(),
                    "release": entry.version().to_string(),
                    "kubernetes": kubernetes,
                })
            })
        })
        .collect();
    json!({ "include": include })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::unconfirmed;

    #[test]
    fn every_line_meets_every_release_of_kubernetes() {
        let versions = unconfirmed(&[("7.0", "7.0.1"), ("7.2", "7.2.0")]);
        let newest = matrix(&versions, Breadth::Newest);
        assert_eq!(
            newest,
            json!({"include": [
                {"line": "7.0", "release": "7.0.1", "kubernetes": NODES[0].0},
                {"line": "7.2", "release": "7.2.0", "kubernetes": NODES[0].0},
            ]})
        );
        let all = matrix(&versions, Breadth::All);
        let all = all["include"].as_array().unwrap();
        assert_eq!(all.len(), 2 * 4, "N to N-3");
        assert_eq!(all[7]["kubernetes"], NODES[3].0);
    }
}
