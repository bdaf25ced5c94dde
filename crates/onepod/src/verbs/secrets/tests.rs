//! Scenarios of `onepod secrets` against an API server on loopback that keeps Secrets as the real one does: versions,
//! conflicts, merge patches.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::verbs::kubernetes::REQUEST_TIMEOUT;
use crate::verbs::kubernetes::api_server::ApiServer;

const NAMESPACE: &str = "cloud";

fn plan(keys: &[&str]) -> Plan {
    let keys = keys.iter().map(|text| text.parse().unwrap()).collect();
    Plan::new(
        keys,
        vec!["app.kubernetes.io/part-of=opennebula".parse().unwrap()],
    )
    .unwrap()
}

fn usual() -> Plan {
    plan(&[
        "opennebula/oneadmin-password=password",
        "opennebula/one-key=hex64",
        "opennebula/fireedge-key=alphanumeric32",
        "opennebula/ssh-private-key=ed25519",
        "opennebula-mariadb/password=password",
    ])
}

/// Runs a plan and returns what would be printed, a line for each Secret.
async fn lines(server: &ApiServer, plan: &Plan) -> Vec<String> {
    lines_from(&server.url(), plan, REQUEST_TIMEOUT).await
}

async fn lines_from(url: &str, plan: &Plan, timeout: Duration) -> Vec<String> {
    let mut config = Config::new(url.parse().unwrap());
    config.default_namespace = NAMESPACE.to_owned();
    config.default_retry = false;
    let mut reconciler = Reconciler::new(config, None, plan.labels().clone()).unwrap();
    reconciler.pause = Duration::from_millis(1);
    reconciler.timeout = timeout;
    let mut lines = Vec::new();
    for (name, keys) in plan.secrets() {
        lines.push(match reconciler.reconcile(name, keys).await {
            Ok(outcome) => sentence(name, &outcome),
            Err(error) => error.to_string(),
        });
    }
    lines
}

#[tokio::test]
async fn what_is_absent_is_created_once_and_a_second_run_changes_nothing() {
    let server = ApiServer::start().await;
    assert_eq!(
        lines(&server, &usual()).await,
        [
            "Secret opennebula: created with keys fireedge-key, one-key, oneadmin-password, ssh-private-key",
            "Secret opennebula-mariadb: created with key password",
        ]
    );
    let made = server.secret(NAMESPACE, "opennebula").unwrap();
    assert_eq!(made["type"], "Opaque");
    assert_eq!(
        made["metadata"]["labels"],
        json!({"app.kubernetes.io/part-of": "opennebula"})
    );
    assert_eq!(
        made["metadata"]["annotations"],
        json!({"helm.sh/resource-policy": "keep"})
    );
    assert_eq!(
        server.value(NAMESPACE, "opennebula", "oneadmin-password").len(),
        32
    );
    assert_eq!(server.value(NAMESPACE, "opennebula", "one-key").len(), 64);
    assert!(
        server
            .value(NAMESPACE, "opennebula", "ssh-private-key")
            .starts_with("-----BEGIN OPENSSH PRIVATE KEY")
    );

    server.forget_requests();
    let complete = [
        "Secret opennebula: complete",
        "Secret opennebula-mariadb: complete",
    ];
    assert_eq!(lines(&server, &usual()).await, complete);
    assert_eq!(server.secret(NAMESPACE, "opennebula").unwrap(), made);
    assert_eq!(
        server.requests(),
        [
            "GET /api/v1/namespaces/cloud/secrets/opennebula",
            "GET /api/v1/namespaces/cloud/secrets/opennebula-mariadb"
        ]
    );
}

#[tokio::test]
async fn only_what_is_missing_is_added() {
    let server = ApiServer::start().await;
    server.put(
        NAMESPACE,
        "opennebula",
        &[
            ("oneadmin-password", "chosen"),
            ("one-key", "kept"),
            ("notes", "mine"),
        ],
    );
    let before = server.secret(NAMESPACE, "opennebula").unwrap();
    let plan = plan(&[
        "opennebula/oneadmin-password=password",
        "opennebula/one-key=hex64",
        "opennebula/fireedge-key=alphanumeric32",
    ]);
    assert_eq!(
        lines(&server, &plan).await,
        ["Secret opennebula: added key fireedge-key"]
    );

    for (key, value) in [
        ("oneadmin-password", "chosen"),
        ("one-key", "kept"),
        ("notes", "mine"),
    ] {
        assert_eq!(server.value(NAMESPACE, "opennebula", key), value);
    }
    assert_eq!(server.value(NAMESPACE, "opennebula", "fireedge-key").len(), 32);
    let after = server.secret(NAMESPACE, "opennebula").unwrap();
    assert_eq!(
        after["metadata"]["labels"], before["metadata"]["labels"],
        "labels of an existing Secret are its owner's"
    );
    assert_eq!(lines(&server, &plan).await, ["Secret opennebula: complete"]);
}

#[tokio::test]
async fn a_secret_without_any_data_gets_its_keys() {
    let server = ApiServer::start().await;
    server.put(NAMESPACE, "opennebula", &[]);
    assert_eq!(
        lines(&server, &plan(&["opennebula/one-key=hex64"])).await,
        ["Secret opennebula: added key one-key"]
    );
    assert_eq!(server.value(NAMESPACE, "opennebula", "one-key").len(), 64);
}

#[tokio::test]
async fn whoever_adds_the_key_first_keeps_it() {
    let server = ApiServer::start().await;
    server.put(NAMESPACE, "opennebula", &[("one-key", "kept")]);
    server.after_get(|server| server.set_key(NAMESPACE, "opennebula", "fireedge-key", "theirs"));
    let plan = plan(&[
        "opennebula/one-key=hex64",
        "opennebula/fireedge-key=alphanumeric32",
    ]);
    assert_eq!(lines(&server, &plan).await, ["Secret opennebula: complete"]);
    assert_eq!(server.value(NAMESPACE, "opennebula", "fireedge-key"), "theirs");
    let methods: Vec<_> = server
        .requests()
        .iter()
        .map(|r| r.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        methods,
        ["GET", "PATCH", "GET"],
        "the patch met a conflict and the Secret was read again"
    );
}

#[tokio::test]
async fn whoever_creates_the_secret_first_keeps_it() {
    let server = ApiServer::start().await;
    server.after_get(|server| server.put(NAMESPACE, "opennebula", &[("one-key", "theirs")]));
    let plan = plan(&[
        "opennebula/one-key=hex64",
        "opennebula/fireedge-key=alphanumeric32",
    ]);
    assert_eq!(
        lines(&server, &plan).await,
        ["Secret opennebula: added key fireedge-key"]
    );
    assert_eq!(server.value(NAMESPACE, "opennebula", "one-key"), "theirs");
}

#[tokio::test]
async fn an_endless_race_ends() {
    let server = ApiServer::start().await;
    server.put(NAMESPACE, "opennebula", &[]);
    server.fail_always("PATCH", 409, "the object has been modified");
    let lines = lines(&server, &plan(&["opennebula/one-key=hex64"])).await;
    assert_eq!(
        lines,
        ["Secret opennebula in namespace cloud was changed by somebody else 11 times in a row"]
    );
}

#[tokio::test]
async fn an_empty_value_is_a_mistake_and_stays() {
    let server = ApiServer::start().await;
    server.put(NAMESPACE, "opennebula", &[("oneadmin-password", "")]);
    let lines = lines(&server, &usual()).await;
    assert!(
        lines[0].starts_with("key oneadmin-password of Secret opennebula in namespace cloud is empty."),
        "{lines:?}"
    );
    assert_eq!(
        lines[1], "Secret opennebula-mariadb: created with key password",
        "the others are still seen to"
    );
    let data = &server.secret(NAMESPACE, "opennebula").unwrap()["data"];
    assert_eq!(
        data,
        &json!({"oneadmin-password": ""}),
        "nothing was added beside it"
    );
}

#[tokio::test]
async fn an_immutable_secret_is_named_with_what_it_lacks() {
    let server = ApiServer::start().await;
    server.put(NAMESPACE, "opennebula", &[("one-key", "kept")]);
    server.edit(NAMESPACE, "opennebula", |object| {
        object["immutable"] = json!(true);
    });
    let lines = lines(
        &server,
        &plan(&[
            "opennebula/one-key=hex64",
            "opennebula/fireedge-key=alphanumeric32",
        ]),
    )
    .await;
    assert!(
        lines[0].contains("is immutable and lacks fireedge-key"),
        "{lines:?}"
    );
}

/// What the API server of Kubernetes 1.35 says for each cause, and the words that name it.
#[tokio::test]
async fn a_refusal_names_its_cause() {
    let account = "User \"system:serviceaccount:cloud:opennebula-secrets\"";
    for (method, status, message, words) in [
        (
            "GET",
            403,
            format!("secrets \"opennebula\" is forbidden: {account} cannot get resource \"secrets\" in API group \"\" in the namespace \"cloud\""),
            "resources: [secrets], resourceNames: [opennebula], verbs: [get]",
        ),
        (
            "POST",
            403,
            format!("secrets is forbidden: {account} cannot create resource \"secrets\" in API group \"\" in the namespace \"cloud\""),
            "its Role lacks the rule apiGroups: [\"\"], resources: [secrets], verbs: [create]",
        ),
        (
            "POST",
            403,
            "secrets \"opennebula\" is forbidden: exceeded quota: small, requested: count/secrets=1, used: count/secrets=5, limited: count/secrets=5".to_owned(),
            "a ResourceQuota of the namespace does not allow it: raise count/secrets",
        ),
        (
            "POST",
            403,
            "secrets \"opennebula\" is forbidden: failed quota: strict: must specify count/secrets".to_owned(),
            "a ResourceQuota of the namespace does not allow it",
        ),
        (
            "POST",
            403,
            "secrets \"opennebula\" is forbidden: unable to create new content in namespace cloud because it is being terminated".to_owned(),
            "the namespace is being deleted: wait until it is gone",
        ),
        (
            "POST",
            404,
            "namespaces \"cloud\" not found".to_owned(),
            "the namespace does not exist: create it",
        ),
        (
            "POST",
            400,
            "admission webhook \"labels.example.org\" denied the request: owner is missing".to_owned(),
            "an admission policy of the cluster refuses it",
        ),
        (
            "POST",
            422,
            "secrets \"opennebula\" is forbidden: ValidatingAdmissionPolicy 'owner' with binding 'all' denied request: owner is missing".to_owned(),
            "an admission policy of the cluster refuses it",
        ),
        (
            "POST",
            403,
            "no".to_owned(),
            "cannot create Secret opennebula in namespace cloud: no (HTTP 403)",
        ),
    ] {
        let server = ApiServer::start().await;
        server.fail_always(method, status, &message);
        let lines = lines(&server, &plan(&["opennebula/one-key=hex64"])).await;
        assert!(
            lines[0].contains(words) && lines[0].contains(&message),
            "{words:?} is not in {lines:?}"
        );
        assert!(
            words.contains("Role") || words.contains("resourceNames") || !lines[0].contains("Role lacks"),
            "{lines:?}"
        );
        assert!(
            server.requests().len() <= 2,
            "it is not tried again: {:?}",
            server.requests()
        );
    }
    let server = ApiServer::start().await;
    server.put(NAMESPACE, "opennebula", &[]);
    server.fail_always(
        "PATCH",
        403,
        "secrets \"opennebula\" is forbidden: User \"u\" cannot patch resource \"secrets\"",
    );
    let lines = lines(&server, &plan(&["opennebula/one-key=hex64"])).await;
    assert!(
        lines[0].contains("resourceNames: [opennebula], verbs: [patch]"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_quota_that_is_counted_at_that_moment_is_tried_again() {
    let server = ApiServer::start().await;
    server.fail_times(
        "POST",
        409,
        "Operation cannot be fulfilled on resourcequotas \"small\": the object has been modified",
        3,
    );
    let lines = lines(&server, &plan(&["opennebula/one-key=hex64"])).await;
    assert_eq!(lines, ["Secret opennebula: created with key one-key"]);
}

/// A server that never comes to an end of its answer, be it fast or slow.
#[tokio::test]
async fn an_endless_answer_is_an_error() {
    let limit = Duration::from_millis(200);
    for (pause, timeout, words) in [
        (Duration::ZERO, REQUEST_TIMEOUT, "longer than 4 MiB"),
        (limit / 5, limit, "no whole answer within 0.2 s"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                    let mut sent = stream.write_all(head.as_bytes()).await;
                    let chunk = format!("{:x}\r\n{}\r\n", 65536, " ".repeat(65536));
                    while sent.is_ok() {
                        tokio::time::sleep(pause).await;
                        let part = if pause.is_zero() {
                            chunk.as_str()
                        } else {
                            "1\r\n \r\n"
                        };
                        sent = stream.write_all(part.as_bytes()).await;
                    }
                });
            }
        });
        let lines = lines_from(&url, &plan(&["opennebula/one-key=hex64"]), timeout).await;
        serving.abort();
        assert!(lines[0].contains(words), "{words:?} is not in {lines:?}");
    }
}

#[tokio::test]
async fn an_overloaded_api_is_tried_again() {
    let server = ApiServer::start().await;
    server.fail_times("GET", 503, "not yet", 3);
    server.fail_times("POST", 429, "slowly", 2);
    let lines = lines(&server, &plan(&["opennebula/one-key=hex64"])).await;
    assert_eq!(lines, ["Secret opennebula: created with key one-key"]);
}

#[tokio::test]
async fn an_api_that_is_not_there_is_an_error_that_says_so() {
    let server = ApiServer::start().await;
    server.stop().await;
    let lines = lines(&server, &plan(&["opennebula/one-key=hex64"])).await;
    assert!(
        lines[0].starts_with("cannot get Secret opennebula in namespace cloud: no usable answer"),
        "{lines:?}"
    );
    assert!(lines[0].contains("refused"), "{lines:?}");
}

#[tokio::test]
async fn no_value_is_ever_printed() {
    let server = ApiServer::start().await;
    server.put(
        NAMESPACE,
        "opennebula",
        &[("oneadmin-password", "hunter2hunter2")],
    );
    let mut text = lines(&server, &usual()).await.join("\n");
    server.fail_always("PATCH", 422, "refused");
    text += &lines(&server, &plan(&["opennebula/other=password"]))
        .await
        .join("\n");
    for (name, object) in server.all(NAMESPACE) {
        for key in object["data"].as_object().unwrap().keys() {
            let value = server.value(NAMESPACE, &name, key);
            assert!(!text.contains(value.trim()), "{key} of {name} is in {text}");
        }
    }
    assert_eq!(BTreeMap::from_iter(server.all(NAMESPACE)).len(), 2);
}
