//! An oned of two users: it checks passwords, describes serveradmin and changes passwords. It can lose its database and
//! it can vanish in the middle of a call.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use one_xmlrpc::Endpoint;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: i32,
    pub(super) name: &'static str,
    pub(super) password: String,
    pub(super) driver: String,
    pub(super) enabled: bool,
}

#[derive(Debug)]
struct State {
    oneadmin: User,
    serveradmin: User,
    calls: Vec<String>,
    lost: bool,
    refuses: bool,
    dies: bool,
}

/// The daemon; it ends with the test's runtime.
pub(super) struct FakeOned {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl FakeOned {
    pub(super) async fn start(password: &str, secret: &str) -> Self {
        let user = |id, name, text: &str, driver: &str| User {
            id,
            name,
            password: digest(text),
            driver: driver.to_owned(),
            enabled: true,
        };
        let state = Arc::new(Mutex::new(State {
            oneadmin: user(0, "oneadmin", password, "core"),
            serveradmin: user(1, "serveradmin", secret, "server_cipher"),
            calls: Vec::new(),
            lost: false,
            refuses: false,
            dies: false,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &shared).await;
            }
        });
        Self { address, state }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        format!("http://{}/RPC2", self.address).parse().unwrap()
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    pub(super) fn accepts(&self, password: &str) -> bool {
        self.state.lock().unwrap().oneadmin.password == digest(password)
    }

    pub(super) fn serveradmin_accepts(&self, secret: &str) -> bool {
        self.state.lock().unwrap().serveradmin.password == digest(secret)
    }

    pub(super) fn set_serveradmin(&self, secret: &str) {
        self.state.lock().unwrap().serveradmin.password = digest(secret);
    }

    pub(super) fn change_oneadmin(&self, change: impl FnOnce(&mut User)) {
        change(&mut self.state.lock().unwrap().oneadmin);
    }

    pub(super) fn change_serveradmin(&self, change: impl FnOnce(&mut User)) {
        change(&mut self.state.lock().unwrap().serveradmin);
    }

    pub(super) fn lose_database(&self) {
        self.state.lock().unwrap().lost = true;
    }

    pub(super) fn refuse_passwords(&self) {
        self.state.lock().unwrap().refuses = true;
    }

    /// Whether the connection breaks when a password has been changed and not yet answered.
    pub(super) fn die_after_passwd(&self, dies: bool) {
        self.state.lock().unwrap().dies = dies;
    }
}

fn digest(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(digits, "{byte:02x}").unwrap();
    }
    digits
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&request).contains("</methodCall>") {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let Some(values) = answer(&request, &mut state.lock().unwrap()) else {
        return;
    };
    let body = format!(
        "<methodResponse><params><param><value><array><data>{values}</data></array></value></param></params></methodResponse>"
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

/// The values of the answer; nothing when the daemon dies over the call.
fn answer(request: &str, state: &mut State) -> Option<String> {
    let method = between(request, "<methodName>", "</methodName>");
    let mut texts = request
        .split("<string>")
        .skip(1)
        .map(|rest| rest.split("</string>").next().unwrap_or_default());
    let session = texts.next().unwrap();
    let id: i32 = between(request, "<i4>", "</i4>").parse().unwrap();
    state.calls.push(format!("{method} {id}"));
    let known = session.split_once(':').is_some_and(|(name, password)| {
        name == state.oneadmin.name && digest(password) == state.oneadmin.password
    });
    if state.lost || !known {
        return Some(refusal(256, "User couldn't be authenticated, aborting call."));
    }
    let user = if id == 1 {
        &mut state.serveradmin
    } else {
        &mut state.oneadmin
    };
    match method {
        "one.user.info" => Some(described(user)),
        "one.user.passwd" if state.refuses => Some(refusal(2048, "Invalid password, it is refused")),
        "one.user.passwd" => {
            let given = texts.next().unwrap();
            user.password = if user.driver == "core" {
                digest(given)
            } else {
                given.to_owned()
            };
            let changed = format!("<value><boolean>1</boolean></value><value><i4>{id}</i4></value>");
            (!state.dies).then_some(changed)
        }
        other => panic!("nobody should call {other}"),
    }
}

fn described(user: &User) -> String {
    format!(
        "<value><boolean>1</boolean></value><value><string>&lt;USER&gt;&lt;ID&gt;{}&lt;/ID&gt;&lt;GID&gt;0&lt;/GID&gt;\
         &lt;NAME&gt;{}&lt;/NAME&gt;&lt;PASSWORD&gt;{}&lt;/PASSWORD&gt;&lt;AUTH_DRIVER&gt;{}&lt;/AUTH_DRIVER&gt;\
         &lt;ENABLED&gt;{}&lt;/ENABLED&gt;&lt;/USER&gt;</string></value>",
        user.id,
        user.name,
        user.password,
        user.driver,
        u8::from(user.enabled)
    )
}

fn refusal(code: i32, text: &str) -> String {
    format!(
        "<value><boolean>0</boolean></value><value><string>{text}</string></value><value><i4>{code}</i4></value>"
    )
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).map_or(0, |at| at + from.len());
    text[start..].split(to).next().unwrap_or_default()
}
