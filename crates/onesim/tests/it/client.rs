//! The product's own client against the simulated daemon: what it reads from the real one it must read from here.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as prepared"
)]

use std::time::{Duration, Instant};

use one_xmlrpc::{Client, Credentials, Error, HostState, UserRef};

use crate::front_end::{Daemon, FrontEnd, until};

const PASSWORD: &str = "Tr0ub&d0ur<3>";

/// The same as a document in XML has to write it.
const ESCAPED: &str = "Tr0ub&amp;d0ur&lt;3>";

/// A front-end whose password is not easy to write. The daemon ends with its value.
fn start() -> (FrontEnd, Daemon) {
    let front = FrontEnd::with_dummy_drivers();
    front.write_auth("one_auth", &format!("oneadmin:{PASSWORD}\n"));
    let daemon = front.start();
    until("oned answers", || front.session_is_good(ESCAPED));
    (front, daemon)
}

fn client(front: &FrontEnd, password: &str) -> Client {
    Client::new(
        format!("http://127.0.0.1:{}/RPC2", front.port).parse().unwrap(),
        Credentials::new("oneadmin", password).unwrap(),
    )
}

/// Adds a host of the dummy driver, a call that the product itself does not make.
fn add_host(front: &FrontEnd, name: &str) {
    let text = |value: &str| format!("<param><value><string>{value}</string></value></param>");
    let rest = [name, "dummy", "dummy"].map(text).concat() + "<param><value><i4>-1</i4></value></param>";
    let answer = front.call("one.host.allocate", &format!("oneadmin:{ESCAPED}"), &rest);
    assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
}

#[tokio::test]
async fn the_products_client_reads_every_answer_that_it_asks_for() {
    let (front, _daemon) = start();
    let client = client(&front, PASSWORD);
    assert_eq!(client.system_version().await.unwrap(), "7.0.0");

    let me = client.user_info(UserRef::Caller).await.unwrap();
    assert_eq!(
        (me.id, me.name.as_str(), me.auth_driver.as_str(), me.enabled),
        (0, "oneadmin", "core", true)
    );
    let server = client.user_info(UserRef::Id(1)).await.unwrap();
    assert_eq!(
        (server.name.as_str(), server.auth_driver.as_str()),
        ("serveradmin", "server_cipher")
    );

    assert_eq!(client.host_pool().await.unwrap(), []);
    add_host(&front, "dummy1");
    let hosts = client.host_pool().await.unwrap();
    assert_eq!((hosts[0].id, hosts[0].name.as_str()), (0, "dummy1"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.host_pool().await.unwrap()[0].state != HostState::Monitored {
        assert!(Instant::now() < deadline, "the dummy host is never monitored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn refusals_are_the_errors_that_they_are_on_the_real_one() {
    let (front, _daemon) = start();
    let stranger = client(&front, "wrong");
    let error = stranger.system_version().await.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "one.system.version: User couldn't be authenticated, aborting call."
    );

    let error = client(&front, PASSWORD)
        .user_info(UserRef::Id(99))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoExists { .. }), "{error:?}");
    assert!(error.to_string().contains("[99]"), "{error}");
}
