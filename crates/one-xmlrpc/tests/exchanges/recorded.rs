//! Exchanges recorded on OpenNebula 7.0.2, where the crate `fixtures` finds them.

use one_xmlrpc::{Client, Error, HostState, RaftState, UserRef};

use super::server::{Server, answer, http};

fn recorded(name: &str) -> Option<String> {
    fixtures::read(&format!("xmlrpc/{name}"))
}

/// The decoded values of a recording (a line True or False, the value, numbers) as the answer that carried them.
fn rebuilt(name: &str) -> Option<String> {
    let text = recorded(name)?;
    let mut lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let done = match lines.remove(0) {
        "True" => true,
        "False" => false,
        other => panic!("{name} begins with {other}"),
    };
    let numbers: Vec<i32> = {
        let count = if done { 1 } else { 3 };
        lines
            .split_off(lines.len() - count)
            .iter()
            .map(|n| n.parse().unwrap())
            .collect()
    };
    let value = lines
        .join("\n")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let numbers: Vec<String> = numbers
        .iter()
        .map(|n| format!("<value><i4>{n}</i4></value>\r\n"))
        .collect();
    let numbers = numbers.concat();
    Some(http(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n<params>\r\n<param><value><array><data>\r\n\
         <value><boolean>{}</boolean></value>\r\n<value><string>{value}</string></value>\r\n{numbers}\
         </data></array></value></param>\r\n</params>\r\n</methodResponse>\r\n",
        u8::from(done)
    )))
}

async fn replay(bytes: Option<impl Into<Vec<u8>>>) -> Option<(Server, Client)> {
    let server = answer(bytes?).await;
    let client = server.client();
    Some((server, client))
}

#[tokio::test]
async fn the_version_as_it_came_over_the_wire() {
    let Some((_server, client)) = replay(recorded("http-exchange-system.version.txt")).await else {
        return;
    };
    assert_eq!(client.system_version().await.unwrap(), "7.0.2");
}

#[tokio::test]
async fn an_unknown_method_as_it_came_over_the_wire() {
    let Some((_server, client)) = replay(recorded("http-exchange-unknown-method.txt")).await else {
        return;
    };
    let error = client.system_version().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "one.system.version: Method 'one.nosuch' not defined (XML-RPC fault -506)"
    );
}

#[tokio::test]
async fn a_recorded_version_user_and_host() {
    let Some((_server, client)) = replay(rebuilt("system.version.txt")).await else {
        return;
    };
    assert_eq!(client.system_version().await.unwrap(), "7.0.2");

    let Some((_server, client)) = replay(rebuilt("user.info-0.txt")).await else {
        return;
    };
    let user = client.user_info(UserRef::Caller).await.unwrap();
    assert_eq!(
        (
            user.id,
            user.name.as_str(),
            user.auth_driver.as_str(),
            user.enabled
        ),
        (0, "oneadmin", "core", true)
    );
    assert!(
        user.password
            .is("f4dab6a51530da409034dd88ad38741dc3d6a265818dece605bf62c41cbde5cf")
    );

    let Some((_server, client)) = replay(rebuilt("zone.raftstatus-solo.txt")).await else {
        return;
    };
    let status = client.raft_status().await.unwrap();
    assert_eq!((status.server_id, status.state), (-1, RaftState::Solo));

    // 7 kB, with square brackets inside a CDATA section.
    let Some((_server, client)) = replay(rebuilt("hostpool.info.txt")).await else {
        return;
    };
    let hosts = client.host_pool().await.unwrap();
    let seen: Vec<_> = hosts.iter().map(|h| (h.id, h.name.as_str(), h.state)).collect();
    assert_eq!(seen, [(0, "dummy1", HostState::Monitored)]);
}

#[tokio::test]
async fn recorded_refusals_keep_their_kind_and_text() {
    let Some((_server, client)) = replay(rebuilt("error-bad-password.txt")).await else {
        return;
    };
    let error = client.user_info(UserRef::Caller).await.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "one.user.info: User couldn't be authenticated, aborting call."
    );

    let Some((_server, client)) = replay(rebuilt("error-no-such-vm.txt")).await else {
        return;
    };
    assert!(matches!(client.host_pool().await, Err(Error::NoExists { .. })));

    let Some((_server, client)) = replay(rebuilt("error-duplicate-host.txt")).await else {
        return;
    };
    assert!(matches!(client.host_pool().await, Err(Error::Internal { .. })));
}

#[tokio::test]
async fn a_document_of_another_kind_is_malformed() {
    for name in [
        "clusterpool.info.txt",
        "vmpool.info-all.txt",
        "system.config.txt",
        "zone.raftstatus-solo.txt",
    ] {
        let Some((_server, client)) = replay(rebuilt(name)).await else {
            return;
        };
        let error = client.host_pool().await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{name}: {error:?}");
    }
}
