//! Helm, as a user calls it: install, upgrade, test, uninstall. What it renders is the chart's tests' concern.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::process::Call;

/// Name of the release, as in the README's two commands.
pub(crate) const RELEASE: &str = "opennebula";

/// The chart's hooks pull no image and wait for no service: they have this long.
const LIMIT: Duration = Duration::from_mins(10);

/// A Helm program bound to a cluster, a namespace and a chart.
#[derive(Debug, Clone)]
pub(crate) struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
    chart: PathBuf,
}

impl Helm {
    /// Checks nothing: the first call does.
    pub(crate) fn new(program: &Path, kubeconfig: &Path, namespace: &str, chart: &Path) -> Self {
        Self {
            program: program.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            namespace: namespace.to_owned(),
            chart: chart.to_owned(),
        }
    }

    /// The same for another chart.
    pub(crate) fn with_chart(&self, chart: &Path) -> Self {
        Self {
            chart: chart.to_owned(),
            ..self.clone()
        }
    }

    /// The program's version, e.g. `v4.1.4`.
    pub(crate) async fn version(&self) -> Result<String> {
        let version = Call::new(&self.program, LIMIT)
            .args(["version", "--template", "{{.Version}}"])
            .run()
            .await?;
        Ok(version.trim().to_owned())
    }

    /// `helm install` with no values at all.
    pub(crate) async fn install(&self) -> Result<String> {
        self.call("install", [RELEASE.into(), self.chart.clone()])
            .run()
            .await
    }

    /// `helm install` with a file of values.
    pub(crate) async fn install_with(&self, values: &Path) -> Result<String> {
        self.with_values("install", values).run().await
    }

    /// `helm upgrade` with a file of values; Helm takes the chart's defaults for what it does not name.
    pub(crate) async fn upgrade(&self, values: &Path) -> Result<String> {
        self.with_values("upgrade", values).run().await
    }

    /// `helm rollback` to the revision before.
    pub(crate) async fn rollback(&self) -> Result<String> {
        self.call("rollback", [RELEASE]).run().await
    }

    /// `helm template` with a file of values: manifests and hooks.
    pub(crate) async fn template(&self, values: &Path) -> Result<String> {
        self.with_values("template", values).run().await
    }

    /// `helm template` as docs/install.md pipes it into kubectl: without the hooks, of which only the test is left then.
    pub(crate) async fn template_without_hooks(&self, values: &Path) -> Result<String> {
        self.with_values("template", values)
            .args(["--no-hooks"])
            .run()
            .await
    }

    /// The folder or archive of the chart.
    pub(crate) fn chart(&self) -> &Path {
        &self.chart
    }

    /// `helm test`.
    pub(crate) async fn test(&self) -> Result<String> {
        self.call("test", [RELEASE]).run().await
    }

    /// Whether there is a release to uninstall.
    pub(crate) async fn is_installed(&self) -> Result<bool> {
        let releases = self.call("list", ["--short"]).run().await?;
        Ok(releases.lines().any(|name| name == RELEASE))
    }

    /// `helm uninstall`, until what the release owned is gone.
    pub(crate) async fn uninstall(&self) -> Result<String> {
        self.call("uninstall", [RELEASE, "--wait"]).run().await
    }

    /// Everything that Helm keeps in readable form: manifest, hooks and notes.
    pub(crate) async fn rendered(&self) -> Result<String> {
        let mut text = String::new();
        for part in ["manifest", "hooks", "notes"] {
            text += &self.call("get", [part, RELEASE]).run().await?;
        }
        Ok(text)
    }

    fn with_values(&self, verb: &str, values: &Path) -> Call {
        let chart = self.chart.clone();
        self.call(
            verb,
            [RELEASE.into(), chart, "--values".into(), values.to_owned()],
        )
    }

    fn call<A: Into<std::ffi::OsString>>(&self, verb: &str, arguments: impl IntoIterator<Item = A>) -> Call {
        Call::new(&self.program, LIMIT)
            .args([verb])
            .args(arguments)
            .args(["--namespace", &self.namespace])
            .args(["--kubeconfig".into(), self.kubeconfig.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `echo` prints its arguments: what matters here is what Helm is asked.
    fn helm_that_echoes() -> Helm {
        Helm::new(
            Path::new("echo"),
            Path::new("/kube/config"),
            "trial",
            Path::new("/charts/opennebula"),
        )
    }

    #[test]
    fn the_first_install_has_no_values() {
        let helm = helm_that_echoes();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        assert_eq!(
            runtime.block_on(helm.install()).unwrap(),
            "install opennebula /charts/opennebula --namespace trial --kubeconfig /kube/config\n"
        );
        assert_eq!(
            runtime.block_on(helm.install_with(Path::new("/v.yaml"))).unwrap(),
            "install opennebula /charts/opennebula --values /v.yaml --namespace trial --kubeconfig /kube/config\n"
        );
        assert_eq!(
            runtime.block_on(helm.upgrade(Path::new("/v.yaml"))).unwrap(),
            "upgrade opennebula /charts/opennebula --values /v.yaml --namespace trial --kubeconfig /kube/config\n"
        );
    }
}
