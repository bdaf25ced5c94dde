//! Scenarios of `onepod verify` against small servers on loopback that answer as the real ones were seen to.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;

use super::*;

const PASSWORD: &str = "Tr0ubad0ur";

fn answer(done: bool, value: &str, code: i32) -> String {
    let value = value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "<?xml version=\"1.0\"?>\r\n<methodResponse><params><param><value><array><data><value><boolean>{}</boolean></value>\
         <value><string>{value}</string></value><value><i4>{code}</i4></value></data></array></value></param></params></methodResponse>",
        u8::from(done)
    )
}

/// oned: checks the session as the real one does and answers the three calls.
fn oned(request: &str) -> String {
    let method = request
        .split("<methodName>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap();
    if !request.contains(&format!("<string>oneadmin:{PASSWORD}</string>")) {
        return answer(
            false,
            &format!("[{method}] User couldn't be authenticated, aborting call."),
            256,
        );
    }
    match method {
        "one.system.version" => answer(true, "7.0.0", 0),
        "one.user.info" => answer(
            true,
            "<USER><ID>0</ID><GID>0</GID><NAME>oneadmin</NAME><PASSWORD>x</PASSWORD><AUTH_DRIVER>core</AUTH_DRIVER><ENABLED>1</ENABLED></USER>",
            0,
        ),
        "one.hostpool.info" => answer(
            true,
            "<HOST_POOL><HOST><ID>0</ID><NAME>a</NAME><STATE>2</STATE></HOST><HOST><ID>1</ID><NAME>b</NAME><STATE>3</STATE></HOST></HOST_POOL>",
            0,
        ),
        other => panic!("{other} is not expected"),
    }
}

fn oneflow(headers: &HeaderMap) -> StatusCode {
    let basic = STANDARD.encode(format!("oneadmin:{PASSWORD}"));
    match headers.get("authorization") {
        Some(value) if value == &format!("Basic {basic}") => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    }
}

fn fireedge_login(body: &str) -> (StatusCode, String) {
    let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
    if parsed["user"] == "oneadmin" && parsed["token"] == PASSWORD {
        (
            StatusCode::OK,
            r#"{"id":200,"data":{"token":"eyJh.eyJi.c2ln","id":"0"}}"#.to_owned(),
        )
    } else {
        (
            StatusCode::UNAUTHORIZED,
            r#"{"id":401,"message":"Unauthorized"}"#.to_owned(),
        )
    }
}

/// Everything on one port; the paths do not overlap.
fn opennebula() -> Router {
    Router::new()
        .route("/RPC2", post(|body: String| async move { oned(&body) }))
        .route(
            "/service",
            get(|headers: HeaderMap| async move { oneflow(&headers) }),
        )
        // OneGate, to whoever has no token.
        .route("/", get(|| async { StatusCode::UNAUTHORIZED }))
        .route("/fireedge/sunstone", get(|| async { "<html></html>" }))
        .route(
            "/fireedge/api/auth",
            post(|body: String| async move { fireedge_login(&body) }),
        )
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn args(address: SocketAddr, timeout: u64) -> Args {
    let base = || Some(format!("http://{address}").parse().unwrap());
    Args {
        api: format!("http://{address}/RPC2").parse().unwrap(),
        oneflow: base(),
        onegate: base(),
        fireedge: base(),
        user: "oneadmin".to_owned(),
        timeout,
    }
}

async fn report(args: Args, password: &str) -> Report {
    verify(
        args,
        &Secret::new(password),
        "ONEADMIN_PASSWORD_FILE, /run/secrets/pw".to_owned(),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn a_whole_front_end_passes_and_the_table_says_what_was_found() {
    let address = serve(opennebula()).await;
    let mut report = report(args(address, 5), PASSWORD).await;
    for (row, took) in report.rows.iter_mut().zip([3, 4, 5, 6, 7, 89, 1234]) {
        row.last.took = Duration::from_millis(took);
    }
    // Ports that the system chooses have five digits.
    let text = report.to_string().replace(&address.port().to_string(), "PPPPP");
    insta::assert_snapshot!(text, @"
    CHECK           TARGET                                    RESULT                            MS
    API version     http://127.0.0.1:PPPPP/RPC2               ok: 7.0.0                          3
    API login       http://127.0.0.1:PPPPP/RPC2               ok: oneadmin is user 0             4
    API hosts       http://127.0.0.1:PPPPP/RPC2               ok: 2 hosts, 1 monitored           5
    OneFlow         http://127.0.0.1:PPPPP/service            ok: HTTP 200                       6
    OneGate         http://127.0.0.1:PPPPP/                   ok: HTTP 401, it wants a token     7
    FireEdge page   http://127.0.0.1:PPPPP/fireedge/sunstone  ok: HTTP 200                      89
    FireEdge login  http://127.0.0.1:PPPPP/fireedge/api/auth  ok: HTTP 200, a session         1234

    All 7 checks passed.
    ");
    assert!(report.passed());
}

/// FireEdge of 7.4 has the session in a cookie alone.
#[tokio::test]
async fn a_session_is_in_the_body_or_in_a_cookie() {
    for (cookie, passes) in [
        ("FireedgeToken=%7B%7D; Path=/; HttpOnly", true),
        ("other=1", false),
    ] {
        let answer = move || async move { ([("set-cookie", cookie)], r#"{"id":200,"data":{"id":"0"}}"#) };
        let front_end = Router::new()
            .route("/fireedge/sunstone", get(|| async { "<html></html>" }))
            .route("/fireedge/api/auth", post(answer));
        let address = serve(front_end).await;
        let report = report(args(address, 0), PASSWORD).await;
        let login = report.to_string();
        let login = login
            .lines()
            .find(|line| line.starts_with("FireEdge login"))
            .unwrap();
        assert_eq!(login.contains("ok: HTTP 200, a session"), passes, "{login}");
        assert!(!login.contains("%7B"), "{login}");
    }
}

#[tokio::test]
async fn only_what_is_named_is_checked() {
    let address = serve(opennebula()).await;
    let only_api = Args {
        oneflow: None,
        onegate: None,
        fireedge: None,
        ..args(address, 5)
    };
    let report = report(only_api, PASSWORD).await;
    assert!(report.passed() && report.rows.len() == 3, "{report}");
}

#[tokio::test]
async fn a_wrong_password_fails_with_its_origin_and_is_not_shown() {
    let address = serve(opennebula()).await;
    let report = report(args(address, 0), "hunter2hunter2").await;
    let text = report.to_string();
    let failed: Vec<_> = report
        .rows
        .iter()
        .filter(|row| row.last.outcome.is_err())
        .map(|row| row.name)
        .collect();
    assert_eq!(
        failed,
        [
            "API version",
            "API login",
            "API hosts",
            "OneFlow",
            "FireEdge login"
        ],
        "{text}"
    );
    assert!(
        text.contains("the password from ONEADMIN_PASSWORD_FILE, /run/secrets/pw is not oneadmin's"),
        "{text}"
    );
    assert!(
        text.contains("\nAPI version, API login, API hosts failed: oned does not let oneadmin in."),
        "{text}"
    );
    assert_eq!(
        text.matches("lost its database").count(),
        1,
        "one cause is said once: {text}"
    );
    assert!(text.contains("5 of 7 checks failed."), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_broken_fireedge_secret_is_explained_and_no_token_is_printed() {
    let broken = Router::new()
        .route("/RPC2", post(|body: String| async move { oned(&body) }))
        .route("/fireedge/sunstone", get(|| async { "<html></html>" }))
        .route(
            "/fireedge/api/auth",
            post(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "{}") }),
        );
    let address = serve(broken).await;
    let broken = report(
        Args {
            oneflow: None,
            onegate: None,
            ..args(address, 0)
        },
        PASSWORD,
    )
    .await
    .to_string();
    assert!(
        broken.contains("HTTP 500: serveradmin's secret in sunstone_auth does not match the database"),
        "{broken}"
    );

    let address = serve(opennebula()).await;
    let whole = report(args(address, 5), PASSWORD).await.to_string();
    assert!(!whole.contains("eyJh") && !whole.contains(PASSWORD), "{whole}");
}

#[tokio::test]
async fn a_server_that_refuses_its_host_name_fails_with_the_remedy() {
    let refusing = Router::new()
        .route("/RPC2", post(|body: String| async move { oned(&body) }))
        .fallback(|| async { (StatusCode::FORBIDDEN, "Host not permitted") });
    let address = serve(refusing).await;
    let report = report(
        Args {
            fireedge: None,
            ..args(address, 0)
        },
        PASSWORD,
    )
    .await;
    let text = report.to_string();
    for server in ["OneFlow", "OneGate"] {
        assert!(
            text.contains(&format!(
                "HTTP 403: {server} refuses the host name in http://{address}"
            )) && text.contains(&format!("start {server} with APP_ENV=production")),
            "{text}"
        );
    }
    assert!(text.contains("2 of 5 checks failed."), "{text}");
}

#[tokio::test]
async fn what_comes_up_a_moment_later_passes() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let late = Router::new().route(
        "/RPC2",
        post(move |body: String| {
            let call = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                if call < 3 {
                    (StatusCode::BAD_GATEWAY, String::new())
                } else {
                    (StatusCode::OK, oned(&body))
                }
            }
        }),
    );
    let address = serve(late).await;
    let report = report(
        Args {
            oneflow: None,
            onegate: None,
            fireedge: None,
            ..args(address, 20)
        },
        PASSWORD,
    )
    .await;
    assert!(report.passed(), "{report}");
    assert!(report.to_string().contains("(attempt 2)"), "{report}");
}

#[tokio::test]
async fn nobody_there_fails_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let begin = Instant::now();
    let report = report(args(address, 1), PASSWORD).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(
        report.rows.iter().all(|row| row.last.outcome.is_err()),
        "{report}"
    );
    assert!(report.to_string().contains("7 of 7 checks failed."), "{report}");
    assert!(report.to_string().contains("refused"), "{report}");
}

#[test]
fn the_password_comes_from_one_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    fs::write(&path, format!("{PASSWORD}\n")).unwrap();
    let path = path.to_str().unwrap();
    let given = |text: Option<&str>, file: Option<&str>| {
        let pair = [("ONEADMIN_PASSWORD", text), ("ONEADMIN_PASSWORD_FILE", file)];
        password(|name| {
            pair.iter()
                .find(|(n, _)| *n == name)
                .and_then(|(_, value)| value.map(str::to_owned))
        })
    };
    let (secret, origin) = given(None, Some(path)).unwrap();
    assert_eq!(
        (secret.expose(), origin),
        (PASSWORD, format!("ONEADMIN_PASSWORD_FILE, {path}"))
    );
    assert_eq!(given(Some("x"), None).unwrap().1, "ONEADMIN_PASSWORD");
    assert!(given(None, None).unwrap_err().contains("is not set"));
    assert!(
        given(Some("x"), Some(path))
            .unwrap_err()
            .contains("give one of them")
    );
    assert!(given(Some(""), None).unwrap_err().contains("is empty"));
    let missing = format!("{path}.missing");
    assert!(given(None, Some(&missing)).unwrap_err().contains(&missing));
}
