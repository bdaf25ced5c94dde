//! Whether this front-end leads its zone, for the services that only one of a zone may run.
//!
//! A front-end that is alone leads from the start, and nobody is asked. One of several asks its own oned, which knows who
//! was elected. Deliberately absent: elections, which are oned's.

use std::time::Duration;

use one_xmlrpc::{Client, Endpoint};
use oned_conf::Document;
use tokio::time::sleep;

use crate::paths::Paths;
use crate::prepare::credentials::login;
use crate::prepare::files;
use crate::supervisor::handle::Handle;

/// Time between two questions. An election takes about 5 s.
const PERIOD: Duration = Duration::from_secs(2);

/// After so many questions without an answer nobody knows that this front-end leads still.
const UNANSWERED: u32 = 3;

/// Tells the supervisor whether this front-end leads, until it is dropped. Ends at once for one that is alone.
pub async fn watch(paths: &Paths, endpoint: &Endpoint, handle: &Handle) {
    if is_alone(paths) {
        handle.set_leader(true);
        return;
    }
    tracing::info!(
        "this front-end is one of several: it asks oned every {} s whether it leads",
        PERIOD.as_secs()
    );
    handle.set_leader(false);
    let mut leads = Leads::default();
    loop {
        leads.step(ask(paths, endpoint).await, handle);
        sleep(PERIOD).await;
    }
}

/// What was told last, and since when nobody has answered.
#[derive(Debug, Default)]
struct Leads {
    told: bool,
    unanswered: u32,
}

impl Leads {
    fn step(&mut self, answer: Option<bool>, handle: &Handle) {
        self.unanswered = if answer.is_some() {
            0
        } else {
            self.unanswered.saturating_add(1)
        };
        let now = answer.unwrap_or(self.told && self.unanswered < UNANSWERED);
        if now == self.told {
            return;
        }
        self.told = now;
        match answer {
            Some(true) => tracing::info!("this front-end leads its zone"),
            Some(false) => tracing::info!("this front-end does not lead its zone"),
            None => tracing::warn!(
                "oned does not say any more whether this front-end leads its zone: taken as no"
            ),
        }
        handle.set_leader(now);
    }
}

/// Whether oned.conf, as it is rendered, makes oned work alone: `FEDERATION/SERVER_ID` below 0 or not there.
fn is_alone(paths: &Paths) -> bool {
    let Ok(Some(text)) = files::read(&paths.oned_conf()) else {
        return true;
    };
    // One that cannot be read is for oned to refuse.
    Document::parse(text).ok().is_none_or(|document| {
        document
            .get_in("FEDERATION", "SERVER_ID")
            .and_then(|id| id.trim().parse::<i64>().ok())
            .is_none_or(|id| id < 0)
    })
}

/// Whether oned says that it leads; nothing without an answer.
async fn ask(paths: &Paths, endpoint: &Endpoint) -> Option<bool> {
    for login in login::candidates(&paths.one_auth()).ok()? {
        let Ok(credentials) = login.credentials() else {
            continue;
        };
        let client = Client::new(endpoint.clone(), credentials).with_timeout(PERIOD);
        match client.raft_status().await {
            Ok(status) => return Some(status.state.leads()),
            Err(one_xmlrpc::Error::Authentication { .. }) => {}
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::supervisor::handle::{self, Command, Commands};

    /// An oned in this state of its zone; without one it does not answer.
    async fn oned(state: &Arc<Mutex<Option<u8>>>) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/RPC2", listener.local_addr().unwrap());
        let state = Arc::clone(state);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 8192];
                let _ = stream.read(&mut request).await;
                let Some(state) = *state.lock().unwrap() else {
                    continue;
                };
                let body = format!(
                    "<methodResponse><params><param><value><array><data><value><boolean>1</boolean></value><value>\
                     <string>&lt;RAFT&gt;&lt;SERVER_ID&gt;1&lt;/SERVER_ID&gt;&lt;STATE&gt;{state}&lt;/STATE&gt;\
                     &lt;/RAFT&gt;</string></value></data></array></value></param></params></methodResponse>"
                );
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: ";
                let answer = format!("{head}{}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        endpoint.parse().unwrap()
    }

    fn front(server_id: &str) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(paths.etc_one()).unwrap();
        fs::create_dir_all(paths.auth_dir()).unwrap();
        fs::write(paths.one_auth(), "oneadmin:pw\n").unwrap();
        let text = format!("FEDERATION = [ SERVER_ID = {server_id} ]\n");
        fs::write(paths.oned_conf(), text).unwrap();
        (dir, paths)
    }

    fn told(commands: &mut Commands) -> Vec<bool> {
        std::iter::from_fn(|| commands.take())
            .map(|command| match command {
                Command::Leader(leads) => leads,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[tokio::test]
    async fn one_that_is_alone_leads_and_asks_nobody() {
        let (_dir, paths) = front("-1");
        let (handle, mut commands) = handle::channel();
        let nobody = "http://127.0.0.1:1/RPC2".parse().unwrap();
        watch(&paths, &nobody, &handle).await;
        assert_eq!(told(&mut commands), [true]);
    }

    #[tokio::test]
    async fn one_of_several_leads_while_its_oned_says_so() {
        let (_dir, paths) = front("1");
        let (handle, mut commands) = handle::channel();
        let state = Arc::new(Mutex::new(Some(2)));
        let endpoint = oned(&state).await;
        let mut leads = Leads::default();
        for (answer, expected) in [
            (Some(2), vec![]),
            (Some(3), vec![true]),
            (Some(3), vec![]),
            // An election, then two questions that get lost.
            (Some(1), vec![false]),
            (Some(3), vec![true]),
            (None, vec![]),
            (None, vec![]),
            (Some(3), vec![]),
            // It is gone: what it said last does not hold for ever.
            (None, vec![]),
            (None, vec![]),
            (None, vec![false]),
            (None, vec![]),
        ] {
            *state.lock().unwrap() = answer;
            leads.step(ask(&paths, &endpoint).await, &handle);
            assert_eq!(told(&mut commands), expected, "{answer:?}");
        }
    }

    #[test]
    fn only_a_server_with_a_number_in_its_zone_is_one_of_several() {
        let dir = tempfile::TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        assert!(is_alone(&paths), "without a file");
        fs::create_dir_all(paths.etc_one()).unwrap();
        for (text, alone) in [
            ("PORT = 2633\n", true),
            ("FEDERATION = [ MODE = \"STANDALONE\", SERVER_ID = -1 ]\n", true),
            ("FEDERATION = [ MODE = \"SLAVE\", ZONE_ID = 1 ]\n", true),
            ("FEDERATION = [ SERVER_ID = 0 ]\n", false),
            ("FEDERATION = [ SERVER_ID = \"2\" ]\n", false),
        ] {
            fs::write(paths.oned_conf(), text).unwrap();
            assert_eq!(is_alone(&paths), alone, "{text}");
        }
    }
}
