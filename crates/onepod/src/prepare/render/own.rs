//! What onepod itself asks of OpenNebula's files, whatever the overrides say: the database, the names and addresses
//! under which the front-end is reached, and logs that the supervisor can follow.

use serde_json::Value as Yaml;

use super::attributes::Given;
use super::yaml::{self, Keys, Wish};
use super::{Edited, Problem, YamlError};
use crate::settings::vendor::{File, Grammar, Line};
use crate::settings::{Database, Settings};

/// Where `OneForm` keeps Terraform's files; [`crate::paths::Paths::oneform`] as its file writes it.
const ONEFORM_WORK_DIR: &str = "/var/lib/one/oneform/";

/// Whether a start looks at the file even without overrides.
pub(super) fn concerns(file: &File) -> bool {
    matches!(file.section, "oned" | "monitord" | "oneform") || listens(file).is_some()
}

/// The values of settings in a file of OpenNebula's own grammar.
pub(super) fn values(file: &File, settings: &Settings, line: Option<Line>) -> Vec<Given> {
    match file.section {
        "oned" => oned(settings, line),
        // Its log stays in the file that the supervisor follows: with the log on stderr its lines are lost, because oned
        // gives its drivers none (seen with 7.0.2).
        "monitord" => vec![value(
            "OPENNEBULA_MONITOR_ADDRESS",
            Some("NETWORK"),
            "MONITOR_ADDRESS",
            settings.monitor_address(),
        )],
        _ => Vec::new(),
    }
}

fn oned(settings: &Settings, line: Option<Line>) -> Vec<Given> {
    let mut values = vec![
        // To the files that the supervisor follows: on stderr the logs of virtual machines would be lost to the web
        // interface (OpenNebula 7.0.2 has file, syslog and std).
        value("the pod's log", Some("LOG"), "SYSTEM", "file"),
        value("OPENNEBULA_HOSTNAME", None, "HOSTNAME", settings.hostname()),
    ];
    if line.is_some_and(|line| line >= Line::V7_4) {
        // The logs of virtual machines on the volume, where they outlive the pod. FireEdge looks for them there since 7.4,
        // if the word is exactly this one (`routes/api/vm/functions.js`); that of 7.2 knows /var/log/one only, as does
        // `onelog` of every release.
        values.push(value("the pod's log", Some("LOG"), "USE_VMS_LOCATION", "YES"));
    }
    let database = |setting, key, text: &str| value(setting, Some("DB"), key, text);
    match settings.database() {
        Database::Sqlite => values.push(database("DB_BACKEND", "BACKEND", "sqlite")),
        Database::MySql(server) => values.extend([
            database("DB_BACKEND", "BACKEND", "mysql"),
            database("DB_HOST", "SERVER", server.host()),
            database("DB_PORT", "PORT", &server.port().to_string()),
            database("DB_USER", "USER", server.user()),
            database("DB_PASSWORD", "PASSWD", server.password().expose()),
            database("DB_NAME", "DB_NAME", server.name()),
        ]),
    }
    values
}

fn value(setting: &'static str, vector: Option<&'static str>, name: &'static str, text: &str) -> Given {
    Given {
        setting,
        vector,
        name,
        text: text.to_owned(),
    }
}

/// The keys that may hold the address to listen on, of the servers that the pod's Services reach by the pod's own
/// address; the first that is there counts (`OneGate` has the first since 7.4).
fn listens(file: &File) -> Option<&'static [&'static [&'static str]]> {
    match file.section {
        "oneflow" => Some(&[&["host"]]),
        "onegate" => Some(&[&["server", "bind"], &["host"]]),
        _ => None,
    }
}

/// A server's YAML file with the settings in it.
pub(super) fn servers(text: &str, file: &File, settings: &Settings) -> Result<Edited, Problem> {
    let keys = match file.grammar {
        Grammar::Symbols => Keys::Symbols,
        Grammar::Attributes | Grammar::Yaml => Keys::Plain,
    };
    let mut text = text.to_owned();
    let mut changed = Vec::new();
    let mut take = |text: &mut String, new: String, name: String| {
        if *text != new {
            *text = new;
            changed.push(name);
        }
    };
    if let Some(places) = listens(file) {
        let new = listen(&text, keys, places).map_err(|reason| Problem::Yaml {
            setting: "the address to listen on".to_owned(),
            reason,
        })?;
        take(&mut text, new, "the address to listen on".to_owned());
    }
    if file.section == "oneform" {
        text = keep_provisions(&text, keys).map_err(|reason| Problem::Yaml {
            setting: "the folder of OneForm's provisions".to_owned(),
            reason,
        })?;
    }
    let leaves = settings
        .overrides()
        .section(file.section)
        .map_or(&[][..], |section| &section.leaves);
    for leaf in leaves {
        let wish = Wish {
            path: &leaf.path,
            value: &leaf.value,
        };
        let new = yaml::edit(&text, keys, &[wish]).map_err(|reason| Problem::Yaml {
            setting: format!("ONEPOD_CONFIG, {}: {}", file.section, leaf.name()),
            reason,
        })?;
        take(&mut text, new, leaf.name());
    }
    Ok(Edited { text, keys: changed })
}

/// `OneForm`'s file with its folder on the volume: the packages' own is in /tmp, which ends with the pod.
pub(super) fn keep_provisions(text: &str, keys: Keys) -> Result<String, YamlError> {
    let wish = Wish {
        path: &["work_dir".to_owned()],
        value: &Yaml::from(ONEFORM_WORK_DIR),
    };
    yaml::edit(text, keys, &[wish])
}

/// The text with every address to listen on.
pub(super) fn listen(text: &str, keys: Keys, places: &[&[&str]]) -> Result<String, YamlError> {
    let content = yaml::read(text)?;
    let path = places
        .iter()
        .map(|place| place.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
        .find(|path| yaml::has(&content, path));
    let Some(path) = path else {
        let names: Vec<String> = places.iter().map(|place| place.join("/")).collect();
        return Err(YamlError::NoAddress(names.join(", ")));
    };
    let wish = Wish {
        path: &path,
        value: &Yaml::from("0.0.0.0"),
    };
    yaml::edit(text, keys, &[wish])
}
