//! Probes against real sockets, files and a server that answers as oned does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::getpid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// oned's answers as recorded from release 7.0.2: good credentials, and a database that is lost.
const GOOD: &str = r#"<?xml version="1.0" encoding="UTF-8"?><methodResponse><params><param><value><array><data><value><boolean>1</boolean></value><value><string>&lt;USER&gt;&lt;ID&gt;0&lt;/ID&gt;&lt;GID&gt;0&lt;/GID&gt;&lt;GROUPS&gt;&lt;ID&gt;0&lt;/ID&gt;&lt;/GROUPS&gt;&lt;GNAME&gt;oneadmin&lt;/GNAME&gt;&lt;NAME&gt;oneadmin&lt;/NAME&gt;&lt;PASSWORD&gt;x&lt;/PASSWORD&gt;&lt;AUTH_DRIVER&gt;core&lt;/AUTH_DRIVER&gt;&lt;ENABLED&gt;1&lt;/ENABLED&gt;&lt;TEMPLATE&gt;&lt;/TEMPLATE&gt;&lt;/USER&gt;</string></value><value><i4>0</i4></value></data></array></value></param></params></methodResponse>"#;
const LOST: &str = r#"<?xml version="1.0" encoding="UTF-8"?><methodResponse><params><param><value><array><data><value><boolean>0</boolean></value><value><string>[one.user.info] User couldn't be authenticated, aborting call.</string></value><value><i4>256</i4></value></data></array></value></param></params></methodResponse>"#;

fn run(auth_file: &Path) -> Run<'_> {
    Run {
        pid: getpid(),
        notify: None,
        auth_file,
        essential: true,
    }
}

fn probe(readiness: &Readiness) -> Probe {
    Probe::new(readiness, run(Path::new("/nowhere/one_auth"))).unwrap()
}

/// A server that answers every connection with the same body and counts them.
async fn server(body: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).await;
            let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: ";
            let head = if body.is_empty() {
                head.to_owned()
            } else {
                head.replace("401 Unauthorized", "200 OK")
            };
            let _ = stream
                .write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes())
                .await;
        }
    });
    (address, count)
}

#[tokio::test]
async fn any_status_over_http_is_a_yes_and_silence_or_no_http_is_a_no() {
    let (address, _) = server("").await;
    assert_eq!(
        probe(&Readiness::Http(Method::GET, format!("http://{address}/")))
            .ask()
            .await,
        Ok(())
    );
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let cause = probe(&Readiness::Http(Method::GET, format!("http://{closed}/")))
        .ask()
        .await
        .unwrap_err();
    assert!(
        cause.contains("cannot connect to") && cause.contains("refused"),
        "{cause}"
    );
}

#[tokio::test]
async fn a_port_that_takes_connections_is_a_yes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let readiness = Readiness::Tcp(listener.local_addr().unwrap().to_string());
    assert_eq!(probe(&readiness).ask().await, Ok(()));
    drop(listener);
    assert!(probe(&readiness).ask().await.unwrap_err().contains("refused"));
}

#[tokio::test]
async fn oned_is_ready_when_its_boolean_is_true_and_the_password_is_read_anew_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let auth_file = directory.path().join("one_auth");
    for (body, expected) in [(GOOD, None), (LOST, Some("authenticated"))] {
        let (address, _) = server(body).await;
        let readiness = Readiness::XmlRpc(format!("http://{address}/RPC2").parse().unwrap());
        let probe = Probe::new(&readiness, run(&auth_file)).unwrap();
        let _ = fs::remove_file(&auth_file);
        let cause = probe.ask().await.unwrap_err();
        assert!(cause.contains("one_auth"), "{cause}");
        fs::write(&auth_file, "oneadmin:secret\n").unwrap();
        let answer = probe.ask().await;
        match expected {
            None => assert_eq!(answer, Ok(())),
            Some(part) => {
                let cause = answer.unwrap_err();
                assert!(cause.contains(part) && !cause.contains("secret"), "{cause}");
            }
        }
    }
}

/// An oned that knows one password.
async fn oned_with(password: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("</methodCall>") {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            let known = String::from_utf8_lossy(&request).contains(&format!(":{password}<"));
            let body = if known { GOOD } else { LOST };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: ";
            let answer = format!("{head}{}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

// A rotation that was cut off between the database and one_auth must not keep oned from becoming ready.
#[tokio::test]
async fn a_password_that_is_being_rotated_shows_that_oned_does_its_work() {
    let directory = tempfile::tempdir().unwrap();
    let auth_file = directory.path().join("one_auth");
    let readiness = Readiness::XmlRpc(format!("http://{}/RPC2", oned_with("new").await).parse().unwrap());
    let probe = Probe::new(&readiness, run(&auth_file)).unwrap();
    fs::write(&auth_file, "oneadmin:old\n").unwrap();
    let cause = probe.ask().await.unwrap_err();
    for part in [
        "lost its database",
        "another password than",
        "set ONEADMIN_PASSWORD",
    ] {
        assert!(cause.contains(part), "{part} is not in {cause}");
    }
    fs::write(directory.path().join("one_auth.pending"), "oneadmin:new\n").unwrap();
    assert_eq!(probe.ask().await, Ok(()));
}

#[tokio::test]
async fn a_service_that_notifies_is_ready_when_it_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = notify_path(directory.path(), "a");
    fs::write(&path, "left by an earlier run").unwrap();
    let socket = notify_socket(&path).unwrap();
    let run = Run {
        notify: Some(socket),
        ..run(Path::new("/nowhere"))
    };
    let probe = Probe::new(&Readiness::Notify, run).unwrap();
    let (told, mut answers) = mpsc::unbounded_channel();
    let watch = tokio::spawn(probe.watch(move |answer| told.send(answer).unwrap(), |_, _| {}));
    let service = std::os::unix::net::UnixDatagram::unbound().unwrap();
    service.send_to(b"STATUS=NOT READY=1", &path).unwrap();
    service.send_to(b"STATUS=loading\nREADY=1\n", &path).unwrap();
    assert_eq!(answers.recv().await, Some(Ok(())));
    watch.await.unwrap();
}

#[tokio::test]
async fn an_answer_is_told_when_it_changes_and_not_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ready");
    let (told, mut answers) = mpsc::unbounded_channel();
    let watch = tokio::spawn(
        probe(&Readiness::File(path.clone())).watch(move |answer| told.send(answer).unwrap(), |_, _| {}),
    );
    assert!(
        answers
            .recv()
            .await
            .unwrap()
            .unwrap_err()
            .contains("No such file")
    );
    sleep(EAGER * 3).await;
    fs::write(&path, "").unwrap();
    assert_eq!(answers.recv().await, Some(Ok(())), "nothing in between");
    watch.abort();
}

#[tokio::test]
async fn a_ready_service_is_asked_once_in_a_period() {
    let (address, count) = server("").await;
    let period = Duration::from_millis(100);
    let began = Instant::now();
    let question = Question::Http(Method::GET, format!("http://{address}/"));
    let watch = tokio::spawn(
        Probe {
            question,
            steady: period,
        }
        .watch(|_| {}, |_, _| {}),
    );
    while count.load(Ordering::Relaxed) < 6 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not asked again");
        sleep(Duration::from_millis(1)).await;
    }
    watch.abort();
    // The second question comes at the next common beat, which may be at once; the other four a period apart each.
    assert!(
        began.elapsed() >= period * 4,
        "6 questions within {:?}",
        began.elapsed()
    );
}

#[test]
fn addresses_as_the_kernel_writes_them() {
    assert_eq!(hexadecimal("127.0.0.1:2101".parse().unwrap()), "0100007F:0835");
    assert_eq!(
        hexadecimal("[::1]:80".parse().unwrap()),
        "00000000000000000000000001000000:0050"
    );
}

#[test]
fn a_connection_counts_for_the_process_that_holds_it_and_while_it_is_held() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let own = getpid();
    assert!(!connected(own, address).unwrap());
    let connection = std::net::TcpStream::connect(address).unwrap();
    assert!(connected(own, address).unwrap());
    assert!(!connected(Pid::INIT, address).unwrap_or(false));
    drop(connection);
    assert!(!connected(own, address).unwrap());
}

#[test]
fn a_port_counts_for_the_process_that_listens_on_it() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = std::net::TcpListener::bind(address) else {
            continue; // a machine without IPv6
        };
        let port = listener.local_addr().unwrap().port();
        assert!(listening(getpid(), port).unwrap(), "{address}");
        assert!(!listening(Pid::INIT, port).unwrap_or(false), "{address}");
        // Who is connected there does not listen there.
        let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        drop(listener);
        assert!(!listening(getpid(), port).unwrap(), "{address}");
        drop((connection, accepted));
    }
}
