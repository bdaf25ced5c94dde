//! The client against a registry in memory, and one in trouble.

use std::time::Duration;

use super::fake::{Door, Fake};
use super::*;
use crate::rehearsal::{Fault, Trouble};

fn fault(method: &'static str, path: &'static str, trouble: Trouble, times: u32) -> Fault {
    Fault {
        method,
        path,
        trouble,
        times,
    }
}

fn manifest(text: &str) -> Manifest {
    Manifest {
        media_type: OCI_INDEX.to_owned(),
        bytes: text.as_bytes().to_vec(),
        digest: Digest::of(text.as_bytes()),
    }
}

/// An error without what differs from run to run.
fn told<T: std::fmt::Debug>(fake: &Fake, result: Result<T>) -> String {
    format!("{:#}", result.unwrap_err()).replace(&fake.proxy.address.to_string(), "REGISTRY")
}

#[test]
fn what_is_put_is_found_again_byte_for_byte() {
    let fake = Fake::start();
    let client = fake.client();
    assert_eq!(client.tags().unwrap().len(), 0);
    assert_eq!(client.digest("1").unwrap(), None);
    assert_eq!(client.manifest("1").unwrap(), None);
    let made = manifest("{ \"odd\" :\tbytes }");
    for tag in ["1", "2", "3", "4", "5"] {
        client.put_manifest(tag, &made).unwrap();
    }
    assert_eq!(client.tags().unwrap().len(), 5, "in three pages");
    assert_eq!(client.digest("3").unwrap(), Some(made.digest.clone()));
    assert_eq!(client.manifest(made.digest.as_str()).unwrap(), Some(made));
    let blob = client.put_blob(b"x").unwrap();
    assert!(client.has_blob(&blob).unwrap());
    assert_eq!(client.blob(&blob).unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(client.blob(&Digest::of(b"y")).unwrap(), None);
}

#[test]
fn other_bytes_than_those_of_the_digest_are_refused() {
    let fake = Fake::start();
    let digest = Digest::of(b"x");
    fake.state().blobs.insert(digest.clone(), b"y".to_vec());
    fake.state()
        .manifests
        .insert(digest.clone(), (OCI_INDEX.to_owned(), b"y".to_vec()));
    let client = fake.client();
    assert!(told(&fake, client.blob(&digest)).contains("other bytes than those of the digest"));
    assert!(told(&fake, client.manifest(digest.as_str())).contains("other bytes than those of the digest"));
}

#[test]
fn a_registry_that_is_busy_is_asked_again() {
    let fake = Fake::start();
    let client = fake.client();
    let made = manifest("{}");
    for trouble in [
        Trouble::Answer("429 Too Many Requests", "Retry-After: 7"),
        Trouble::Answer("500 Internal Server Error", "X: y"),
        Trouble::Answer(
            "503 Service Unavailable",
            "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT",
        ),
        Trouble::LostAnswer,
    ] {
        fake.proxy.inject(&[fault("PUT", "/manifests/1", trouble, 4)]);
        client.put_manifest("1", &made).unwrap();
        assert_eq!(fake.proxy.seen().len(), 6, "five tries, and a look: {trouble:?}");
    }
}

#[test]
fn patience_has_an_end() {
    let fake = Fake::start();
    let client = fake.client();
    fake.proxy.inject(&[fault(
        "GET",
        "/tags/list",
        Trouble::Answer("502 Bad Gateway", "X: y"),
        9,
    )]);
    assert_eq!(
        told(&fake, client.tags()),
        "REGISTRY answers 502 for the tags of REGISTRY/a/b (5 times): run it again later, nothing that was done before \
         has to be undone; if it stays so, look whether REGISTRY can be reached from here"
    );
    assert_eq!(fake.proxy.seen().len(), 5);
    fake.proxy.inject(&[fault(
        "GET",
        "/tags/list",
        Trouble::Answer("429 Too Many Requests", "Retry-After: 3600"),
        1,
    )]);
    assert_eq!(
        told(&fake, client.tags()),
        "REGISTRY answers 429 for the tags of REGISTRY/a/b, and wants to be left alone for 3600 s: run it again after that"
    );
    assert_eq!(fake.proxy.seen().len(), 1);
}

#[test]
fn what_the_registry_asks_to_wait_is_waited() {
    use std::sync::Mutex;
    static WAITED: Mutex<Vec<Duration>> = Mutex::new(Vec::new());
    let fake = Fake::start();
    let patience = Patience {
        pause: |time| WAITED.lock().unwrap().push(time),
        ..Patience::default()
    };
    let client = Repository::with(&fake.name(), None, patience);
    fake.proxy.inject(&[
        fault(
            "GET",
            "/tags",
            Trouble::Answer("429 Too Many Requests", "Retry-After: 7"),
            1,
        ),
        fault(
            "GET",
            "/tags",
            Trouble::Answer("500 Internal Server Error", "X: y"),
            2,
        ),
    ]);
    client.tags().unwrap();
    assert_eq!(*WAITED.lock().unwrap(), [7, 2, 4].map(Duration::from_secs));
}

#[test]
fn what_may_not_be_sent_twice_is_not() {
    let fake = Fake::start();
    fake.proxy
        .inject(&[fault("POST", "/uploads/", Trouble::LostAnswer, 1)]);
    assert!(told(&fake, fake.client().put_blob(b"x")).contains("REGISTRY cannot be reached ("));
    assert_eq!(fake.proxy.seen().len(), 2, "a look, and one try");
}

#[test]
fn nobody_there_is_told_with_the_name() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let name: Name = format!("{gone}/a/b").parse().unwrap();
    let patience = Patience {
        pause: |_| {},
        ..Patience::default()
    };
    let error = Repository::with(&name, None, patience)
        .tags()
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("{gone} cannot be reached (")) && error.contains("(5 times)"),
        "{error}"
    );
}

#[test]
fn who_has_no_name_is_told_how_to_get_one() {
    let fake = Fake::start();
    for door in [Door::Basic, Door::Token] {
        fake.state().door = door;
        let error = told(&fake, fake.client().digest("1"));
        assert!(
            error.starts_with(
                "REGISTRY refuses REGISTRY/a/b:1 (401) to somebody without a name: set REGISTRY_USERNAME"
            ),
            "{error}"
        );
    }
    fake.proxy.inject(&[fault(
        "PUT",
        "/manifests",
        Trouble::Answer("403 Forbidden", "X: y"),
        1,
    )]);
    fake.state().door = Door::Open;
    let error = told(&fake, fake.client().put_manifest("1", &manifest("{}")));
    assert!(error.contains("(403) to somebody without a name"), "{error}");
    assert_eq!(fake.proxy.seen().len(), 1, "that is no case for another try");
}

#[test]
fn name_and_password_open_either_door_and_are_never_shown() {
    let fake = Fake::start();
    fake.state().tags.insert("1".to_owned(), Digest::of(b"{}"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let client = |password: &str| {
        std::fs::write(file.path(), password).unwrap();
        let credentials = Credentials::of_file("me", file.path()).unwrap();
        Repository::with(&fake.name(), Some(credentials), Patience::default())
    };
    for door in [Door::Basic, Door::Token] {
        fake.state().door = door;
        let good = client("sesame");
        assert_eq!(good.tags().unwrap().len(), 1);
        assert_eq!(good.tags().unwrap().len(), 1);
        let bad = client("wrong-sesame");
        let error = told(&fake, bad.tags());
        assert!(
            error.contains("(401) to who is named by REGISTRY_USERNAME and REGISTRY_PASSWORD_FILE"),
            "{error}"
        );
        let shown = format!("{error} {bad:?}");
        assert!(
            !shown.contains("wrong-sesame") && !shown.contains("Basic "),
            "{shown}"
        );
    }
}

#[test]
fn a_registry_cannot_lead_to_another_server() {
    let fake = Fake::start();
    let client = fake.client();
    assert!(client.resolve("/v2/x").is_ok());
    assert!(told(&fake, client.resolve("http://example.org/v2/x")).contains("leads to another server"));
    let beside = format!("http://{}.example.org/", fake.proxy.address);
    assert!(client.resolve(&beside).is_err());
}
