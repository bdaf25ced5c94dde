//! The product's own client against the simulated daemon: what it reads from the real one it must read from here.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as prepared"
)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test starts the daemon and is its only parent"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::front_end::free_port;
use one_xmlrpc::{Client, Credentials, Endpoint, Error, HostState, UserRef};

const PASSWORD: &str = "Tr0ub&d0ur<3>";

/// A daemon in a directory of its own. Ends with this value.
struct Daemon {
    process: Child,
    endpoint: Endpoint,
    _directory: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for inside in ["etc", "var/.one", "var/lock", "lib/mads"] {
            fs::create_dir_all(root.join(inside)).unwrap();
        }
        for driver in DRIVERS {
            symlink(env!("CARGO_BIN_EXE_onesim"), root.join("lib/mads").join(driver)).unwrap();
        }
        let port = free_port();
        fs::write(
            root.join("etc/oned.conf"),
            format!(
                "PORT = {port}\nLISTEN_ADDRESS = \"127.0.0.1\"\nHOSTNAME = \"localhost\"\n\
                 LOG = [ SYSTEM = \"file\" ]\nDB = [ BACKEND = \"sqlite\" ]\n"
            ),
        )
        .unwrap();
        fs::write(
            root.join("etc/monitord.conf"),
            format!(
                "NETWORK = [ PORT = {} ]\nIM_MAD = [ NAME = \"dummy\", EXECUTABLE = \"one_im_sh\" ]\n",
                free_port()
            ),
        )
        .unwrap();
        fs::write(root.join("var/.one/one_auth"), format!("oneadmin:{PASSWORD}\n")).unwrap();
        let process = program(root).args(["oned", "-f"]).spawn().unwrap();
        let endpoint = format!("http://127.0.0.1:{port}/RPC2").parse().unwrap();
        let daemon = Self {
            process,
            endpoint,
            _directory: directory,
        };
        daemon.until_it_answers().await;
        daemon
    }

    fn client(&self, password: &str) -> Client {
        Client::new(
            self.endpoint.clone(),
            Credentials::new("oneadmin", password).unwrap(),
        )
    }

    async fn until_it_answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = self.client(PASSWORD).system_version().await {
            assert!(error.is_transport() && Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Adds a host of the dummy driver, a call that the product itself does not make.
    fn add_host(&self, name: &str) {
        let session = format!("oneadmin:{PASSWORD}")
            .replace('&', "&amp;")
            .replace('<', "&lt;");
        let text = |value: &str| format!("<param><value><string>{value}</string></value></param>");
        let body = format!(
            "<?xml version=\"1.0\"?><methodCall><methodName>one.host.allocate</methodName><params>{}{}{}{}\
             <param><value><i4>-1</i4></value></param></params></methodCall>",
            text(&session),
            text(name),
            text("dummy"),
            text("dummy")
        );
        let mut stream = TcpStream::connect((self.endpoint.host(), self.endpoint.port())).unwrap();
        write!(
            stream,
            "POST /RPC2 HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            self.endpoint.authority(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
    }
}

const DRIVERS: &[&str] = &[
    "onemonitord",
    "one_hm",
    "one_vmm_exec",
    "one_vmm_dummy",
    "one_tm",
    "one_auth_mad",
    "one_datastore",
    "one_market",
    "one_ipam",
    "one_sched",
    "one_im_exec",
];

fn program(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesim"));
    command
        .env("ONE_LOCATION", root)
        .env("ONE_AUTH", root.join("var/.one/one_auth"))
        .env("ONESIM_TIME_SCALE", "0.02")
        .env("ONESIM_RELEASE", "7.0.0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[tokio::test]
async fn the_products_client_reads_every_answer_that_it_asks_for() {
    let daemon = Daemon::start().await;
    let client = daemon.client(PASSWORD);
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
    daemon.add_host("dummy1");
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
    let daemon = Daemon::start().await;
    let stranger = daemon.client("wrong");
    let error = stranger.system_version().await.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "one.system.version: User couldn't be authenticated, aborting call."
    );

    let error = daemon
        .client(PASSWORD)
        .user_info(UserRef::Id(99))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoExists { .. }), "{error:?}");
    assert!(error.to_string().contains("[99]"), "{error}");
}
