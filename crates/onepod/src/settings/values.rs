//! What the text of a single setting may look like: pure functions from text to a typed value or a complaint.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ssh_key::PublicKey;

use crate::log::Format;

/// What is wrong with a text (a clause) and what to do about it (a sentence).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) problem: String,
    pub(super) next: String,
}

/// The longest password of oneadmin in bytes (OpenNebula 7.0.2, `src/um/User.cc`, driver core).
const PASSWORD_LIMIT: usize = 256;

/// The longest password of a database in bytes; a longer file is not a password.
const DATABASE_PASSWORD_LIMIT: usize = 1024;

pub(super) fn complain<T>(problem: impl Into<String>, next: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint {
        problem: problem.into(),
        next: next.into(),
    })
}

/// oneadmin's password. oned refuses blanks (`User::INVALID_PASS_CHARS`), only the first line of `one_auth` counts, XML has
/// no control characters, and HTTP's basic authentication, by which OneFlow and others are used, does not say how characters
/// outside of ASCII are written (RFC 7617). A colon is fine, because the line is split at the first one, which ends the name.
pub(super) fn oneadmin_password(text: &str) -> Result<String, Complaint> {
    if let Some(char) = text.chars().find(|char| !char.is_ascii_graphic()) {
        let what = match char {
            ' ' => "a blank, which OpenNebula refuses",
            char if char.is_control() => {
                "a line break, tab or other control character, which OpenNebula refuses"
            }
            _ => "a character outside of ASCII, with which not every client could log in",
        };
        return complain(
            format!("the password has {what}"),
            "Take letters without accents, digits and punctuation.",
        );
    }
    if text.len() > PASSWORD_LIMIT {
        return complain(
            format!(
                "the password has {} bytes, and OpenNebula takes {PASSWORD_LIMIT}",
                text.len()
            ),
            "Take a shorter one.",
        );
    }
    Ok(text.to_owned())
}

pub(super) fn one_key(text: &str) -> Result<String, Complaint> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return complain(
            "the key is not 64 hexadecimal digits",
            "Take the line of a kept one_key, or make one: openssl rand -hex 32",
        );
    }
    Ok(text.to_owned())
}

pub(super) fn fireedge_key(text: &str) -> Result<String, Complaint> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return complain(
            format!(
                "the key has {} bytes instead of 32 visible ASCII characters",
                text.len()
            ),
            "Make one: openssl rand -hex 16",
        );
    }
    Ok(text.to_owned())
}

/// The secret of serveradmin: the second half of lines `serveradmin:SECRET`, which several programs split in their own
/// ways.
pub(super) fn serveradmin_secret(text: &str) -> Result<String, Complaint> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if text.len() > PASSWORD_LIMIT || text.is_empty() || !visible {
        return complain(
            format!(
                "the secret is not 1 to {PASSWORD_LIMIT} visible ASCII characters without blanks and colons"
            ),
            "Make one: openssl rand -hex 32",
        );
    }
    Ok(text.to_owned())
}

/// Lines of a `known_hosts` file, each with a host pattern and a key that OpenSSH can read; every line ends.
pub(super) fn known_hosts(text: &str) -> Result<String, Complaint> {
    let mut kept = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let mut words = line.split_ascii_whitespace().peekable();
        if matches!(words.peek(), Some(word) if !word.starts_with('#')) {
            words.next_if(|word| word.starts_with('@'));
            let key = match (words.next(), words.next(), words.next()) {
                (Some(_hosts), Some(kind), Some(key)) => {
                    PublicKey::from_openssh(&format!("{kind} {key}")).ok()
                }
                _ => None,
            };
            if key.is_none() || line.contains(|c: char| c.is_control() && c != '\t') {
                return complain(
                    format!("line {} is no line of a known_hosts file", index + 1),
                    "Give HOST KEY-TYPE KEY on each line, as `ssh-keyscan HOST` prints it.",
                );
            }
        }
        kept.push_str(line);
        kept.push('\n');
    }
    Ok(kept)
}

/// How many dumps are kept.
pub(super) fn keep_dumps(text: &str) -> Result<usize, Complaint> {
    match text.parse() {
        Ok(number @ 1..=1000) => Ok(number),
        _ => complain(
            format!("\"{text}\" is not a number of dumps"),
            "Give a number from 1 to 1000; the newest are kept.",
        ),
    }
}

/// The time in which all services stop.
pub(super) fn stop_timeout(text: &str) -> Result<Duration, Complaint> {
    match text.parse() {
        Ok(seconds @ 5..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => complain(
            format!("\"{text}\" is not a valid number of seconds"),
            "Give a whole number from 5 to 86400.",
        ),
    }
}

/// The password of the database: it must survive oned.conf, whose grammar cannot write everything.
pub(super) fn database_password(text: &str) -> Result<String, Complaint> {
    if text.chars().any(char::is_control) {
        return complain(
            "the password has a line break or another control character",
            "Write the password alone, with at most one line feed behind it.",
        );
    }
    if text.len() > DATABASE_PASSWORD_LIMIT {
        return complain(
            format!(
                "the password has {} bytes, more than {DATABASE_PASSWORD_LIMIT}",
                text.len()
            ),
            "Take a shorter one.",
        );
    }
    carried(text, "the password")
}

/// What the operator should know of a database password that oned takes: the vendor's `onedb`, called by hand, escapes blanks
/// as in a form (`CGI.escape`), and its grammar of oned.conf knows the backslash before a quote or another one only
/// (`oned.aug`; both 7.0.2).
pub(super) fn database_password_warning(text: &str) -> Option<&'static str> {
    text.contains([' ', '\\', '"']).then_some(
        "DB_PASSWORD has a blank, a backslash or a quote: OpenNebula works with it, but `onedb` called by hand cannot log in; \
         choose a password of letters and digits if you want to use it",
    )
}

pub(super) fn database_user(text: &str) -> Result<String, Complaint> {
    if text.chars().any(char::is_control) || text.len() > 128 {
        return complain(
            "this is not the name of a database user",
            "Give the name alone, at most 128 bytes.",
        );
    }
    carried(text, "the name")
}

/// oned writes the name into `CREATE DATABASE` without quotes (7.0.2, `src/sql/MySqlDB.cc`), so it must be a plain
/// identifier.
pub(super) fn database_name(text: &str) -> Result<String, Complaint> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
    if !plain || text.len() > 64 || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return complain(
            format!("\"{text}\" cannot be the name, because oned writes it into SQL without quotes"),
            "Take at most 64 letters, digits and underscores, not digits alone.",
        );
    }
    Ok(text.to_owned())
}

fn carried(text: &str, what: &str) -> Result<String, Complaint> {
    match oned_conf::check_value(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(reason) => complain(
            format!("oned.conf cannot carry {what}: {reason}"),
            "Take another one.",
        ),
    }
}

pub(super) fn database_host(text: &str) -> Result<String, Complaint> {
    if text == "localhost" {
        return complain(
            "to OpenNebula's database library \"localhost\" means a Unix socket, which this pod does not have",
            "Give the host's name, or 127.0.0.1 for TCP to the pod itself.",
        );
    }
    address(text, "DB_PORT")
}

pub(super) fn hostname(text: &str) -> Result<String, Complaint> {
    if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
        return complain(
            format!("\"{text}\" is an IPv6 address, which cannot stand before the colon of host:path"),
            "Give a host name.",
        );
    }
    address(text, "")
}

pub(super) fn monitor_address(text: &str) -> Result<String, Complaint> {
    if text == "auto" {
        return Ok(text.to_owned());
    }
    if text
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_unspecified())
    {
        return complain(
            format!("\"{text}\" is not an address to which a hypervisor can send"),
            "Give the address under which hypervisors reach the front-end, or \"auto\".",
        );
    }
    address(text, "")
}

/// A host name or an address; `port_setting` names the setting in which a port belongs, if there is one.
fn address(text: &str, port_setting: &str) -> Result<String, Complaint> {
    if text.parse::<IpAddr>().is_ok() || is_host_name(text) {
        return Ok(text.to_owned());
    }
    let next = if text.contains("://") {
        "Give the host's name or address alone, without a scheme.".to_owned()
    } else if text
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host_name(host) && port.parse::<u16>().is_ok())
    {
        if port_setting.is_empty() {
            "Give the host's name or address alone, without a port.".to_owned()
        } else {
            format!("Give the port in {port_setting}.")
        }
    } else {
        "Give letters, digits and hyphens, in parts separated by dots.".to_owned()
    };
    complain(format!("\"{text}\" is neither a host name nor an address"), next)
}

/// RFC 1123, section 2.1, and the underscore, which Compose and many private zones use.
pub(super) fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let numeric_end = text
        .rsplit('.')
        .next()
        .is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253
        && text.split('.').all(|part| {
            (1..=63).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
        && (!numeric_end || text.parse::<Ipv4Addr>().is_ok())
}

pub(super) fn port(text: &str) -> Result<u16, Complaint> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => complain(
            format!("\"{text}\" is not a port"),
            "Give a number from 1 to 65535.",
        ),
    }
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, Complaint> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => Ok(address),
        _ => complain(
            format!("\"{text}\" is not an address with a port"),
            "Give both, for example 0.0.0.0:8080 or [::]:8080.",
        ),
    }
}

pub(super) fn log_format(text: &str) -> Result<Format, Complaint> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => complain(
            format!("\"{text}\" is no form of log lines"),
            "Write text or json.",
        ),
    }
}

/// The choice of the database's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    MySql,
}

pub(super) fn backend(text: &str) -> Result<Backend, Complaint> {
    match text {
        "sqlite" => Ok(Backend::Sqlite),
        "mysql" => Ok(Backend::MySql),
        "mariadb" | "MariaDB" => complain(
            "OpenNebula has one name for MariaDB and MySQL, and it is \"mysql\"",
            "Write DB_BACKEND=mysql.",
        ),
        _ => complain(
            format!("\"{text}\" is no database that OpenNebula knows"),
            "Write sqlite or mysql.",
        ),
    }
}

/// Names separated by commas; blanks around them and empty parts do not count.
pub(super) fn names(text: &str) -> BTreeSet<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use oned_conf::Document;
    use proptest::prelude::*;

    use super::*;
    use crate::prepare::credentials::login::Login;

    #[test]
    fn hypervisors_cannot_send_to_an_unspecified_address() {
        for good in ["auto", "192.0.2.1", "2001:db8::1", "one.example.org"] {
            assert_eq!(monitor_address(good), Ok(good.to_owned()));
        }
        for bad in ["0.0.0.0", "::", "192.0.2.1:4124"] {
            assert!(monitor_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn host_names_and_what_is_none() {
        for good in [
            "db",
            "opennebula-mariadb.one.svc.cluster.local",
            "my_db",
            "10.1.2.3",
            "fd00::1",
            "a.example.",
        ] {
            assert_eq!(database_host(good), Ok(good.to_owned()), "{good}");
        }
        for bad in [
            "",
            "-db",
            "db-",
            "a..b",
            "10.1.2.300",
            "db host",
            "db/x",
            "mysql://db",
            "db:3306",
            "[::1]",
            ".",
        ] {
            assert!(database_host(bad).is_err(), "{bad}");
        }
        assert!(database_host("db:3306").unwrap_err().next.contains("DB_PORT"));
        assert!(
            database_host("localhost")
                .unwrap_err()
                .problem
                .contains("Unix socket")
        );
        assert!(hostname("fd00::1").is_err());
        assert!(monitor_address("auto").is_ok());
        assert!(
            monitor_address("192.0.2.7:4124")
                .unwrap_err()
                .next
                .contains("without a port")
        );
    }

    #[test]
    fn a_port_is_1_to_65535() {
        assert_eq!(port("1"), Ok(1));
        assert_eq!(port("65535"), Ok(65535));
        for bad in ["0", "65536", "-1", "", "3306 ", "mysql"] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn oneadmin_may_have_a_colon_and_no_blank() {
        assert!(oneadmin_password("a:b:c").is_ok());
        for bad in [
            "a b",
            "a\nb",
            "a\tb",
            " a",
            "a\0b",
            "a\u{7f}",
            "ä",
            "a\u{a0}b",
            "a\u{feff}",
            &"x".repeat(257),
        ] {
            assert!(oneadmin_password(bad).is_err(), "{bad:?}");
        }
        assert!(oneadmin_password(&"x".repeat(256)).is_ok());
    }

    #[test]
    fn a_database_password_must_survive_oned_conf() {
        for good in [
            "s3cret",
            "with \"quotes\"",
            "a,b=[c]#d",
            "back\\slash",
            "with blank",
        ] {
            assert!(database_password(good).is_ok(), "{good}");
        }
        for bad in ["ends, in\\", "x]]>y", "two\nlines", "nul\0"] {
            let complaint = database_password(bad).unwrap_err();
            assert!(!complaint.problem.contains(bad), "{complaint:?}");
        }
    }

    #[test]
    fn a_database_password_that_onedb_cannot_use_is_told() {
        for (password, told) in [
            ("s3cret#%/+", false),
            ("with blank", true),
            ("a\\b", true),
            ("a\"b", true),
        ] {
            assert!(database_password(password).is_ok());
            assert_eq!(database_password_warning(password).is_some(), told, "{password}");
        }
        assert!(database_password(&"x".repeat(1025)).is_err());
    }

    proptest! {
        /// What is accepted comes back unchanged from everything that carries it.
        #[test]
        fn accepted_passwords_survive_their_carriers(text in prop_oneof!["\\PC{1,40}", "[ -~]{1,260}", "[!-~]{1,256}"]) {
            let visible = text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
            prop_assert_eq!(oneadmin_password(&text).is_ok(), visible && text.len() <= PASSWORD_LIMIT);
            if oneadmin_password(&text).is_ok() {
                let login = Login::parse(&format!("oneadmin:{text}\n"));
                prop_assert!(login.is_some() && login == Login::new("oneadmin", &text));
            }
            if database_password(&text).is_ok() {
                let mut document = Document::parse("DB = [ PASSWD = \"old\" ]\n").unwrap();
                document.set_in("DB", "PASSWD", &text).unwrap();
                let read = Document::parse(document.to_string()).unwrap();
                let password = read.get_in("DB", "PASSWD");
                prop_assert_eq!(password.as_deref(), Some(text.as_str()));
            }
        }
    }

    #[test]
    fn the_databases_name_needs_no_quotes() {
        for good in ["opennebula", "one_7", "1one"] {
            assert!(database_name(good).is_ok(), "{good}");
        }
        for bad in ["open-nebula", "a b", "a;DROP", "123", "`x`"] {
            assert!(database_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_have_their_length() {
        assert!(one_key(&"0f".repeat(32)).is_ok());
        assert!(one_key(&"0g".repeat(32)).is_err());
        assert!(one_key("0f").is_err());
        assert!(fireedge_key(&"aB".repeat(16)).is_ok());
        assert!(fireedge_key(&"ä".repeat(16)).is_err());
        assert!(fireedge_key("short").is_err());
    }

    #[test]
    fn serveradmins_secret_can_stand_behind_a_colon() {
        assert!(serveradmin_secret(&"0f".repeat(32)).is_ok());
        for bad in ["", "a b", "a:b", "ä", "a\nb", &"x".repeat(257)] {
            assert!(serveradmin_secret(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn known_hosts_is_judged_line_by_line() {
        const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA8SFiA0LO2HAW2IMoNjyVtVJ7kHjmsdbVMVQ0SDZ7Zp";
        let text = format!(
            "# hosts\n\nkvm-1,10.0.0.1 {KEY} remark\n@cert-authority *.example {KEY}\n|1|a=|b= {KEY}"
        );
        assert_eq!(known_hosts(&text), Ok(format!("{text}\n")));
        for bad in [
            "kvm-1".to_owned(),
            KEY.to_owned(),
            format!("kvm-1 {}", &KEY[..40]),
            format!("kvm-1 {}", KEY.replace("ed25519", "rsa")),
            format!("kvm-1 {KEY} \u{7}"),
        ] {
            let problem = known_hosts(&format!("# one\n{bad}\n")).unwrap_err().problem;
            assert_eq!(problem, "line 2 is no line of a known_hosts file", "{bad}");
        }
    }

    #[test]
    fn at_least_one_dump_is_kept() {
        assert_eq!(stop_timeout("3595"), Ok(Duration::from_secs(3595)));
        for bad in ["", "4", "86401", "25s", "-1", "1.5"] {
            assert!(stop_timeout(bad).is_err(), "{bad}");
        }
        assert_eq!(keep_dumps("1"), Ok(1));
        for bad in ["0", "-1", "1001", "", "all", "3 "] {
            assert!(keep_dumps(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_trimmed() {
        assert_eq!(
            names(" oneflow, onegate,,"),
            ["oneflow", "onegate"].map(str::to_owned).into()
        );
        assert!(names("").is_empty());
    }

    #[test]
    fn the_endpoint_needs_address_and_port() {
        assert!(listen("0.0.0.0:8080").is_ok());
        assert!(listen("[::]:8080").is_ok());
        for bad in ["8080", ":8080", "0.0.0.0", "0.0.0.0:0", "localhost:8080"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}
