//! Any text as the document inside an answer: it comes out of the answer as it was put in, and no document makes a
//! reader panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "the fields are for the callers of the crate")]
#[path = "../../src/document.rs"]
mod document;
#[expect(dead_code, reason = "only answers are read here")]
#[path = "../../src/wire.rs"]
mod wire;
#[path = "../../src/xml.rs"]
mod xml;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = document::user(text);
    let _ = document::host_pool(text);
    let _ = document::raft_status(text);

    if xml::inexpressible(text).is_some() {
        return;
    }
    let mut answer = String::from(
        "<methodResponse><params><param><value><array><data><value><boolean>1</boolean></value><value><string>",
    );
    xml::escape_into(&mut answer, text);
    answer.push_str("</string></value></data></array></value></param></params></methodResponse>");
    let read = wire::answer(&answer);
    assert_eq!(read, Ok(wire::Answer::Done(wire::Value::Text(text.to_owned()))));
});
