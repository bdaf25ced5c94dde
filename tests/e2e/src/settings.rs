//! The command line: which cluster, which Helm, which chart. Nothing is read from elsewhere, but for `KUBECONFIG`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::needs::Need;

/// Plays the chart's scenarios on a cluster and prints a table of the steps.
#[derive(Debug, Parser)]
pub(crate) struct Settings {
    /// Kubeconfig of a cluster whose node holds the images under the chart's default names
    #[arg(long, env = "KUBECONFIG")]
    pub(crate) kubeconfig: PathBuf,

    /// Helm (4, or 3) of the scenario
    #[arg(long, default_value = "helm")]
    pub(crate) helm: PathBuf,

    /// A Helm 3: with it the chart is installed once more, in a second namespace
    #[arg(long)]
    pub(crate) helm3: Option<PathBuf>,

    /// The chart's directory or archive
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/opennebula"))]
    pub(crate) chart: PathBuf,

    /// The last published chart (`oci://…`, or a folder): it is installed in a namespace of its own with its published image,
    /// and upgraded to the chart of this run with the node's image of the tag `e2e`
    #[arg(long, value_name = "CHART")]
    pub(crate) from: Option<PathBuf>,

    /// Python 3 that makes the virtual environment for pyone
    #[arg(long, default_value = "python3")]
    pub(crate) python: PathBuf,

    /// The virtual environment; made when it is missing
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/e2e-venv"))]
    pub(crate) venv: PathBuf,

    /// Where the ingress controller listens; by default port 30080 of the first node
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) ingress: Option<SocketAddr>,

    /// Class of the Ingress; by default the cluster's default class
    #[arg(long)]
    pub(crate) ingress_class: Option<String>,

    /// What the cluster is known to lack: steps that need it are not possible here, and all other steps must pass. Without the
    /// option the cluster is asked
    #[arg(long, value_enum, value_name = "NEED", value_delimiter = ',', num_args = 0.., require_equals = true)]
    pub(crate) lacks: Option<Vec<Need>>,

    /// Namespace of the scenario; it is created, and deleted at the end
    #[arg(long, default_value = "e2e")]
    pub(crate) namespace: String,

    /// Writes the table to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Writes pictures of the browser into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) pictures: Option<PathBuf>,

    /// When a step failed, leaves the namespace as it is
    #[arg(long)]
    pub(crate) keep: bool,
}
