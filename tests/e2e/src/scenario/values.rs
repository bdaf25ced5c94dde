//! Installs with other values, and inside another chart: each becomes ready, lets its user in, and goes.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::install;
use super::world::World;

/// The file with the values of the chart 0.2.6, and where its password ends up.
const EARLIER: &str = "ci/earlier-values.yaml";
const ADMIN: (&str, &str) = ("opennebula-admin", "oneadmin-password");

/// The values of the chart 0.2.6, as its README had them: oneadmin has the password that they name.
pub(super) async fn earlier(world: &mut World) -> Result<String> {
    world.cluster.make_namespace().await?;
    let file = world.helm.chart().join(EARLIER);
    world.helm.install_with(&file).await?;
    let pods = world.all_ready().await?;
    let password = world.cluster.secret(ADMIN.0, ADMIN.1).await?;
    let given = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    ensure!(
        given.contains(&format!("adminPassword: {password}")),
        "the Secret {} has another password than the file",
        ADMIN.0
    );
    let login: Value = world.pyone_with(&password, &["login"]).await?;
    ensure!(login["name"] == "oneadmin", "logged in as {login}");
    install::clean(world).await?;
    Ok(format!("{pods} pods, oneadmin has the password of the values"))
}

/// As a dependency of another chart, with a global value of that one.
pub(super) async fn inside(world: &mut World) -> Result<String> {
    world.cluster.make_namespace().await?;
    let parent = tempfile::tempdir()?;
    std::fs::write(
        parent.path().join("Chart.yaml"),
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: [{name: opennebula, version: 0.x, condition: opennebula.enabled}]\n",
    )?;
    std::fs::create_dir(parent.path().join("charts"))?;
    std::os::unix::fs::symlink(world.helm.chart(), parent.path().join("charts/opennebula"))?;
    let values = json!({
        "global": {"of-the-parent": true, "storageClass": "standard"},
        "opennebula": {"enabled": true, "oneflow": {"enabled": false}, "log": {"format": "json"}},
    });
    let file = parent.path().join("values-of-mine.yaml");
    std::fs::write(&file, values.to_string())?;
    let (own, outer) = (world.helm.clone(), world.helm.with_chart(parent.path()));
    world.helm = outer;
    let outcome = installed(world, &file).await;
    world.helm = own;
    let said = outcome?;
    install::clean(world).await?;
    Ok(said)
}

async fn installed(world: &mut World, values: &Path) -> Result<String> {
    world.helm.install_with(values).await?;
    let pods = world.all_ready().await?;
    world.helm.test().await?;
    let services = world.status().await?.services;
    let off = services.iter().find(|service| service.name == "oneflow");
    ensure!(
        off.is_none_or(|service| service.state != "ready"),
        "OneFlow runs though the parent's values switch it off"
    );
    Ok(format!("{pods} pods, helm test passed"))
}
