use proptest::prelude::*;

use super::*;

#[derive(Debug, Default)]
struct Found {
    records: Vec<(Severity, Vec<u8>)>,
    headlines: Vec<usize>,
}

impl Sink for Found {
    fn record(&mut self, severity: Severity, message: &[u8], headline: usize) {
        self.records.push((severity, message.to_owned()));
        self.headlines.push(headline);
    }
}

fn records(text: &str) -> Vec<(Severity, String)> {
    let mut found = Found::default();
    let mut records = Records::default();
    records.feed(text.as_bytes(), &mut found);
    records.end(&mut found);
    found
        .records
        .into_iter()
        .map(|(severity, message)| (severity, String::from_utf8(message).unwrap()))
        .collect()
}

#[track_caller]
fn one(severity: Severity, text: &str) {
    // A line before and one after it stay on their own.
    let around = format!("before\n{text}\nafter\n");
    let found = records(&around);
    assert_eq!(
        found,
        [
            (Severity::Info, "before".to_owned()),
            (severity, text.trim_end().to_owned()),
            (Severity::Info, "after".to_owned())
        ]
    );
}

#[test]
fn lines_of_no_logger_stay_on_their_own() {
    let text = "one\ntwo\n\nthree\n";
    let lines: Vec<String> = records(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["one", "two", "", "three"]);
}

#[test]
fn a_trace_of_ruby_is_one_record() {
    one(
        Severity::Error,
        "/usr/lib/one/oneflow/oneflow-server.rb:61:in `initialize': No such file or directory @ rb_sysopen (Errno::ENOENT)\n\
         \tfrom /usr/lib/one/oneflow/oneflow-server.rb:61:in `open'\n\
         \tfrom /usr/lib/one/oneflow/oneflow-server.rb:61:in `<main>'",
    );
}

#[test]
fn the_line_that_ruby_points_into_belongs_to_the_trace() {
    one(
        Severity::Error,
        "/usr/lib/one/oneflow/lib/models/role.rb:22:in `<top (required)>': undefined method `version' for nil:NilClass (NoMethodError)\n\n\
         if Gem::Version.create('1.6.3') >= Gem.loaded_specs['treetop'].version\n                                                              ^^^^^^^^\n\
         \tfrom /usr/lib/one/oneflow/lib/models.rb:31:in `<top (required)>'\n\
         \tfrom /usr/lib/one/oneflow/oneflow-server.rb:54:in `<main>'",
    );
    // Ruby 3.4 quotes otherwise; an error at the top has no frame.
    assert_eq!(
        records("/usr/lib/one/onegate/onegate-server.rb:7:in '<main>': it failed (RuntimeError)\n"),
        [(
            Severity::Error,
            "/usr/lib/one/onegate/onegate-server.rb:7:in '<main>': it failed (RuntimeError)".to_owned()
        )]
    );
}

#[test]
fn the_line_that_says_what_happened_is_known() {
    let headline = |text: &str| {
        let mut found = Found::default();
        let mut records = Records::default();
        records.feed(text.as_bytes(), &mut found);
        records.end(&mut found);
        let message = String::from_utf8(found.records[0].1.clone()).unwrap();
        message.lines().nth(found.headlines[0]).unwrap().to_owned()
    };
    assert_eq!(
        headline(
            "node:internal/x:1080\n  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n    at f (x:1:2)\n"
        ),
        "Error: Cannot find module 'express'"
    );
    assert_eq!(
        headline("Traceback (most recent call last):\n  File \"x\", line 1, in <module>\nValueError: no\n"),
        "ValueError: no"
    );
    assert_eq!(
        headline(
            "/usr/lib/one/x.rb:1:in `f': it failed (RuntimeError)\n\nf(1)\n ^\n\tfrom /usr/lib/one/x.rb:2:in `<main>'\n"
        ),
        "/usr/lib/one/x.rb:1:in `f': it failed (RuntimeError)"
    );
    assert_eq!(headline("[Z0][ONE][E]: no\nmore\n"), "[Z0][ONE][E]: no");
}

#[test]
fn an_uncaught_error_of_node_is_one_record() {
    one(
        Severity::Error,
        "node:internal/modules/cjs/loader:1080\n  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n- /usr/lib/one/fireedge/dist/index.js\n    \
         at Module._resolveFilename (node:internal/modules/cjs/loader:1077:15)\n    at Module._load (node:internal/modules/cjs/loader:922:27) {\n  \
         code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/usr/lib/one/fireedge/dist/index.js' ]\n}\n\nNode.js v20.19.2",
    );
    one(
        Severity::Error,
        "/usr/lib/one/fireedge/dist/index.js:2\nconst a = () => { throw new TypeError('x') }\n                  ^\n\nTypeError: x\n    at a (/usr/lib/one/fireedge/dist/index.js:2:25)\n\nNode.js v20.19.2",
    );
    one(
        Severity::Error,
        "Error: connect ECONNREFUSED 127.0.0.1:2633\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16) {\n  errno: -111\n}",
    );
}

#[test]
fn a_trace_of_python_is_one_record() {
    one(
        Severity::Error,
        "Traceback (most recent call last):\n  File \"/var/lib/one/remotes/scheduler/one_drs/optimize\", line 3, in <module>\n    main()\nValueError: no host",
    );
}

#[test]
fn what_a_logger_wrote_in_several_lines_is_one_record() {
    let text = "Mon Nov 23 10:14:29 2026 [Z0][VMM][E]: DEPLOY: ERROR: deploy: it failed\nerror: internal error\nExitCode: 255\n\n\
                Mon Nov 23 10:14:29 2026 [Z0][VMM][I]: next\n\
                [2026-11-23T10:14:29.123Z] - [error] Error: x\n    at y (z.js:1:2)\nMon Nov 02 10:14:29 2026 [E]: it raised\n/usr/lib/one/x.rb:1:in 'a'\n";
    assert_eq!(
        records(text),
        [
            (
                Severity::Error,
                "[Z0][VMM][E]: DEPLOY: ERROR: deploy: it failed\nerror: internal error\nExitCode: 255"
                    .to_owned()
            ),
            (Severity::Info, "[Z0][VMM][I]: next".to_owned()),
            (Severity::Error, "Error: x\n    at y (z.js:1:2)".to_owned()),
            (
                Severity::Error,
                "[E]: it raised\n/usr/lib/one/x.rb:1:in 'a'".to_owned()
            ),
        ]
    );
}

#[test]
fn a_record_is_bounded_and_its_rest_keeps_the_severity() {
    let mut text = "Mon Nov 23 10:14:29 2026 [Z0][ONE][E]: many\n".to_owned();
    text += &"x\n".repeat(3 * MOST_LINES);
    let found = records(&text);
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|(severity, _)| *severity == Severity::Error));
    let lines: usize = found.iter().map(|(_, text)| text.lines().count()).sum();
    assert_eq!(lines, 3 * MOST_LINES + 1);

    let long = format!(
        "a\n {}\n {}\n {}\n",
        "x".repeat(15_000),
        "y".repeat(15_000),
        "z".repeat(15_000)
    );
    let found = records(&long);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, text)| text.len() <= LONGEST_RECORD));
}

#[test]
fn nothing_is_held_that_was_flushed() {
    let mut found = Found::default();
    let mut records = Records::default();
    records.feed(b"a\n b\nunfinish", &mut found);
    assert!(records.waits());
    assert!(found.records.is_empty());
    records.flush(&mut found);
    assert!(!records.waits());
    assert_eq!(found.records, [(Severity::Info, b"a\n b".to_vec())]);
    records.feed(b"ed\n", &mut found);
    records.end(&mut found);
    assert_eq!(found.records[1].1, b"unfinished");
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,12}",
        Just(String::new()),
        Just("    at x (y:1:2)".to_owned()),
        Just("\tfrom /x.rb:1".to_owned()),
        Just("/x.js:12".to_owned()),
        Just("Traceback (most recent call last):".to_owned()),
        Just("Mon Nov 23 10:14:29 2026 [Z0][ONE][W]: w".to_owned()),
        Just("}".to_owned()),
        (1_usize..40_000).prop_map(|length| "x".repeat(length)),
    ]
}

proptest! {
    #[test]
    fn no_line_is_lost_and_how_bytes_arrive_does_not_matter(
        lines in prop::collection::vec(any_line(), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let text = lines.join("\n");
        let whole = records(&text);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let mut found = Found::default();
        let mut pieces = Records::default();
        for pair in places.windows(2) {
            pieces.feed(&text.as_bytes()[pair[0]..pair[1]], &mut found);
        }
        pieces.end(&mut found);
        let found: Vec<(Severity, String)> = found
            .records
            .into_iter()
            .map(|(severity, message)| (severity, String::from_utf8(message).unwrap()))
            .collect();
        prop_assert_eq!(&found, &whole);
        prop_assert!(found.iter().all(|(_, text)| text.len() <= LONGEST_RECORD));
        // Blank lines at a record's end are the only thing left out; the time of a logger is its own.
        let said: String = lines
            .iter()
            .flat_map(|line| line.chars())
            .filter(|character| !character.is_whitespace())
            .collect();
        let said = said.replace("MonNov2310:14:292026", "");
        let came: String = found
            .iter()
            .flat_map(|(_, text)| text.chars())
            .filter(|character| !character.is_whitespace())
            .collect();
        prop_assert_eq!(came, said);
    }
}
