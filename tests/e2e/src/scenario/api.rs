//! The API through a client that is not ours.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::world::{Created, World};

/// Name of the datastore, the host and the VM that the scenario makes.
const NAME: &str = "e2e";

#[derive(Debug, Deserialize)]
struct Login {
    id: i64,
    name: String,
    version: String,
}

/// The password in the Secret opens the API, as user 0.
pub(super) async fn login(world: &mut World) -> Result<String> {
    let login: Login = world.pyone(&["login"]).await?;
    ensure!(
        login.id == 0 && login.name == "oneadmin",
        "logged in as {login:?}, not as oneadmin"
    );
    Ok(format!("oneadmin, OpenNebula {}", login.version))
}

/// A host and a VM of the dummy drivers; the scheduler places the VM, and it runs.
pub(super) async fn create(world: &mut World) -> Result<String> {
    let created: Created = world.pyone(&["create", "--name", NAME]).await?;
    ensure!(
        created.placed_on == NAME,
        "the VM is on {}, not on {NAME}",
        created.placed_on
    );
    let text = format!(
        "VM {} on host {} after {:.1} s",
        created.vm, created.host, created.running_after_seconds
    );
    world.created = Some(created);
    Ok(text)
}

/// What `create` made is known under the same ids, and the VM is ACTIVE.
pub(super) async fn known(world: &World) -> Result<String> {
    let created = world.created.as_ref().context("no VM was made")?;
    let (host, vm) = (created.host.to_string(), created.vm.to_string());
    let seen: serde_json::Value = world
        .pyone(&["known", "--name", NAME, "--host", &host, "--vm", &vm])
        .await?;
    Ok(format!(
        "host {host} and VM {vm} known, STATE {} LCM_STATE {}",
        seen["state"], seen["lcm_state"]
    ))
}

/// Logs in many times; one failure is a failure.
pub(super) async fn logins(world: &World, times: u32) -> Result<String> {
    let seen: serde_json::Value = world.pyone(&["logins", "--times", &times.to_string()]).await?;
    Ok(format!(
        "{times} logins, the slowest {} s",
        seen["slowest_seconds"]
    ))
}

/// One attribute of the configuration that oned runs with.
pub(super) async fn config(world: &World, attribute: &str) -> Result<String> {
    let seen: serde_json::Value = world.pyone(&["config", "--attribute", attribute]).await?;
    let value = seen["value"]
        .as_str()
        .with_context(|| format!("{attribute} is {}", seen["value"]))?;
    Ok(value.to_owned())
}

/// Names of the drivers of hypervisors that oned runs with, in their order.
pub(super) async fn hypervisors(world: &World) -> Result<Vec<String>> {
    let seen: serde_json::Value = world.pyone(&["hypervisors"]).await?;
    serde_json::from_value(seen["names"].clone()).with_context(|| format!("the drivers are {seen}"))
}
