//! The command line tools.

use std::fs;

use crate::front_end::{FrontEnd, PASSWORD, said};

#[test]
fn a_wrong_password_ends_with_255() {
    let front = FrontEnd::new();
    let _oned = front.up();
    front.write_auth("one_auth", "oneadmin:wrong\n");
    let output = front.run(&["oneuser", "list"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(
        said(&output).contains("User couldn't be authenticated"),
        "{}",
        said(&output)
    );
}

#[test]
fn nobody_listening_ends_with_255() {
    let front = FrontEnd::new();
    let output = front.run(&["onehost", "list"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(
        said(&output).contains("Failed to open TCP connection"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_password_is_changed_in_the_database_and_not_in_the_file() {
    let front = FrontEnd::new();
    let _oned = front.up();
    assert_eq!(
        front.run(&["oneuser", "passwd", "0", "new"]).status.code(),
        Some(0)
    );
    assert!(front.session_is_good("new") && !front.session_is_good(PASSWORD));
    assert_eq!(
        fs::read_to_string(front.auth("one_auth")).unwrap(),
        format!("oneadmin:{PASSWORD}\n")
    );
    assert_eq!(front.run(&["oneuser", "list"]).status.code(), Some(255));
}

#[test]
fn a_password_that_the_driver_does_not_take_is_refused() {
    let front = FrontEnd::new();
    let _oned = front.up();
    for (password, refusal) in [
        ("", "Invalid password, it cannot be empty"),
        ("a b", "Invalid password, character ' ' is not allowed"),
        (
            "x".repeat(257).as_str(),
            "Password is longer than max allowed length. Max allowed length for the driver core : 256 bytes",
        ),
    ] {
        let output = front.run(&["oneuser", "passwd", "0", password]);
        assert_eq!(output.status.code(), Some(255));
        let wanted = format!("[one.user.passwd] {refusal}");
        assert!(said(&output).contains(&wanted), "{}", said(&output));
    }
    // What serveradmin has is the text of a digest, and longer ones are taken.
    let long = "x".repeat(300);
    assert_eq!(
        front.run(&["oneuser", "passwd", "1", &long]).status.code(),
        Some(0)
    );
    assert!(front.session_is_good(PASSWORD));
}

#[test]
fn nobody_changes_the_password_of_another_user() {
    let front = FrontEnd::new();
    let _oned = front.up();
    let created = front.run(&["oneuser", "create", "guest", "guests"]);
    assert_eq!(said(&created), "ID: 2\n");
    let passwd = |session: &str, user: i32| {
        let parameters = format!(
            "<param><value><i4>{user}</i4></value></param><param><value><string>other</string></value></param>"
        );
        front.call("one.user.passwd", session, &parameters)
    };
    let refused = passwd("guest:guests", 0);
    assert!(
        refused.contains("<boolean>0</boolean>") && refused.contains("<i4>512</i4>"),
        "{refused}"
    );
    assert!(front.session_is_good(PASSWORD));
    assert!(passwd("guest:guests", 2).contains("<boolean>1</boolean>"));
    assert!(
        passwd("guest:guests", 2).contains("<i4>256</i4>"),
        "the old one is gone"
    );
}

#[test]
fn the_lists_show_what_a_new_installation_has() {
    let front = FrontEnd::new();
    let _oned = front.up();
    for (tool, wanted) in [
        ("oneuser", vec!["oneadmin", "serveradmin", "server_cipher"]),
        ("onegroup", vec!["oneadmin", "users"]),
        ("onedatastore", vec!["system", "default", "files"]),
        ("onecluster", vec!["default"]),
        ("onezone", vec!["OpenNebula", "http://localhost:2633/RPC2"]),
        ("onehost", vec!["ID", "NAME"]),
        ("onevm", vec!["ID", "NAME"]),
    ] {
        let output = front.run(&[tool, "list"]);
        assert_eq!(output.status.code(), Some(0), "{tool}");
        for text in wanted {
            assert!(said(&output).contains(text), "{text} in {}", said(&output));
        }
    }
    assert_eq!(front.run(&["oneshowback", "calculate"]).status.code(), Some(0));
}

#[test]
fn a_user_of_no_group_sees_only_what_is_its_own() {
    let front = FrontEnd::with_dummy_drivers();
    let _oned = front.up();
    assert_eq!(
        said(&front.run(&["oneuser", "create", "bob", "builder"])),
        "ID: 2\n"
    );
    front.run(&["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"]);
    let pool = front.call("one.hostpool.info", "bob:builder", "");
    assert!(pool.contains("&lt;HOST_POOL&gt;&lt;/HOST_POOL&gt;"), "{pool}");
    let refused = front.call("one.system.config", "bob:builder", "");
    assert!(refused.contains("<i4>512</i4>"), "{refused}");
}
