//! A registry in memory, for tests: tags in pages, manifests, blobs, and the two ways to ask for a name. It takes what it is
//! given without looking whether it is complete, which real ones do not.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::json;

use super::{Digest, Name, Patience, Repository};
use crate::rehearsal::{Proxy, Request};

/// How many tags are in a page.
const PAGE: usize = 2;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Door {
    #[default]
    Open,
    Basic,
    /// A token for the one user.
    Token,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(crate) manifests: BTreeMap<Digest, (String, Vec<u8>)>,
    pub(crate) tags: BTreeMap<String, Digest>,
    pub(crate) door: Door,
}

/// The registry, with a proxy before it that can make trouble.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) proxy: Proxy,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &mut shared.lock().unwrap());
            }
        });
        Self {
            address,
            proxy: Proxy::start(address).unwrap(),
            state,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn name(&self) -> Name {
        format!("{}/a/b", self.proxy.address).parse().unwrap()
    }

    /// A client that does not wait between its tries.
    pub(crate) fn client(&self) -> Repository {
        let patience = Patience {
            pause: |_| {},
            ..Patience::default()
        };
        Repository::with(&self.name(), None, patience)
    }

    /// The tags as lines, with names in place of digests.
    pub(crate) fn tags(&self) -> BTreeMap<String, Digest> {
        self.state().tags.clone()
    }
}

fn answer(mut stream: TcpStream, state: &mut State) -> io::Result<()> {
    let request = Request::read(&stream)?;
    let (status, headers, body) = respond(&request, state);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    stream.write_all(b"Connection: close\r\n\r\n")?;
    if request.method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

type Response = (&'static str, Vec<(&'static str, String)>, Vec<u8>);

fn respond(request: &Request, state: &mut State) -> Response {
    let host = request.header("Host").unwrap_or_default();
    let authorization = request.header("Authorization").unwrap_or_default();
    let basic = "Basic bWU6c2VzYW1l"; // me:sesame
    if request.target.starts_with("/token") {
        let body = json!({"token": if authorization == basic { "good" } else { "nobody" }});
        return ("200 OK", vec![], body.to_string().into_bytes());
    }
    let challenge = match state.door {
        Door::Open => None,
        Door::Basic => (authorization != basic).then(|| "Basic realm=\"x\"".to_owned()),
        Door::Token => (authorization != "Bearer good").then(|| {
            format!("Bearer realm=\"http://{host}/token\",service=\"x\",scope=\"repository:a/b:pull\"")
        }),
    };
    if let Some(challenge) = challenge {
        return ("401 Unauthorized", vec![("WWW-Authenticate", challenge)], vec![]);
    }
    let nothing = ("404 Not Found", vec![], vec![]);
    let Some(target) = request.target.strip_prefix("/v2/a/b/") else {
        return nothing;
    };
    match (request.method.as_str(), target.split_once('/')) {
        ("GET", Some(("tags", list))) => tags(list, state),
        ("GET" | "HEAD", Some(("manifests", reference))) => {
            let digest = reference
                .parse()
                .ok()
                .or_else(|| state.tags.get(reference).cloned());
            let found = digest.and_then(|digest| Some((digest.clone(), state.manifests.get(&digest)?)));
            found.map_or(nothing, |(digest, (media, bytes))| {
                let headers = vec![
                    ("Docker-Content-Digest", digest.to_string()),
                    ("Content-Type", media.clone()),
                ];
                ("200 OK", headers, bytes.clone())
            })
        }
        ("PUT", Some(("manifests", reference))) => {
            let digest = Digest::of(&request.body);
            let media = request.header("Content-Type").unwrap_or_default().to_owned();
            state
                .manifests
                .insert(digest.clone(), (media, request.body.clone()));
            if !reference.contains(':') {
                state.tags.insert(reference.to_owned(), digest);
            }
            ("201 Created", vec![], vec![])
        }
        ("POST", Some(("blobs", "uploads/"))) => (
            "202 Accepted",
            vec![("Location", "/v2/a/b/upload?x=y".to_owned())],
            vec![],
        ),
        ("PUT", None) if target.starts_with("upload?x=y&digest=sha256:") => {
            state
                .blobs
                .insert(Digest::of(&request.body), request.body.clone());
            ("201 Created", vec![], vec![])
        }
        ("GET" | "HEAD", Some(("blobs", digest))) => {
            let found = digest.parse().ok().and_then(|digest| state.blobs.get(&digest));
            found.map_or(nothing, |bytes| ("200 OK", vec![], bytes.clone()))
        }
        _ => nothing,
    }
}

fn tags(list: &str, state: &State) -> Response {
    let last = list.split_once("last=").map_or("", |(_, last)| last);
    let rest: Vec<&String> = state.tags.keys().filter(|tag| tag.as_str() > last).collect();
    let page: Vec<&String> = rest.iter().take(PAGE).copied().collect();
    let mut headers = Vec::new();
    if rest.len() > page.len() {
        headers.push((
            "Link",
            format!("</v2/a/b/tags/list?last={}>; rel=\"next\"", page[PAGE - 1]),
        ));
    }
    if state.tags.is_empty() {
        return (
            "404 Not Found",
            vec![],
            b"{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}".to_vec(),
        );
    }
    (
        "200 OK",
        headers,
        json!({"name": "a/b", "tags": page}).to_string().into_bytes(),
    )
}
