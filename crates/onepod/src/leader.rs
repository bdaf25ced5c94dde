//! Whether this front-end leads its zone, for the services that only one of a zone may run.
//!
//! A front-end that is alone leads from the start, and nobody is asked. One of several asks its own oned, which knows who
//! was elected. Deliberately absent: elections, which are oned's.

use std::fs;
use std::time::Duration;

use one_xmlrpc::{Client, Endpoint};
use oned_conf::Document;
use tokio::time::sleep;

use crate::paths::Paths;
use crate::prepare::credentials::login;
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
    let mut leads = false;
    let mut unanswered = 0_u32;
    loop {
        let answer = ask(paths, endpoint).await;
        unanswered = if answer.is_some() {
            0
        } else {
            unanswered.saturating_add(1)
        };
        let now = answer.unwrap_or(leads && unanswered < UNANSWERED);
        if now != leads {
            leads = now;
            tracing::info!(
                "this front-end {} its zone{}",
                if leads { "leads" } else { "does not lead" },
                if unanswered > 0 {
                    ", as far as anybody knows: oned does not say"
                } else {
                    ""
                }
            );
            handle.set_leader(leads);
        }
        sleep(PERIOD).await;
    }
}

/// Whether oned.conf, as it is rendered, makes oned work alone: `FEDERATION/SERVER_ID` below 0 or not there.
fn is_alone(paths: &Paths) -> bool {
    let Ok(text) = fs::read(paths.oned_conf()) else {
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
    use super::*;

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
