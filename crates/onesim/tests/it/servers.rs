//! OneFlow, OneGate, the hook manager's client and FireEdge, as real Ruby and Node processes.
#![expect(clippy::disallowed_methods, reason = "the tests own what they start")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::front_end::{Answer, Daemon, FrontEnd, PASSWORD, assets, free_port, http, said, until};

/// The configuration of a server with its port and oned's.
pub(crate) fn configure(front: &FrontEnd, name: &str, port: u16) {
    let packaged = fs::read_to_string(assets().join("etc").join(name)).unwrap();
    let text = packaged
        .replace("localhost:2633", &format!("127.0.0.1:{}", front.port))
        .replace("localhost:2101", &format!("127.0.0.1:{}", front.hook_port))
        .replace(":port: 2474", &format!(":port: {port}"))
        .replace(":port: 5030", &format!(":port: {port}"))
        .replace(":port: 13013", &format!(":port: {port}"))
        .replace(":port: 10780", &format!(":port: {port}"))
        .replace("port: 2616", &format!("port: {port}"));
    fs::write(front.path("etc").join(name), text).unwrap();
}

pub(crate) fn start(front: &FrontEnd, program: &str, file: &str) -> Daemon {
    start_with(front, program, file, &[])
}

/// The same with more in the environment.
pub(crate) fn start_with(front: &FrontEnd, program: &str, file: &str, more: &[(&str, &str)]) -> Daemon {
    let mut command = front.command(program);
    let spawned = command
        .envs(more.iter().copied())
        .arg(assets().join("lib").join(file))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let why = format!("{program} is missing: apt-get install ruby nodejs (make test does)");
    Daemon {
        child: spawned.expect(&why),
    }
}

pub(crate) fn basic(password: &str) -> String {
    use base64::Engine as _;
    let value = base64::engine::general_purpose::STANDARD.encode(format!("oneadmin:{password}"));
    format!("Authorization: Basic {value}\r\n")
}

pub(crate) fn listening(port: u16) {
    until("the server listens", || http(port, "GET /", "", "").is_some());
}

pub(crate) fn login(port: u16, password: &str) -> Answer {
    let body = format!("{{\"user\":\"oneadmin\",\"token\":\"{password}\"}}");
    http(
        port,
        "POST /fireedge/api/auth",
        "Content-Type: application/json\r\n",
        &body,
    )
    .unwrap()
}

/// The header with which a request belongs to the session of this login.
pub(crate) fn session(login: &Answer) -> String {
    let cookie = login
        .head
        .split("FireedgeToken=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    let token = login
        .body
        .split("\"token\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    match (cookie, token) {
        (Some(cookie), None) => format!("Cookie: other=1; FireedgeToken={cookie}\r\n"),
        (None, Some(token)) => format!("Authorization: Bearer {token}\r\n"),
        both => panic!("{both:?}"),
    }
}

#[test]
fn oneflow_answers_as_observed() {
    let front = FrontEnd::new();
    let _oned = front.up();
    let port = free_port();
    configure(&front, "oneflow-server.conf", port);
    let mut flow = start(&front, "ruby", "oneflow-server.rb");
    listening(port);
    let status = |request: &str, headers: &str| http(port, request, headers, "").unwrap().status;
    assert_eq!(status("GET /", ""), 401);
    assert_eq!(status("GET /", &basic(PASSWORD)), 404);
    assert_eq!(status("GET /service", &basic("wrong")), 401);
    let services = http(port, "GET /service", &basic(PASSWORD), "").unwrap();
    assert_eq!(services.status, 200);
    assert!(services.body.contains("\"DOCUMENT_POOL\""), "{}", services.body);
    assert_eq!(flow.stop().code(), Some(0));
}

/// Status of `GET /` with one more or another header.
fn status_with(port: u16, headers: &str) -> u16 {
    http(port, "GET /", headers, "").unwrap().status
}

#[test]
fn foreign_host_names_are_refused_in_development() {
    let mut front = FrontEnd::new();
    front.release = "7.2.0";
    let _oned = front.up();
    for name in ["oneflow", "onegate", "oneform"] {
        let port = free_port();
        configure(&front, &format!("{name}-server.conf"), port);
        let mut server = start(&front, "ruby", &format!("{name}-server.rb"));
        listening(port);
        for (headers, status) in [
            ("Host: localhost\r\n", 401),
            ("Host: LOCALHOST:2474\r\n", 401),
            ("Host: a.localhost\r\n", 401),
            ("Host: one.test\r\n", 401),
            ("Host: 10.1.2.3:5030\r\n", 401),
            ("Host: opennebula-oneflow\r\n", 403),
            ("Host: one.example.org:2474\r\n", 403),
            ("Host: localhost.example.org\r\n", 403),
            ("Host: .localhost\r\n", 403),
            ("Host: localhost\r\nX-Forwarded-Host: one.example.org\r\n", 403),
        ] {
            assert_eq!(status_with(port, headers), status, "{name}: {headers}");
        }
        assert_eq!(server.stop().code(), Some(0));
    }
}

#[test]
fn any_host_name_is_served_in_production_and_since_7_4() {
    for (release, variable, value) in [
        ("7.0.0", "APP_ENV", "production"),
        ("7.2.0", "RACK_ENV", "production"),
        ("7.4.0", "LANG", "C"),
    ] {
        let mut front = FrontEnd::new();
        front.release = release;
        let _oned = front.up();
        let port = free_port();
        configure(&front, "onegate-server.conf", port);
        let mut server = start_with(&front, "ruby", "onegate-server.rb", &[(variable, value)]);
        listening(port);
        assert_eq!(
            status_with(port, "Host: one.example.org\r\n"),
            401,
            "{release} with {variable}={value}"
        );
        assert_eq!(server.stop().code(), Some(0));
    }
}

#[test]
fn each_answer_is_a_line_in_the_log() {
    let front = FrontEnd::new();
    let _oned = front.up();
    let mut logs = Vec::new();
    for name in ["oneflow", "onegate"] {
        let port = free_port();
        configure(&front, &format!("{name}-server.conf"), port);
        let mut server = start(&front, "ruby", &format!("{name}-server.rb"));
        listening(port);
        status_with(port, "Host: localhost\r\n");
        http(port, "GET /nothing", "Host: localhost\r\n", "").unwrap();
        http(port, "TRACE /nothing", "Host: localhost\r\n", "").unwrap();
        assert_eq!(server.stop().code(), Some(0));
        logs.push(fs::read_to_string(front.path("var").join(format!("{name}.log"))).unwrap());
    }
    assert!(
        logs[0].contains(" [I]: 127.0.0.1 - - [") && logs[0].contains("] \"GET / HTTP/1.1\" 401 "),
        "{}",
        logs[0]
    );
    let gate = &logs[1];
    assert!(
        gate.contains(" [E]: X_ONEGATE_TOKEN header not preset\n"),
        "{gate}"
    );
    assert!(gate.contains(" [I]: Unauthorized login attempt\n"), "{gate}");
    assert!(gate.contains("] \"GET / HTTP/1.1\" 401 14 "), "{gate}");
    assert!(
        gate.contains(" [E]: OneGate server doesn't support this feature\n")
            && gate.contains("] \"GET /nothing HTTP/1.1\" 400 43 "),
        "{gate}"
    );
    assert!(gate.contains("] \"TRACE /nothing HTTP/1.1\" 404 "), "{gate}");
    assert_eq!(gate.matches("support this feature").count(), 1, "{gate}");
}

#[test]
fn a_server_without_its_secret_does_not_start() {
    let front = FrontEnd::new();
    for name in ["oneflow", "onegate"] {
        configure(&front, &format!("{name}-server.conf"), free_port());
        let output = front
            .command("ruby")
            .arg(assets().join(format!("lib/{name}-server.rb")))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(255), "{name}");
        let wanted = format!("{name}_auth");
        assert!(
            said(&output).contains("No such file") && said(&output).contains(&wanted),
            "{}",
            said(&output)
        );
    }
}

/// Writes OpenNebulaNetwork.conf with TPROXY for these ports.
fn configure_tproxy(front: &FrontEnd, ports: &[u16]) {
    let folder = front.path("var/remotes/etc/vnm");
    fs::create_dir_all(&folder).unwrap();
    let entries = ports.iter().map(|port| {
        format!("- :service_port: {port}\n  :remote_addr: one.example.org\n  :remote_port: {port}\n")
    });
    let text = format!(":vlan_mtu: 1500\n:tproxy:\n{}", entries.collect::<String>());
    fs::write(folder.join("OpenNebulaNetwork.conf"), text).unwrap();
}

#[test]
fn oneks_exits_with_1_and_names_the_file_until_tproxy_has_both_ports() {
    let mut front = FrontEnd::new();
    front.release = "7.4.0";
    let _oned = front.up();
    configure(&front, "oneks-server.conf", free_port());
    for (configured, missing) in [(&[][..], "2633, 5030"), (&[5030], "2633")] {
        configure_tproxy(&front, configured);
        let mut server = start(&front, "ruby", "oneks-server.rb");
        assert_eq!(server.ended().code(), Some(1), "{configured:?}");
        let log = fs::read_to_string(front.path("var/oneks.log")).unwrap();
        let reason = format!(
            "TPROXY has no service_port {missing} in {}/OpenNebulaNetwork.conf",
            front.path("var/remotes/etc/vnm").display()
        );
        assert!(
            log.contains("[E] [SRV]: Server initialization failed: ") && log.contains(&reason),
            "{log}"
        );
    }
}

#[test]
fn oneform_and_oneks_let_users_in_with_the_releases_own_secrets() {
    let mut front = FrontEnd::new();
    front.release = "7.4.0";
    configure_tproxy(&front, &[5030, 2633]);
    let _oned = front.up();
    for (name, line) in [
        ("oneform", "[I] [LOG]: Starting server"),
        ("oneks", "[I] [SRV]: Starting server"),
    ] {
        let port = free_port();
        configure(&front, &format!("{name}-server.conf"), port);
        let mut server = start(&front, "ruby", &format!("{name}-server.rb"));
        listening(port);
        let status = |headers: &str| http(port, "GET /", headers, "").unwrap().status;
        assert_eq!((status(""), status(&basic("wrong"))), (401, 401), "{name}");
        assert_eq!(status(&basic(PASSWORD)), 200, "{name}");
        let log = fs::read_to_string(front.path("var").join(format!("{name}.log"))).unwrap();
        assert!(log.contains(line), "{log}");
        assert_eq!(server.stop().code(), Some(0));
    }
}

#[test]
fn the_log_of_a_machine_is_shown_by_fireedge() {
    let mut front = FrontEnd::with_dummy_drivers();
    front.release = "7.4.0";
    front.configure("LOG = [ SYSTEM = \"file\", DEBUG_LEVEL = 3, USE_VMS_LOCATION = \"YES\" ]");
    let _oned = front.up();
    let port = free_port();
    configure(&front, "fireedge-server.conf", port);
    let _fireedge = start(&front, "node", "fireedge.js");
    listening(port);
    for command in [
        &["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"][..],
        &[
            "onevm", "create", "--name", "t1", "--cpu", "0.1", "--memory", "64",
        ],
        &["onevm", "deploy", "0", "0", "0"],
    ] {
        let output = front.run(command);
        assert!(output.status.success(), "{command:?}: {}", said(&output));
    }
    let session = session(&login(port, PASSWORD));
    let logs = http(port, "GET /fireedge/api/vm/0/logs", &session, "").unwrap();
    assert_eq!(logs.status, 200, "{}", logs.body);
    for part in [
        "\"level\":\"info\"",
        "[VM][I]: New state is ACTIVE",
        "New LCM state is RUNNING",
    ] {
        assert!(logs.body.contains(part), "{part} in {}", logs.body);
    }
    assert!(front.path("var/vms/0/vm.log").exists());
    assert_eq!(
        http(port, "GET /fireedge/api/vm/7/logs", &session, "")
            .unwrap()
            .status,
        404
    );
}

#[test]
fn onegate_refuses_who_has_no_token() {
    let front = FrontEnd::new();
    let _oned = front.up();
    let port = free_port();
    configure(&front, "onegate-server.conf", port);
    let mut gate = start(&front, "ruby", "onegate-server.rb");
    listening(port);
    assert_eq!(http(port, "GET /", "", "").unwrap().status, 401);
    assert_eq!(gate.stop().code(), Some(0));
}

#[test]
fn the_hook_client_connects_again_after_oned_restarted() {
    let front = FrontEnd::new();
    configure(&front, "onehem-server.conf", 0);
    let mut hem = start(&front, "ruby", "onehem-server.rb");
    let connected = |times: usize| {
        let endpoint = format!("Connected to tcp://127.0.0.1:{}", front.hook_port);
        let log = fs::read_to_string(front.path("var/onehem.log")).unwrap_or_default();
        log.matches(&endpoint).count() >= times
    };
    let mut oned = front.up();
    until("the client is connected", || connected(1));
    oned.stop();
    let _again = front.up();
    until("the client is connected again", || connected(2));
    assert_eq!(hem.stop().code(), Some(0));
}

#[test]
fn fireedge_logs_in_with_the_right_secret_only() {
    for release in ["7.0.2", "7.4.0"] {
        fireedge_of(release);
    }
}

/// Until 7.2 the session is a token in the answer's body, since 7.4 a cookie that scripts cannot read.
fn fireedge_of(release: &'static str) {
    let mut front = FrontEnd::new();
    front.release = release;
    let _oned = front.up();
    let port = free_port();
    configure(&front, "fireedge-server.conf", port);
    let mut fireedge = start(&front, "node", "fireedge.js");
    listening(port);
    let key = front.auth("fireedge_key");
    assert_eq!(fs::read(&key).unwrap().len(), 32);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o644);
    let root = http(port, "GET /", "", "").unwrap();
    assert_eq!(root.status, 302);
    assert!(root.head.contains("/fireedge/sunstone"), "{}", root.head);
    let page = http(port, "GET /fireedge/sunstone", "", "").unwrap();
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("__HOST__"),
        "replaced in the browser, not on the server"
    );
    assert_eq!(login(port, "wrong").status, 401);
    let good = login(port, PASSWORD);
    assert_eq!(good.status, 200, "{}", good.body);
    assert_eq!(
        good.head.contains("; HttpOnly; SameSite=Lax"),
        release == "7.4.0",
        "{}",
        good.head
    );
    let machines = http(port, "GET /fireedge/api/vmpool/info", &session(&good), "").unwrap();
    assert_eq!(machines.status, 200);
    assert_eq!(
        http(port, "GET /fireedge/api/vmpool/info", "", "")
            .unwrap()
            .status,
        401
    );
    // The services' secret in the database no longer fits the file: FireEdge's own failure.
    front.run(&["oneuser", "passwd", "1", "--sha256", "other"]);
    assert_eq!(login(port, PASSWORD).status, 500);
    let secret = fs::read_to_string(front.auth("sunstone_auth")).unwrap();
    let secret = secret.trim().strip_prefix("serveradmin:").unwrap();
    assert_eq!(
        front
            .run(&["oneuser", "passwd", "1", "--sha256", secret])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(login(port, PASSWORD).status, 200);
    fs::remove_file(front.auth("sunstone_auth")).unwrap();
    assert_eq!(login(port, PASSWORD).status, 500);
    assert_eq!(
        http(port, "GET /fireedge/sunstone", "", "").unwrap().status,
        200,
        "the page is still served"
    );
    assert_eq!(fireedge.stop().code(), Some(0));
}

#[test]
fn fireedge_upgrades_to_websockets() {
    use std::io::{Read as _, Write as _};
    let front = FrontEnd::new();
    let port = free_port();
    configure(&front, "fireedge-server.conf", port);
    let _fireedge = start(&front, "node", "fireedge.js");
    listening(port);
    for path in ["guacamole", "external-guacamole", "websockets/hooks"] {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!(
            "GET /fireedge/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_read_timeout(Some(crate::front_end::PATIENCE)).unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        // The example of RFC 6455.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    }
}

#[test]
fn guacd_listens_where_it_is_told() {
    let front = FrontEnd::new();
    let port = free_port();
    let mut command = front.command(env!("CARGO_BIN_EXE_onesim"));
    let spawned = command
        .args(["guacd", "-f", "-b", "127.0.0.1", "-l", &port.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _guacd = Daemon { child: spawned };
    until("guacd listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}
