//! `onepod discover` as an init container runs it: as PID 1, to its exit code. What it finds is tested beside its code; here
//! the API server answers one thing or nothing at all.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::pod::{Process, in_namespace, until};

struct Run {
    process: Process,
    api: TcpListener,
    dir: TempDir,
}

impl Run {
    fn start(timeout: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\n\
             clusters: [{{name: it, cluster: {{server: \"http://{}\"}}}}]\n\
             users: [{{name: it, user: {{}}}}]\n\
             contexts: [{{name: it, context: {{cluster: it, user: it, namespace: cloud}}}}]\n",
            api.local_addr().unwrap()
        );
        fs::write(dir.path().join("kubeconfig"), kubeconfig).unwrap();
        let said = fs::File::create(dir.path().join("said")).unwrap();
        let mut command = in_namespace();
        command
            .arg(env!("CARGO_BIN_EXE_onepod"))
            .args([
                "discover",
                "--service",
                "opennebula-monitord",
                "--timeout",
                timeout,
                "--output",
                // A name alone stands for a file in the working directory.
                "address",
            ])
            .current_dir(dir.path())
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env("KUBECONFIG", dir.path().join("kubeconfig"))
            .stdout(Stdio::from(said.try_clone().unwrap()))
            .stderr(said);
        let (process, _) = Process::start(&mut command);
        Self { process, api, dir }
    }

    /// The request for the Service, to be answered or not.
    fn request(&self) -> TcpStream {
        let (mut stream, _) = self.api.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend_from_slice(&byte);
        }
        let expected = b"GET /api/v1/namespaces/cloud/services/opennebula-monitord HTTP/1.1\r\n";
        assert!(
            request.starts_with(expected),
            "{}",
            String::from_utf8_lossy(&request)
        );
        stream
    }

    /// Exit code, what was said, and the file's content.
    fn end(mut self) -> (i32, String, Option<String>) {
        let code = until("its end", || self.process.exit());
        let read = |name: &str| fs::read_to_string(self.dir.path().join(name)).ok();
        (code, read("said").unwrap(), read("address"))
    }
}

#[test]
fn a_signal_ends_the_wait_at_once_and_writes_nothing() {
    let run = Run::start("24h");
    let _unanswered = run.request();
    run.process.signal_only_child(Signal::TERM);
    let (code, said, address) = run.end();
    assert_eq!((code, address), (1, None), "{said}");
    assert!(said.contains("asked to stop while waiting"), "{said}");
}

#[test]
fn an_api_that_never_answers_costs_the_timeout_and_leaves_an_empty_file() {
    let run = Run::start("1s");
    let _unanswered = run.request();
    let (code, said, address) = run.end();
    assert_eq!((code, address.as_deref()), (0, Some("")), "{said}");
    for part in [
        "warning: no address for Service opennebula-monitord in namespace cloud within 1s: no answer from the",
        "set monitord.advertisedAddress",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_service_that_does_not_exist_is_an_argument_that_cannot_be_used() {
    let run = Run::start("24h");
    let body = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"services \"opennebula-monitord\" not found","reason":"NotFound","code":404}"#;
    let head = format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = run.request();
    stream.write_all((head + body).as_bytes()).unwrap();
    let (code, said, address) = run.end();
    assert_eq!((code, address), (64, None), "{said}");
    assert!(
        said.contains("there is no Service opennebula-monitord in namespace cloud"),
        "{said}"
    );
}
