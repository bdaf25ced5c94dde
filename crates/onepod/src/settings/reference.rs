//! The reference of all settings as Markdown, made from the tables: docs/configuration.md.

use std::fmt::Write as _;

use super::table;
use super::vendor::{Default, FILES, File, Key, Line};

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&table::reference());
    text.push_str(CONFIG);
    for file in FILES {
        section(file, &mut text);
    }
    text
}

const HEAD: &str = "\
<!-- Made from the tables in crates/onepod/src/settings by its tests: UPDATE=1 cargo test -p onepod --lib reference -->

# Configuration

Everything is set by the environment of the container; secrets, texts and monitord's address can be files instead.
`onepod check` judges the settings and prints what a start would do with them, `onepod check --diff` what would change in
OpenNebula's files, and `onepod schema` the JSON Schema of the file that `ONEPOD_CONFIG` names. All of them work without a
volume and as any user.

## Environment

";

const CONFIG: &str = "
Of the container's other variables the services get `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` (also in lower case),
`SSL_CERT_FILE`, `SSL_CERT_DIR`, `NODE_EXTRA_CA_CERTS`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `AWS_CA_BUNDLE`, `TZ`, `LANG`,
`LANGUAGE`, `LC_ALL` and `LC_CTYPE`. With a proxy, `localhost`, `127.0.0.1` and `::1` are added to what is reached without it. The
log names the variables that are passed and those that are not; what services.toml says wins.

## The file of `ONEPOD_CONFIG`

A YAML file with a section for each of OpenNebula's configuration files. A value is written into the vendor's file of the
release that runs, beside the comments and values that are there already; the rest of the file stays as it is.

- In OpenNebula's own files a name is an attribute (`LOG_CALL_FORMAT`), a key of a vector (`DB/CONNECTIONS`, or
  `DB: {CONNECTIONS: 10}`), or a key of one of several vectors of a name (`VM_MAD[NAME=kvm]/ARGUMENTS`). A map defines such
  a vector or completes it: `VM_MAD[NAME=dummy]: {EXECUTABLE: one_vmm_dummy, TYPE: xml}`.
- In the servers' YAML files keys are nested or written as paths: `log: {level: 3}` or `log/level: 3`. Maps are added to
  what is there, lists replace it. The colons of Ruby's symbols can be left out.
- Where a file has several vectors of a name (`VM_MAD`, `TM_MAD_CONF`), a key without a selection is refused, and the
  message has their names.
- A list replaces the vendor's, and so does a driver's `ARGUMENTS`: repeat what is to stay. A warning names every entry
  that is removed.
- A section that is not in this list is a mistake, and so is a value of the wrong type. A key that is not in this list is
  written all the same; where the release does not have it either, a warning says so.
- A key that a setting or the image decides cannot be set; the tables say what to use instead.
- A file that is mounted below `/etc/one` is never written. It is used if it has what the settings say, and refused with
  the keys that it lacks otherwise.

```yaml
oned:
  MONITORING_INTERVAL_DATASTORE: 60
  VM_MAD[NAME=kvm]/ARGUMENTS: \"-t 15 -r 0 kvm\"
  DB: { CONNECTIONS: 40 }
oneflow:
  wait_timeout: 60
  log/level: 3
sunstone:
  langs: { ja: Japanese }
```
";

fn section(file: &File, text: &mut String) {
    let _ = write!(
        text,
        "\n### `{}`: {}\n\n| Key | Type | Default | What it is |\n|---|---|---|---|\n",
        file.section, file.path
    );
    for key in file.keys {
        let about = match key.decided {
            Some(instead) => format!("{}. Not to be set: {instead}.", key.about),
            None => format!("{}.{}", key.about, releases(key, file)),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {about} |",
            key.name.replace("[NAME]", "[NAME=…]"),
            cell(&key.kind.expected(file.grammar)),
            default(key),
        );
    }
}

/// Which releases have it, where that is not every one that has the file.
fn releases(key: &Key, file: &File) -> String {
    let first = file.keys.iter().map(|key| key.since).min();
    match (key.since, key.until) {
        (since, None) if Some(since) == first => String::new(),
        (since, None) => format!(" Since {since}."),
        (_, Some(until)) => format!(" Up to {until}."),
    }
}

fn default(key: &Key) -> String {
    let code = |text: &str| {
        if text.is_empty() {
            "empty".to_owned()
        } else {
            format!("`{}`", cell(text))
        }
    };
    match key.default {
        Default::Same(text) => code(text),
        Default::By(lines) => {
            let one = |(line, text): &(Line, &str)| format!("{} ({line})", code(text));
            lines.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Default::Words("") => "none".to_owned(),
        Default::Words(words) => cell(words),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_reference_in_the_documentation_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page(),
            "docs/configuration.md is not what the tables say: UPDATE=1 cargo test -p onepod --lib reference"
        );
    }

    #[test]
    fn the_page_has_a_row_for_every_key() {
        let rows = page().lines().filter(|line| line.starts_with("| `")).count();
        let keys: usize = FILES.iter().map(|file| file.keys.len()).sum();
        assert_eq!(rows, keys + table::TABLE.len());
    }
}
