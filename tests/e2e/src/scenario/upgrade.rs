//! `helm upgrade` with changed values — a driver more, another attribute —, and the web interface through the Ingress
//! that one of them switches on.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::api;
use super::world::{PASSWORD, World};
use crate::http;
use crate::pod::restarts;
use crate::session;
use crate::wait::{Look, until};

/// A host name that no name server knows: the Ingress is found by the Host header alone.
const HOSTNAME: &str = "one.e2e.test";
/// The attribute that is changed; 300 by default.
pub(super) const ATTRIBUTE: &str = "MONITORING_INTERVAL_DATASTORE";
const VALUE: &str = "47";
/// The driver that is added.
const DRIVER: &str = "dummy";

/// The drivers of hosts and VMs that are none. OpenNebula ships them as comments in oned.conf and monitord.conf, and
/// these are the attributes that stand there (7.0.2).
fn drivers() -> Value {
    json!({"config": {
        "oned": {"VM_MAD[NAME=dummy]": {
            "SUNSTONE_NAME": "Testing",
            "EXECUTABLE": "one_vmm_dummy",
            "TYPE": "xml",
        }},
        "monitord": {"IM_MAD[NAME=dummy]": {
            "SUNSTONE_NAME": "Dummy",
            "EXECUTABLE": "one_im_sh",
            "ARGUMENTS": "-r 3 -t 15 -w 90 dummy",
            "THREADS": 0,
        }},
    }})
}

/// Two drivers that the release does not load come by values; oned then runs with the one of them that is its own.
pub(super) async fn add_drivers(world: &mut World) -> Result<String> {
    let before = api::hypervisors(world).await?;
    ensure!(
        !before.is_empty() && !before.iter().any(|name| name == DRIVER),
        "oned has the drivers {before:?} before the upgrade"
    );
    let old = world.front_end().await?.metadata.uid;
    world.upgrade(&drivers()).await?;
    let pod = world.successor(old.as_deref()).await?;
    ensure!(
        restarts(&pod) == 0,
        "its container was started {} times more",
        restarts(&pod)
    );
    world.all_ready().await?;
    let after = api::hypervisors(world).await?;
    let wanted: Vec<String> = before.iter().cloned().chain([DRIVER.to_owned()]).collect();
    ensure!(after == wanted, "oned has the drivers {after:?}, not {wanted:?}");
    Ok(format!("{} → {}", before.join(", "), after.join(", ")))
}

/// The pod is replaced by itself, oned runs with the new value, and what was there is still there.
pub(super) async fn upgrade(world: &mut World) -> Result<String> {
    let before = api::config(world, ATTRIBUTE).await?;
    ensure!(before != VALUE, "{ATTRIBUTE} is {before} before the upgrade");
    let old = world.front_end().await?.metadata.uid;
    let changes = values(world.ingress_class.as_deref());
    world.upgrade(&changes).await?;
    let pod = world.successor(old.as_deref()).await?;
    ensure!(
        restarts(&pod) == 0,
        "its container was started {} times more",
        restarts(&pod)
    );
    world.all_ready().await?;
    let after = api::config(world, ATTRIBUTE).await?;
    ensure!(after == VALUE, "{ATTRIBUTE} is {after}, the upgrade said {VALUE}");
    let hypervisors = api::hypervisors(world).await?;
    ensure!(
        hypervisors.iter().any(|name| name == DRIVER),
        "the upgrade lost the driver {DRIVER}: {hypervisors:?}"
    );
    Ok(format!(
        "{ATTRIBUTE} {before} → {after}; {}",
        api::known(world).await?
    ))
}

fn values(ingress_class: Option<&str>) -> Value {
    json!({
        "config": {"oned": {ATTRIBUTE: VALUE.parse::<u32>().unwrap_or_default()}},
        "ingress": {"enabled": true, "hostname": HOSTNAME, "className": ingress_class.unwrap_or_default()},
    })
}

/// The page, a login with the generated password, a refused one, an authenticated call, and the console's WebSocket.
pub(super) async fn fireedge(world: &mut World) -> Result<String> {
    let address = world.ingress;
    let password = world.cluster.secret(PASSWORD.0, PASSWORD.1).await?;
    page(address, HOSTNAME).await?;

    let refused = login(world, "not the password").await?;
    ensure!(
        refused.status == 401,
        "a wrong password gives HTTP {}, not 401",
        refused.status
    );
    let answer = login(world, password.trim_end()).await?;
    ensure!(
        answer.status == 200,
        "login: HTTP {} {}",
        answer.status,
        answer.body
    );
    session::header(answer.cookies.iter().map(String::as_str), &answer.body)?;

    let stream = TcpStream::connect(address).await?;
    let socket = http::open_websocket(stream, HOSTNAME, "/fireedge/guacamole").await?;
    ensure!(
        socket.status == 101,
        "WebSocket: HTTP {} {}, not 101",
        socket.status,
        socket.body
    );
    let stream = TcpStream::connect(address).await?;
    let other = http::get(stream, "another.e2e.test", "/fireedge/sunstone").await?;
    ensure!(
        other.status == 404,
        "another hostname gives HTTP {}, not the controller's 404",
        other.status
    );
    Ok(format!(
        "{HOSTNAME} at {address}: page 200, login 200, wrong password 401, WebSocket 101"
    ))
}

/// Waits for the page of a host name: the controller learns of the way to it, and of the pod, a moment later.
pub(super) async fn page(address: SocketAddr, hostname: &str) -> Result<()> {
    until(
        &format!("the page of {hostname}"),
        Duration::from_secs(90),
        async || {
            let stream = match TcpStream::connect(address).await {
                Ok(stream) => stream,
                Err(error) => return Ok(Look::NotYet(format!("{address}: {error}"))),
            };
            Ok(match http::get(stream, hostname, "/fireedge/sunstone").await {
                Ok(answer) if answer.status == 200 && answer.body.contains("<html") => Look::Seen(()),
                Ok(answer) => Look::NotYet(format!("HTTP {} from {address}", answer.status)),
                Err(error) => Look::not_yet(error),
            })
        },
    )
    .await
}

async fn login(world: &World, password: &str) -> Result<http::Answer> {
    let stream = TcpStream::connect(world.ingress)
        .await
        .context("the ingress controller does not answer")?;
    let body = json!({"user": "oneadmin", "token": password});
    http::post_json(stream, HOSTNAME, "/fireedge/api/auth", &body).await
}
