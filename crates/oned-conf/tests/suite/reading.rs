//! What is read from a file, and what is refused with which words.

use oned_conf::{Content, Document, ParseErrorKind};

use crate::FRONT_END;

fn refused(text: &str) -> String {
    Document::parse(text).expect_err("must be refused").to_string()
}

#[test]
fn prints_what_it_read() {
    let document = Document::parse(FRONT_END).unwrap();
    assert_eq!(document.to_string(), FRONT_END);
    assert_eq!(document.to_bytes(), FRONT_END.as_bytes());
}

#[test]
fn reads_every_form_of_a_value() {
    let document = Document::parse(FRONT_END).unwrap();
    let get = |name| document.get(name).map(String::from);
    assert_eq!(get("MONITORING_INTERVAL_DATASTORE").as_deref(), Some("300"));
    assert_eq!(get("scripts_remote_dir").as_deref(), Some("/var/tmp/one"));
    assert_eq!(get("EMPTY").as_deref(), Some(""));
    assert_eq!(get("QUOTED_EMPTY").as_deref(), Some(""));
    assert_eq!(
        get("OPERATIONS").as_deref(),
        Some("migrate, delete,\n    recover, \"retry\" # = [ ]")
    );
    assert_eq!(get("PATHS").as_deref(), Some("a\\b\\"));
    assert_eq!(get("HOSTNAME"), None, "a commented-out attribute is absent");
    assert_eq!(get("LOG"), None, "a vector has no single value");
    assert_eq!(document.get_in("log", "system").as_deref(), Some("file"));
    assert_eq!(
        document.get_in("VNC_PORTS", "RESERVED").as_deref(),
        Some("32768:65536")
    );
    assert_eq!(document.get_in("PORT", "X"), None);
}

#[test]
fn the_first_value_wins() {
    let document = Document::parse(FRONT_END).unwrap();
    assert_eq!(document.get("SESSION").as_deref(), Some("900"));
    assert_eq!(document.get_in("COST", "CPU").as_deref(), Some("1"));
    let restricted: Vec<_> = document.get_all("VM_RESTRICTED_ATTR").collect();
    assert_eq!(restricted, ["CONTEXT/FILES", "NIC/MAC"]);
}

#[test]
fn chooses_a_repeated_vector_by_a_key() {
    let document = Document::parse(FRONT_END).unwrap();
    assert_eq!(
        document
            .get_in_where("IM_MAD", "NAME", "lxc", "ARGUMENTS")
            .as_deref(),
        Some("-r 3 lxc")
    );
    assert_eq!(document.get_in_where("IM_MAD", "NAME", "none", "ARGUMENTS"), None);
}

#[test]
fn the_line_that_would_silently_cut_the_file_is_named() {
    assert_eq!(
        refused("A = 1\nPASSWD = \"x]]>y\"\nB = 2\n"),
        "line 2: `]]>` stands in the line of PASSWD's value: OpenNebula stops reading there and uses defaults \
         for everything below, without an error"
    );
    // A comment behind the value is in its line, too; one on a line of its own is harmless.
    assert!(refused("A = 1 # ]]>\n").contains("`]]>`"));
    assert!(refused("A = [ # ]]>\n K = 1 ]\n").contains("`]]>`"));
    assert!(Document::parse("# ]]>\nA = 1\n").is_ok());
}

#[test]
fn refuses_what_opennebula_refuses() {
    for (text, words) in [
        (
            "A = two words\n",
            "line 1: a word is not followed by `=` (a value with a blank needs double quotes)",
        ),
        (
            "A = [ K = 1, ]\n",
            "line 1: the vector A has a comma behind its last value",
        ),
        (
            "\nA = [ K = two words ]\n",
            "line 2: `,` or `]` is expected behind the value of K in A",
        ),
        ("A = [ K = 1\n", "line 1: the vector A is not closed"),
        (
            "A = [ K =\n1 ]\n",
            "line 1: K has no value: inside a vector an empty value is written \"\"",
        ),
        (
            "A = [ K = [ L = 1 ] ]\n",
            "line 1: K begins a vector inside a vector",
        ),
        ("A =", "line 1: A has no value and its line does not end"),
        ("A\n", "line 1: a word is not followed by `=`"),
        ("= 1\n", "line 1: '=' stands where a name is expected"),
    ] {
        let message = refused(text);
        assert!(message.starts_with(words), "{text:?}: {message}");
    }
}

#[test]
fn refuses_what_opennebula_skips_or_misreads_without_a_word() {
    for (text, words) in [
        (
            "A = 1\n# the end",
            "line 2: the last line is a comment without its newline",
        ),
        ("A = # later\n", "line 1: '#' stands where the value of A begins"),
        ("A == 1\n", "line 1: '=' stands where the value of A begins"),
        (
            "A = 1;\nB = 2\n;\n",
            "line 3: ';' stands where a name is expected",
        ),
        (
            "A = 1\r\nB = 2\r\n",
            "line 1: there is a carriage return outside quotes",
        ),
        ("\r\nA = 1\n", "line 1: there is a carriage return outside quotes"),
        ("A = \"x\0\"\n", "line 1: there is a NUL byte"),
    ] {
        let message = refused(text);
        assert!(message.starts_with(words), "{text:?}: {message}");
    }
    let error = Document::parse(b"A = 1\n# caf\xe9\n").unwrap_err();
    assert_eq!((error.line(), error.kind()), (2, &ParseErrorKind::NotUtf8));
}

#[test]
fn a_backslash_before_the_closing_quote_runs_on_to_the_next_quote() {
    let document = Document::parse("A = \"end\\\"\nB = \"\n").unwrap();
    assert_eq!(document.get("A").as_deref(), Some("end\"\nB = "));
    assert_eq!(document.get("B"), None);
    // With no later quote it ends the value after all.
    assert_eq!(
        Document::parse("A = \"end\\\"\n").unwrap().get("A").as_deref(),
        Some("end\\")
    );
}

#[test]
fn an_error_shows_no_part_of_a_value() {
    for text in [
        "DB = [ PASSWD = two secrets ]\n",
        "PASSWD = two secrets\n",
        "PASSWD = two]]>secrets\n",
    ] {
        let error = Document::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secrets"), "{error}");
    }
}

#[test]
fn debug_output_shows_no_value() {
    let document = Document::parse("DB = [ PASSWD = \"hunter2\" ]\n").unwrap();
    assert_eq!(format!("{document:?}"), "Document { bytes: 28, attributes: 1 }");
}

#[test]
fn everything_in_the_file_is_listed_in_its_order() {
    let document =
        Document::parse("Port = 1\nDB = [ Backend = \"a\\\"b\", passwd = hunter2 ]\nPORT = 2\nE =\n")
            .unwrap();
    let found: Vec<(&str, Content<'_>)> = document.attributes().collect();
    let single = |value: &'static str| Content::Single(value.into());
    let vector = Content::Vector(vec![("Backend", "a\"b".into()), ("passwd", "hunter2".into())]);
    assert_eq!(
        found,
        [
            ("Port", single("1")),
            ("DB", vector),
            ("PORT", single("2")),
            ("E", single(""))
        ]
    );
    assert_eq!(
        format!("{:?}", found[1]),
        "(\"DB\", Vector [\"Backend\", \"passwd\"])"
    );
}
