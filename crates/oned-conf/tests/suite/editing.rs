//! What an edit changes, what it leaves, and what it refuses.

use oned_conf::{Document, EditError, Inexpressible, check_value};

use crate::FRONT_END;

fn edited(text: &str, edit: impl FnOnce(&mut Document) -> Result<(), EditError>) -> String {
    let mut document = Document::parse(text).unwrap();
    edit(&mut document).unwrap();
    document.to_string()
}

/// The lines that differ, old and new.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = old.len().min(new.len()) - same_start;
    let same_end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(left)
        .take_while(|(a, b)| a == b)
        .count();
    let mark = |mark: &str, lines: &[&str]| {
        let marked: Vec<String> = lines.iter().map(|line| format!("{mark}{line}\n")).collect();
        marked.concat()
    };
    mark("-", &old[same_start..old.len() - same_end]) + &mark("+", &new[same_start..new.len() - same_end])
}

fn change(edit: impl FnOnce(&mut Document) -> Result<(), EditError>) -> String {
    difference(FRONT_END, &edited(FRONT_END, edit))
}

#[test]
fn replaces_a_value_in_the_form_that_it_had() {
    assert_eq!(
        change(|d| d.set("port", "2634")),
        "-PORT = 2633   # the API\n+PORT = 2634   # the API\n"
    );
    assert_eq!(
        change(|d| d.set("SCRIPTS_REMOTE_DIR", "/srv/my one")),
        "-SCRIPTS_REMOTE_DIR=/var/tmp/one\n+SCRIPTS_REMOTE_DIR=\"/srv/my one\"\n"
    );
    assert_eq!(
        change(|d| d.set("QUOTED_EMPTY", "1")),
        "-QUOTED_EMPTY = \"\"\n+QUOTED_EMPTY = \"1\"\n"
    );
    assert_eq!(change(|d| d.set("EMPTY", "x")), "-EMPTY =\n+EMPTY = \"x\"\n");
    assert_eq!(change(|d| d.set("EMPTY", "5")), "-EMPTY =\n+EMPTY = 5\n");
    assert_eq!(
        change(|d| d.set_in("LOG", "system", "std")),
        "-  SYSTEM      = \"file\",\n+  SYSTEM      = \"std\",\n"
    );
    assert_eq!(
        change(|d| d.set("OPERATIONS", "one\ntwo"))
            .lines()
            .filter(|l| l.starts_with('+'))
            .count(),
        2
    );
    assert_eq!(change(|d| d.set("PORT", "2633")), "", "the value that it has");
    assert_eq!(change(|d| d.set("EMPTY", "")), "", "the value that it has");
}

#[test]
fn replaces_the_first_of_two_that_is_the_one_that_counts() {
    assert_eq!(
        change(|d| d.set("SESSION", "5")),
        "-SESSION = 900\n+SESSION = 5\n"
    );
    assert_eq!(
        change(|d| d.set_in("COST", "CPU", "5")),
        "-COST = [ cpu = 1, CPU = 2, MEMORY=0 ]\n+COST = [ cpu = 5, CPU = 2, MEMORY=0 ]\n"
    );
}

#[test]
fn changes_one_of_several_vectors() {
    assert_eq!(
        change(|d| d.set_in_where("IM_MAD", "NAME", "lxc", "THREADS", "8")),
        "-    THREADS    = 0               # one per host\n+    THREADS    = 8               # one per host\n"
    );
    let mut document = Document::parse(FRONT_END).unwrap();
    let error = document
        .set_in_where("IM_MAD", "NAME", "vcenter", "THREADS", "8")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no vector IM_MAD whose NAME is the one asked for; there are kvm, lxc"
    );
    assert_eq!(document.as_str(), FRONT_END);
}

#[test]
fn a_new_attribute_stands_below_its_commented_sample() {
    assert_eq!(
        change(|d| d.set("HOSTNAME", "one.example")),
        "+HOSTNAME = \"one.example\"\n"
    );
    let text = edited(FRONT_END, |d| d.set("hostname", "one.example"));
    assert!(text.contains("# HOSTNAME = \"front-end.example\"\nHOSTNAME = \"one.example\"\n"));
    // Below the whole of a sample over several lines.
    let text = edited(
        "# RAFT = [ A = 1,\n#   B = 2,\n#   C = 3 ]\n# more\nX = 1\n",
        |d| d.add_vector("RAFT", &[("A", "3")]),
    );
    assert_eq!(
        text,
        "# RAFT = [ A = 1,\n#   B = 2,\n#   C = 3 ]\nRAFT = [\n    A = 3\n]\n# more\nX = 1\n"
    );
}

#[test]
fn a_new_attribute_without_a_sample_stands_at_the_end() {
    assert_eq!(edited("A = 1\n", |d| d.set("B", "-7")), "A = 1\nB = -7\n");
    assert_eq!(edited("A = 1", |d| d.set("B", "x")), "A = 1\nB = \"x\"\n");
    assert_eq!(edited("", |d| d.set("B", "x")), "B = \"x\"\n");
    // A remark behind a value is no sample.
    assert_eq!(
        edited("A = 1 # B = 2\nC = 3\n", |d| d.set("B", "x")),
        "A = 1 # B = 2\nC = 3\nB = \"x\"\n"
    );
}

#[test]
fn one_more_of_a_repeated_attribute_stands_behind_the_last() {
    assert_eq!(
        change(|d| d.add("VM_RESTRICTED_ATTR", "PCI")),
        "+VM_RESTRICTED_ATTR = \"PCI\"\n"
    );
    let text = edited("A = 1 # one\nB = 2\n", |d| d.add("A", "3"));
    assert_eq!(text, "A = 1 # one\nA = 3\nB = 2\n");
    assert_eq!(
        edited("A = 1 B = 2\n", |d| d.add("A", "3")),
        "A = 1\nA = 3\n B = 2\n"
    );
}

#[test]
fn a_new_key_stands_behind_the_last_in_its_column() {
    assert_eq!(
        change(|d| d.set_in("LOG", "COLOUR", "no")),
        "-  DEBUG_LEVEL = 3\n+  DEBUG_LEVEL = 3,\n+  COLOUR = \"no\"\n"
    );
    assert_eq!(
        change(|d| d.set_in("DB", "SERVER", "db")),
        "-       TIMEOUT = 2500 ]\n+       TIMEOUT = 2500,\n+       SERVER = \"db\" ]\n"
    );
    // The remark stays with the key that it is about, and names are padded like the one above.
    assert_eq!(
        change(|d| d.set_in_where("IM_MAD", "NAME", "lxc", "WAIT", "1")),
        "-    THREADS    = 0               # one per host\n+    THREADS    = 0,               # one per host\n\
         +    WAIT       = 1\n"
    );
    assert_eq!(
        change(|d| d.set_in("VNC_PORTS", "STEP", "2")),
        "-    RESERVED = \"32768:65536\"\n+    RESERVED = \"32768:65536\",\n+    STEP = 2\n"
    );
    assert_eq!(
        edited("A = [K=1]\n", |d| d.set_in("A", "L", "2")),
        "A = [K=1, L = 2]\n"
    );
    assert_eq!(
        edited("A = [ ]\n", |d| d.set_in("A", "L", "2")),
        "A = [ L = 2 ]\n"
    );
}

#[test]
fn put_vector_completes_the_vector_that_is_chosen() {
    assert_eq!(
        change(|d| d.put_vector(
            "im_mad",
            "name",
            "lxc",
            &[("threads", "8"), ("WAIT", "1"), ("NAME", "lxc")]
        )),
        "-    THREADS    = 0               # one per host\n+    THREADS    = 8,               # one per host\n\
         +    WAIT       = 1\n"
    );
    assert_eq!(change(|d| d.put_vector("IM_MAD", "NAME", "kvm", &[])), "");
}

#[test]
fn put_vector_defines_a_new_one_behind_the_last_of_its_name() {
    let keys = [("EXECUTABLE", "one_im_sh"), ("threads", "0")];
    let text = edited(
        "MAD = [ NAME = \"a\" ] # the first\n# MAD = [ NAME = \"b\" ]\nX = 1\n",
        |d| d.put_vector("Mad", "Name", "b", &keys),
    );
    assert_eq!(
        text,
        "MAD = [ NAME = \"a\" ] # the first\nMAD = [\n    NAME       = \"b\",\n    EXECUTABLE = \"one_im_sh\",\n    \
         THREADS    = 0\n]\n# MAD = [ NAME = \"b\" ]\nX = 1\n"
    );
    // Without another of its name: below the sample, else at the end, whether or not the last line is finished.
    let put = |d: &mut Document| d.put_vector("MAD", "NAME", "b", &[]);
    let vector = "MAD = [\n    NAME = \"b\"\n]\n";
    assert_eq!(
        edited("# MAD = [ NAME = \"b\",\n#   TYPE = \"xml\" ]\nX = 1\n", put),
        format!("# MAD = [ NAME = \"b\",\n#   TYPE = \"xml\" ]\n{vector}X = 1\n")
    );
    assert_eq!(edited("X = 1\n# end\n", put), format!("X = 1\n# end\n{vector}"));
    assert_eq!(edited("X = 1", put), format!("X = 1\n{vector}"));
    assert_eq!(
        edited("MAD = [ NAME = \"a\" ]", put),
        format!("MAD = [ NAME = \"a\" ]\n{vector}")
    );
    assert_eq!(edited("", put), vector);
}

#[test]
fn put_vector_writes_all_keys_or_none() {
    let mut document = Document::parse(FRONT_END).unwrap();
    let mut put = |name: &str, keys: &[(&str, &str)]| {
        let error = document.put_vector("IM_MAD", "NAME", name, keys).unwrap_err();
        assert_eq!(document.as_str(), FRONT_END);
        error.to_string()
    };
    for name in ["lxc", "new"] {
        assert_eq!(
            put(name, &[("THREADS", "1"), ("A", "x]]>")]),
            "the value of IM_MAD/A cannot be written: it contains `]]>`, at which OpenNebula stops reading the file"
        );
        assert_eq!(put(name, &[("A", "1"), ("a", "2")]), "IM_MAD/A is given twice");
        assert_eq!(
            put(name, &[("name", "other")]),
            "IM_MAD/NAME chooses the vector and cannot get another value"
        );
        assert_eq!(
            put(name, &[("A-B", "1")]),
            "`A-B` is no name: letters, digits and underscores only"
        );
    }
    assert_eq!(
        document.put_vector("PORT", "NAME", "x", &[]),
        Err(EditError::IsSingle("PORT".to_owned()))
    );
    assert_eq!(document.as_str(), FRONT_END);
}

#[test]
fn a_vector_is_never_made_in_passing() {
    let mut document = Document::parse(FRONT_END).unwrap();
    assert_eq!(
        document.set_in("NETWROK", "A", "1"),
        Err(EditError::NoVector("NETWROK".to_owned()))
    );
    assert_eq!(
        document.set_in("PORT", "A", "1"),
        Err(EditError::IsSingle("PORT".to_owned()))
    );
    assert_eq!(document.set("DB", "1"), Err(EditError::IsVector("DB".to_owned())));
    assert_eq!(document.add("DB", "1"), Err(EditError::IsVector("DB".to_owned())));
    assert_eq!(
        document.add_vector("DB", &[]),
        Err(EditError::Exists("DB".to_owned()))
    );
    assert_eq!(
        document.set("NO-NAME", "1"),
        Err(EditError::Name("NO-NAME".to_owned()))
    );
    assert_eq!(document.as_str(), FRONT_END);
    document
        .add_vector("NETWORK", &[("ADDRESS", "::"), ("port", "4124")])
        .unwrap();
    assert_eq!(
        difference(FRONT_END, document.as_str()),
        "+NETWORK = [\n+    ADDRESS = \"::\",\n+    PORT    = 4124\n+]\n"
    );
}

#[test]
fn removes_an_attribute_with_its_repetitions_and_leaves_the_comments() {
    let removed = |name: &str| {
        change(|document| {
            assert_eq!(document.remove(name), Ok(true));
            assert_eq!(document.get(name), None);
            Ok(())
        })
    };
    assert_eq!(removed("SESSION"), "-SESSION = 900\n-session = 1\n");
    assert_eq!(removed("PORT"), "-PORT = 2633   # the API\n+   # the API\n");
    assert_eq!(removed("EMPTY"), "-EMPTY =\n");
    let mut document = Document::parse(FRONT_END).unwrap();
    assert_eq!(document.remove("NONE"), Ok(false));
    assert_eq!(document.remove_where("IM_MAD", "NAME", "kvm"), Ok(true));
    assert_eq!(document.get_in("IM_MAD", "NAME").as_deref(), Some("lxc"));
}

#[test]
fn removes_keys_with_one_comma_each() {
    let removed = |text: &str, key: &str| {
        let mut document = Document::parse(text).unwrap();
        assert_eq!(document.remove_in("A", key), Ok(true), "{text}");
        document.to_string()
    };
    assert_eq!(
        removed("A = [ K = 1, L = 2, M = 3 ]\n", "K"),
        "A = [ L = 2, M = 3 ]\n"
    );
    assert_eq!(
        removed("A = [ K = 1, L = 2, M = 3 ]\n", "L"),
        "A = [ K = 1, M = 3 ]\n"
    );
    assert_eq!(
        removed("A = [ K = 1, L = 2, M = 3 ]\n", "M"),
        "A = [ K = 1, L = 2 ]\n"
    );
    assert_eq!(removed("A = [ K = 1, L = 2, k = 3 ]\n", "K"), "A = [ L = 2 ]\n");
    assert_eq!(removed("A = [ K = 1, k = 3 ]\n", "K"), "A = [ ]\n");
    assert_eq!(
        removed("A = [\n  K = 1, # first\n  L = 2 # last\n]\n", "L"),
        "A = [\n  K = 1 # first\n   # last\n]\n"
    );
    assert_eq!(
        removed("A = [\n  K = 1, # first\n  L = 2\n]\n", "K"),
        "A = [\n   # first\n  L = 2\n]\n"
    );
    assert_eq!(
        removed("A = [\n  K = 1 # first\n  , L = 2\n]\n", "K"),
        "A = [\n   # first\n   L = 2\n]\n"
    );
    assert_eq!(
        removed("A = [\n  K = 1,\n  L = 2\n]\n", "K"),
        "A = [\n  L = 2\n]\n"
    );
    assert_eq!(removed("A = [\n  K = 1\n]\n", "K"), "A = [\n]\n");
    let mut document = Document::parse(FRONT_END).unwrap();
    assert_eq!(
        document.remove_in_where("IM_MAD", "NAME", "lxc", "THREADS"),
        Ok(true)
    );
    assert_eq!(document.remove_in("DB", "NONE"), Ok(false));
    assert_eq!(document.remove_in("NONE", "NONE"), Ok(false));
}

#[test]
fn what_the_grammar_cannot_say_is_refused_with_the_reason() {
    let mut document = Document::parse(FRONT_END).unwrap();
    let mut refused = |value: &str| document.set_in("DB", "PASSWD", value).unwrap_err().to_string();
    assert_eq!(
        refused("two words\\"),
        "the value of DB/PASSWD cannot be written: it ends in a backslash and has characters that need quotes: \
         the backslash would escape the closing quote"
    );
    assert_eq!(
        refused("x]]>y"),
        "the value of DB/PASSWD cannot be written: it contains `]]>`, at which OpenNebula stops reading the file"
    );
    assert_eq!(
        refused("x\0"),
        "the value of DB/PASSWD cannot be written: it contains a NUL byte"
    );
    assert_eq!(document.as_str(), FRONT_END);
    assert_eq!(check_value("a b\\"), Err(Inexpressible::TrailingBackslash));
    assert_eq!(check_value("\"\\"), Err(Inexpressible::TrailingBackslash));
    assert_eq!(check_value("]]>"), Err(Inexpressible::CdataEnd));
    for fine in [
        "",
        " ",
        "\"",
        "\\\"",
        "a\\",
        "\\",
        "a b",
        "#=,[]",
        "line\nline",
        "\r",
        "é",
        "a\"b\\",
    ] {
        assert_eq!(check_value(fine), Ok(()), "{fine:?}");
    }
}

#[test]
fn a_trailing_backslash_is_written_without_quotes_where_that_can_be() {
    assert_eq!(edited("A = \"x\"\n", |d| d.set("A", "a\\b\\")), "A = a\\b\\\n");
    assert_eq!(
        edited("A = [ K = \"x\" ]\n", |d| d.set_in("A", "L", "\\")),
        "A = [ K = \"x\", L = \\ ]\n"
    );
}

#[test]
fn an_edit_that_would_change_its_neighbours_is_not_made() {
    // `]]>` is harmless behind a value over two lines, and would cut the file behind one of a single line.
    let text = "A = \"one\ntwo\" # ]]>\nB = 1\n";
    let mut document = Document::parse(text).unwrap();
    assert_eq!(
        document.set("A", "one"),
        Err(EditError::Interferes {
            place: "A".to_owned()
        })
    );
    // The value ends at `\"` only as long as no quote follows.
    let text = "A = \"end\\\"\nB = 1\n";
    let mut other = Document::parse(text).unwrap();
    assert_eq!(
        other.set("B", "two words"),
        Err(EditError::Interferes {
            place: "B".to_owned()
        })
    );
    assert_eq!(other.as_str(), text);
    // Here it would even read well, with another meaning: A goes on up to B's quote, and C appears.
    assert_eq!(
        other.set("B", "C = x"),
        Err(EditError::Interferes {
            place: "B".to_owned()
        })
    );
    assert_eq!(other.as_str(), text);
    // A blank is added where the next name would run into the value.
    assert_eq!(
        edited("A = \"x y\"B = 1\n", |d| d.set("A", "z")),
        "A = \"z\" B = 1\n"
    );
}

#[test]
fn the_values_of_a_repeated_attribute_are_made_the_wanted_ones() {
    let text = "# list\nA = \"1\"   # one\nB = 5\nA = \"2\"\nA = \"1\"\nC = 6\n";
    let set = |values: &[&str]| edited(text, |d| d.set_all("a", values));
    assert_eq!(
        set(&["2", "3"]),
        "# list\n   # one\nB = 5\nA = \"2\"\nA = 3\nC = 6\n"
    );
    assert_eq!(
        set(&["1", "2"]),
        "# list\nA = \"1\"   # one\nB = 5\nA = \"2\"\nC = 6\n"
    );
    assert_eq!(set(&[]), "# list\n   # one\nB = 5\nC = 6\n");
    assert_eq!(
        edited("B = 1\n", |d| d.set_all("A", &["x", "y"])),
        "B = 1\nA = \"x\"\nA = \"y\"\n"
    );
    let mut document = Document::parse("A = [ B = 1 ]\n").unwrap();
    assert_eq!(
        document.set_all("A", &["x"]),
        Err(EditError::IsVector("A".to_owned()))
    );
    assert_eq!(
        document.set_all("A", &[]),
        Err(EditError::IsVector("A".to_owned()))
    );
    assert!(document.set_all("A B", &["x"]).is_err());
    assert_eq!(document.to_string(), "A = [ B = 1 ]\n");
}
