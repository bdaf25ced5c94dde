//! What oned answers becomes a value or the right error.

use one_xmlrpc::{Error, HostState, UserRef};

use super::server::{answer, fixture};

#[tokio::test]
async fn the_version_is_a_string() {
    let server = answer(fixture("version")).await;
    assert_eq!(server.client().system_version().await.unwrap(), "7.0.0");
}

#[tokio::test]
async fn the_request_is_what_oneds_server_takes() {
    let server = answer(fixture("user")).await;
    server.client().user_info(UserRef::Caller).await.unwrap();
    let authority = server.endpoint.authority();
    let request = server.request.await.unwrap();
    assert!(request.starts_with("POST /RPC2 HTTP/1.1\r\n"), "{request}");
    let head = request.to_lowercase();
    for line in [
        &format!("host: {authority}"),
        "content-type: text/xml; charset=utf-8",
        "connection: close",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {request}");
    }
    assert!(
        !head.contains("transfer-encoding"),
        "oned's server takes no chunks: {request}"
    );
    assert!(
        request.contains("<string>oneadmin:s3cret&amp;&lt;x&gt;</string>"),
        "{request}"
    );
    assert!(request.contains("<methodName>one.user.info</methodName>") && request.contains("<i4>-1</i4>"));
}

#[tokio::test]
async fn a_user_and_hosts_are_read_out_of_their_documents() {
    let server = answer(fixture("user")).await;
    let user = server.client().user_info(UserRef::Id(0)).await.unwrap();
    assert_eq!(
        (
            user.id,
            user.name.as_str(),
            user.auth_driver.as_str(),
            user.enabled
        ),
        (0, "oneadmin", "core", true)
    );
    assert!(server.request.await.unwrap().contains("<i4>0</i4>"));

    let hosts = answer(fixture("two-hosts"))
        .await
        .client()
        .host_pool()
        .await
        .unwrap();
    let seen: Vec<_> = hosts.iter().map(|h| (h.id, h.name.as_str(), h.state)).collect();
    assert_eq!(
        seen,
        [
            (0, "a&b", HostState::Monitored),
            (1, "node1", HostState::Disabled)
        ]
    );
}

#[tokio::test]
async fn a_password_is_changed_and_the_answer_names_the_user() {
    let server = answer(fixture("password-changed")).await;
    server.client().user_passwd(1, "9f86d081").await.unwrap();
    let request = server.request.await.unwrap();
    let parameters = "<value><i4>1</i4></value></param><param><value><string>9f86d081</string></value>";
    assert!(
        request.contains("<methodName>one.user.passwd</methodName>") && request.contains(parameters),
        "{request}"
    );
    let error = answer(fixture("password-changed"))
        .await
        .client()
        .user_passwd(0, "9f86d081")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refusal_with_http_200_is_an_error() {
    let server = answer(fixture("not-authenticated")).await;
    let error = server.client().system_version().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Authentication {
                method: "one.system.version",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "one.system.version: User couldn't be authenticated, aborting call."
    );
}

#[tokio::test]
async fn a_fault_is_its_own_error() {
    let error = answer(fixture("unknown-method"))
        .await
        .client()
        .system_version()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Fault { code: -506, .. }), "{error:?}");
}

#[tokio::test]
async fn neither_client_nor_errors_show_the_password() {
    let server = answer(fixture("not-authenticated")).await;
    let client = server.client();
    let error = client.system_version().await.unwrap_err();
    for text in [format!("{client:?}"), format!("{error:?}"), error.to_string()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
