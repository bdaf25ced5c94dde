//! Scenarios of `onepod discover` against an API server on loopback whose watch begins at a version and can end or expire
//! as the real one's does.

use std::cell::RefCell;
use std::future::pending;
use std::os::unix::fs::PermissionsExt as _;

use kube::Config;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::verbs::kubernetes::api_server::ApiServer;

const NAMESPACE: &str = "cloud";
const NAME: &str = "opennebula-monitord";
const HEAD: &str = "waiting for the load balancer of Service opennebula-monitord in namespace cloud";
const NO_ADDRESS: &str = "no address yet (has the cluster a controller for load balancers?)";
const GET: &str = "GET /api/v1/namespaces/cloud/services/opennebula-monitord";
const WATCH: &str = "WATCH /api/v1/namespaces/cloud/services";

/// What does not come about within this has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn search(url: &str) -> Search {
    let mut config = Config::new(url.parse().unwrap());
    config.default_namespace = NAMESPACE.to_owned();
    config.default_retry = false;
    let mut search = Search::new(config, None, NAME).unwrap();
    search.pause = Duration::from_millis(1);
    search
}

fn ingress(server: &ApiServer, ingress: &Value) {
    server.put_service(NAMESPACE, NAME, "LoadBalancer", ingress);
}

/// A server with the Service as it is made: without an address.
async fn server() -> ApiServer {
    let server = ApiServer::start().await;
    ingress(&server, &json!([]));
    server
}

/// What is found while `events` happen, and what is said meanwhile.
async fn found(
    server: &ApiServer,
    events: impl Future<Output = ()>,
) -> (Result<Found, DiscoverError>, Vec<String>) {
    let lines = RefCell::new(Vec::new());
    let search = search(&server.url());
    let say = |line: &str| lines.borrow_mut().push(line.to_owned());
    let both = async { tokio::join!(search.run(pending(), &say), events).0 };
    let found = timeout(PATIENCE, both).await.unwrap();
    (found, lines.into_inner())
}

fn address(text: &str) -> Found {
    Found::Address(text.to_owned())
}

fn waiting(reasons: &[&str]) -> Vec<String> {
    reasons.iter().map(|reason| format!("{HEAD}: {reason}")).collect()
}

/// The error of a search that has nothing to wait for.
async fn refusal(server: &ApiServer) -> String {
    let (found, _) = found(server, async {}).await;
    found.unwrap_err().to_string()
}

#[tokio::test]
async fn an_address_that_is_there_needs_one_request_and_no_words() {
    for (ingress_is, expected) in [
        (json!([{"ip": "192.0.2.7"}]), "192.0.2.7"),
        (json!([{"ip": "2001:db8::7"}]), "2001:db8::7"),
        (json!([{"hostname": "lb-1.example.org"}]), "lb-1.example.org"),
        (
            json!([{"hostname": "lb-1.example.org", "ip": "192.0.2.7"}]),
            "192.0.2.7",
        ),
        (json!([{"ip": "192.0.2.8"}, {"ip": "192.0.2.7"}]), "192.0.2.8"),
        (json!([{"ip": ""}, {"ip": "192.0.2.7"}]), "192.0.2.7"),
    ] {
        let server = ApiServer::start().await;
        ingress(&server, &ingress_is);
        let (found, lines) = found(&server, async {}).await;
        assert_eq!(found.unwrap(), address(expected), "{ingress_is}");
        assert_eq!(lines, [""; 0], "{ingress_is}");
        assert_eq!(server.requests(), [GET], "{ingress_is}");
    }
}

#[tokio::test]
async fn an_address_that_comes_later_is_heard_of_and_not_asked_for() {
    let server = server().await;
    let (found, lines) = found(&server, async {
        server.watched(1).await;
        ingress(&server, &json!([{}]));
        ingress(&server, &json!([{"hostname": "lb-1.example.org"}]));
    })
    .await;
    assert_eq!(found.unwrap(), address("lb-1.example.org"));
    assert_eq!(lines, waiting(&[NO_ADDRESS]));
    assert_eq!(server.requests(), [GET, WATCH]);
}

#[tokio::test]
async fn a_watch_that_ends_is_begun_again_without_a_word() {
    let server = server().await;
    let (found, lines) = found(&server, async {
        server.watched(1).await;
        server.end_watches();
        server.watched(2).await;
        ingress(&server, &json!([{"ip": "192.0.2.7"}]));
    })
    .await;
    assert_eq!(found.unwrap(), address("192.0.2.7"));
    assert_eq!(lines, waiting(&[NO_ADDRESS]));
    assert_eq!(server.requests(), [GET, WATCH, GET, WATCH]);
}

#[tokio::test]
async fn a_watch_that_expires_is_begun_again_from_a_new_look() {
    let server = server().await;
    server.fail_times("WATCH", 410, "the version is gone", 1);
    let (found, lines) = found(&server, async {
        server.watched(1).await;
        server.expire_watches();
        server.watched(2).await;
        ingress(&server, &json!([{"ip": "192.0.2.7"}]));
    })
    .await;
    assert_eq!(found.unwrap(), address("192.0.2.7"));
    assert_eq!(
        lines,
        waiting(&[
            NO_ADDRESS,
            "the watch has expired (the version is gone); looking again",
            "the watch has expired (too old resource version); looking again",
        ])
    );
    assert_eq!(server.requests(), [GET, WATCH, GET, WATCH, GET, WATCH]);
}

#[tokio::test]
async fn a_service_that_is_deleted_is_waited_for() {
    const GONE: &str = "the Service is gone; waiting until it is made again";
    let server = server().await;
    let (found, lines) = found(&server, async {
        server.watched(1).await;
        server.delete_service(NAMESPACE, NAME);
        server.end_watches();
        server.watched(2).await;
        ingress(&server, &json!([]));
        ingress(&server, &json!([{"ip": "192.0.2.7"}]));
    })
    .await;
    assert_eq!(found.unwrap(), address("192.0.2.7"));
    assert_eq!(lines, waiting(&[NO_ADDRESS, GONE, NO_ADDRESS]));
}

#[tokio::test]
async fn an_overloaded_api_is_asked_again() {
    let server = server().await;
    server.fail_times("GET", 503, "not yet", 2);
    server.fail_times("WATCH", 429, "slowly", 2);
    let (found, lines) = found(&server, async {
        server.watched(1).await;
        ingress(&server, &json!([{"ip": "192.0.2.7"}]));
    })
    .await;
    assert_eq!(found.unwrap(), address("192.0.2.7"));
    let slowly = "the Kubernetes API cannot answer now: slowly (HTTP 429)";
    assert_eq!(
        lines,
        waiting(&[
            "the Kubernetes API cannot answer now: not yet (HTTP 503)",
            NO_ADDRESS,
            slowly,
            NO_ADDRESS,
            slowly,
            NO_ADDRESS,
        ])
    );
}

#[tokio::test]
async fn an_api_that_is_not_there_at_first_is_found_later() {
    // An address of its own: no other test gets its port in the meantime.
    let nobody = TcpListener::bind("127.83.1.1:0").await.unwrap();
    let at = nobody.local_addr().unwrap();
    drop(nobody);
    let (refused, mut heard) = watch::channel(false);
    let lines = RefCell::new(Vec::new());
    let search = search(&format!("http://{at}"));
    let say = |line: &str| {
        lines.borrow_mut().push(line.to_owned());
        refused.send_replace(true);
    };
    let later = async {
        heard.wait_for(|heard| *heard).await.unwrap();
        // All of this runs in one thread: the server answers nothing before the Service is in it.
        let server = ApiServer::start_at(at).await;
        ingress(&server, &json!([{"ip": "192.0.2.7"}]));
        server
    };
    let both = async { tokio::join!(search.run(pending(), &say), later).0 };
    let found = timeout(PATIENCE, both).await.unwrap();
    assert_eq!(found.unwrap(), address("192.0.2.7"));
    let lines = lines.into_inner();
    assert!(
        lines[0].starts_with(&format!("{HEAD}: no answer from the Kubernetes API: "))
            && lines[0].contains("refused"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn the_reason_is_said_again_and_again_until_the_deadline() {
    let server = server().await;
    let (said, mut heard) = watch::channel(0);
    let lines = RefCell::new(Vec::new());
    let mut search = search(&server.url());
    search.period = Duration::from_millis(20);
    let say = |line: &str| {
        lines.borrow_mut().push(line.to_owned());
        if line.contains(NO_ADDRESS) {
            said.send_modify(|times| *times += 1);
        }
    };
    let deadline = async {
        server.watched(1).await;
        heard.wait_for(|times| *times >= 3).await.unwrap();
    };
    assert_eq!(
        search.run(deadline, &say).await.unwrap(),
        Found::Nothing(NO_ADDRESS.to_owned())
    );
    assert_eq!(server.requests(), [GET, WATCH], "saying is not asking");
}

#[tokio::test]
async fn what_cannot_come_to_an_address_is_refused_with_the_next_step() {
    let server = ApiServer::start().await;
    let absent = refusal(&server).await;
    assert!(
        absent.starts_with("there is no Service opennebula-monitord in namespace cloud"),
        "{absent}"
    );
    for kind in ["NodePort", "ClusterIP"] {
        server.put_service(NAMESPACE, NAME, kind, &json!([]));
        let text = refusal(&server).await;
        assert!(text.contains(&format!("is of type {kind}, and only")), "{text}");
        assert!(text.contains("monitord.advertisedAddress"), "{text}");
    }
    ingress(&server, &json!([]));
    let (changed, _) = found(&server, async {
        server.watched(1).await;
        server.put_service(NAMESPACE, NAME, "ClusterIP", &json!([]));
    })
    .await;
    assert!(matches!(changed, Err(DiscoverError::Type { .. })), "{changed:?}");
}

#[tokio::test]
async fn a_missing_right_is_named_as_the_rule_to_add() {
    for (method, verb) in [("GET", "get"), ("WATCH", "watch")] {
        let server = server().await;
        server.fail_always(method, 403, "services is forbidden");
        let text = refusal(&server).await;
        for part in [
            format!("may not {verb} Service opennebula-monitord in namespace cloud"),
            format!("resources: [services], resourceNames: [opennebula-monitord], verbs: [{verb}]"),
            "services is forbidden".to_owned(),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        assert!(server.requests().len() <= 2, "a missing right is not tried again");
    }
    for (code, reason) in [
        (401, "does not accept the credentials"),
        (
            400,
            "cannot get Service opennebula-monitord in namespace cloud: no (HTTP 400)",
        ),
    ] {
        let server = server().await;
        server.fail_always("GET", code, "no");
        let text = refusal(&server).await;
        assert!(text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn the_file_has_the_address_or_is_empty_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let args = Args {
        service: NAME.to_owned(),
        output: dir.path().join("address"),
        namespace: None,
        timeout: Duration::from_mins(2),
    };
    let search = search("http://127.0.0.1:1");
    let written = write(&search, &address("192.0.2.7"), &args).unwrap();
    assert_eq!(std::fs::read_to_string(&args.output).unwrap(), "192.0.2.7\n");
    let mode = args.output.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(written.sentence.contains("has the address 192.0.2.7: written to"));
    assert_eq!(written.warning, None);

    let written = write(&search, &Found::Nothing(NO_ADDRESS.to_owned()), &args).unwrap();
    assert_eq!(std::fs::read_to_string(&args.output).unwrap(), "");
    let warning = written.warning.unwrap();
    for part in [
        "no address for Service opennebula-monitord in namespace cloud within 2m0s: no address yet",
        "(auto)",
        "set monitord.advertisedAddress, or restart the pod",
        "kubectl -n cloud get service opennebula-monitord",
    ] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "no unfinished file stays"
    );

    let args = Args {
        output: dir.path().join("absent/address"),
        ..args
    };
    let error = write(&search, &address("192.0.2.7"), &args)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot write") && error.contains("absent/address"),
        "{error}"
    );
}
