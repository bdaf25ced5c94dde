//! `onepod check`: the settings and services.toml judged, and the plan of a start printed. Writes nothing and reaches
//! for nothing outside of the pod. With `--image`, what the image carries is judged alone: for the image's build.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{EXIT_USAGE, complain, say};
use crate::paths::Paths;
use crate::prepare::render;
use crate::settings::{self, Database, Origin, Settings, reference};
use crate::supervisor::config::{Config, Kind, Off};

/// Arguments of `onepod check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the reference of all settings as Markdown instead
    #[arg(long)]
    pub reference: bool,
    /// Print what would change in OpenNebula's configuration files; secrets are shown as ***
    #[arg(long, conflicts_with_all = ["reference", "image"])]
    pub diff: bool,
    /// Judge only what the image carries: services.toml and the programs that it names
    #[arg(long)]
    pub image: bool,
    /// Directory under which every path lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Runs the verb.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    if args.reference {
        say(&reference::page());
        return ExitCode::SUCCESS;
    }
    let paths = Paths::new(args.root);
    let outcome = if args.image {
        services(&paths).map(|config| units(&config, &paths))
    } else if args.diff {
        check(env::vars_os(), &paths, diff)
    } else {
        check(env::vars_os(), &paths, plan)
    };
    match outcome {
        Ok(plan) => {
            say(&plan);
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            complain(&mistakes);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// What there is to show of settings and services without a mistake.
type Show = fn(&Settings, &Config, &Paths) -> Result<String, String>;

/// What `show` makes of it, or every mistake.
fn check(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    paths: &Paths,
    show: Show,
) -> Result<String, String> {
    match services(paths) {
        Ok(config) => {
            let settings = settings::settle_with(environment, &config.names())
                .map_err(|mistakes| mistakes.to_string())?;
            let config = config.with_switches(settings.enabled(), settings.disabled());
            show(&settings, &config, paths)
        }
        Err(error) => match settings::settle(environment) {
            Ok(_) => Err(error),
            Err(mistakes) => Err(format!("{error}\n{mistakes}")),
        },
    }
}

/// What a start would make of the image's configuration files; none where the image's files are not there.
pub(super) fn rendered(settings: &Settings, paths: &Paths) -> Result<Option<render::Plan>, String> {
    let etc = paths.pristine_etc();
    if !etc.is_dir() {
        return Ok(None);
    }
    let release = render::release(paths);
    let plan = render::plan(settings, &release, &etc, &paths.etc_one()).map_err(|error| error.to_string())?;
    // Of a server's tables nothing is known here: the stage database looks at them.
    if matches!(settings.database(), Database::Sqlite)
        && fs::metadata(paths.sqlite()).map_or(true, |found| found.len() == 0)
    {
        render::admit_empty(settings).map_err(|error| error.to_string())?;
    }
    Ok(Some(plan))
}

/// The changes in OpenNebula's configuration files as a unified diff, without secrets.
fn diff(settings: &Settings, _: &Config, paths: &Paths) -> Result<String, String> {
    let none = || {
        format!(
            "{} is not there: this is not the image",
            paths.pristine_etc().display()
        )
    };
    let real = rendered(settings, paths)?.ok_or_else(none)?;
    // What is mounted and as it must be does not change, and with its secrets hidden it would seem to.
    let (release, etc) = (render::release(paths), paths.pristine_etc());
    let shown = render::plan(&settings.masked(), &release, &etc, &etc).map_err(|error| error.to_string())?;
    let mut text: String = real
        .warnings
        .iter()
        .fold(String::new(), |text, warning| text + "# " + warning + "\n");
    let is_real = |change: &&render::Change| {
        real.changes
            .iter()
            .any(|real| real.file.section == change.file.section)
    };
    for change in shown.changes.iter().filter(is_real) {
        let (from, to) = (
            paths.pristine_etc().join(change.file.path),
            paths.etc_one().join(change.file.path),
        );
        let diff = similar::TextDiff::from_lines(&change.old, &change.new);
        let mut unified = diff.unified_diff();
        let header = unified
            .header(&from.display().to_string(), &to.display().to_string())
            .to_string();
        text.push_str(&header);
    }
    Ok(text)
}

/// services.toml, and everything that keeps what is installed from being started as it says.
fn services(paths: &Paths) -> Result<Config, String> {
    Config::load_verified(&paths.services(), paths.root()).map_err(|error| error.to_string())
}

fn plan(settings: &Settings, config: &Config, paths: &Paths) -> Result<String, String> {
    let rendered = rendered(settings, paths)?;
    let mut text = format!(
        "OpenNebula {} would be started with these settings:\n\n",
        release(paths)
    );
    let mut rows = vec![["SETTING".to_owned(), "VALUE".to_owned(), "FROM".to_owned()]];
    rows.extend(settings.rows().iter().map(|row| {
        let from = match &row.origin {
            Origin::Unset => "default".to_owned(),
            given => given.to_string(),
        };
        [row.name.to_owned(), row.value.clone(), from]
    }));
    rows.extend(
        settings
            .overrides()
            .rows()
            .into_iter()
            .map(|(key, value)| [key, value, "ONEPOD_CONFIG".to_owned()]),
    );
    text.push_str(&aligned(&rows));

    text.push_str("\nServices:\n\n");
    text.push_str(&units(config, paths));

    text.push_str("\nA start would write:\n\n");
    text.push_str(&aligned(&writes(settings, paths, rendered.as_ref())));
    let mut warnings = settings.warnings();
    warnings.extend(rendered.into_iter().flat_map(|plan| plan.warnings));
    if !warnings.is_empty() {
        text.push_str("\nWarnings:\n\n");
    }
    for warning in warnings {
        let _ = writeln!(text, "  {warning}");
    }
    text.push_str("\nNothing was written.\n");
    Ok(text)
}

/// Every service, task and timer, and whether it would run.
fn units(config: &Config, paths: &Paths) -> String {
    let absent = |path: &PathBuf| !paths.root().join(path.strip_prefix("/").unwrap_or(path)).exists();
    let rows: Vec<_> = config
        .units
        .iter()
        .map(|unit| {
            let state = match (unit.off, &unit.installed) {
                (Some(off @ Off::Disabled), _) => off.text().to_owned(),
                (_, Some(path)) if absent(path) => format!("absent, there is no {}", path.display()),
                (Some(off), _) => off.text().to_owned(),
                (None, _) => "on".to_owned(),
            };
            let kind = match unit.kind {
                Kind::Service { .. } => "service",
                Kind::Task { .. } => "task",
                Kind::Timer { .. } => "timer",
            };
            [unit.name.to_string(), kind.to_owned(), state]
        })
        .collect();
    aligned(&rows)
}

/// What a start writes, by looking and without touching.
fn writes(settings: &Settings, paths: &Paths, rendered: Option<&render::Plan>) -> Vec<[String; 3]> {
    let row = |path: PathBuf, what: String| [path.display().to_string(), what, String::new()];
    let kept = |path: PathBuf, setting: &str, given: bool, otherwise: &str| {
        let what = match (path.exists(), given) {
            (true, _) => "kept".to_owned(),
            (false, true) => format!("from {setting}"),
            (false, false) => otherwise.to_owned(),
        };
        row(path, what)
    };
    let ssh_directory = paths.ssh_dir();
    let has_key = ["id_ed25519", "id_ecdsa", "id_rsa"]
        .iter()
        .any(|name| ssh_directory.join(name).exists());
    let ssh = match (settings.ssh_key(), has_key) {
        (Some(key), _) => format!(
            "{} from SSH_PRIVATE_KEY; another key of that name is moved aside",
            key.file_name()
        ),
        (None, true) => "the key is kept".to_owned(),
        (None, false) => "a new ed25519 key".to_owned(),
    };
    let database = match settings.database() {
        Database::Sqlite => format!("sqlite, {}", paths.sqlite().display()),
        Database::MySql(server) => {
            format!(
                "mysql, {} at {}:{} as {}",
                server.name(),
                server.host(),
                server.port(),
                server.user()
            )
        }
    };
    let mut rows = vec![
        row(
            paths.etc_one(),
            format!("emptied and filled from {}", paths.pristine_etc().display()),
        ),
        row(
            paths.oned_conf(),
            format!("DB ({database}), HOSTNAME {}", settings.hostname()),
        ),
        row(
            paths.monitord_conf(),
            format!("MONITOR_ADDRESS {}", settings.monitor_address()),
        ),
    ];
    let others = rendered.into_iter().flat_map(|plan| &plan.changes);
    let others = others.filter(|change| !matches!(change.file.section, "oned" | "monitord"));
    rows.extend(others.map(|change| {
        row(
            paths.etc_one().join(change.file.path),
            "edited; `onepod check --diff` shows how".to_owned(),
        )
    }));
    rows.extend([
        row(
            paths.remotes(),
            "this release's files where they differ; remotes/etc is kept".to_owned(),
        ),
        kept(
            paths.one_auth(),
            "ONEADMIN_PASSWORD",
            settings.oneadmin_password().is_some(),
            "generated, unless the database has users already",
        ),
        kept(
            paths.one_key(),
            "ONE_KEY",
            settings.one_key().is_some(),
            "made by oned",
        ),
        match settings.fireedge_key() {
            Some(_) => row(paths.fireedge_key(), "from FIREEDGE_KEY".to_owned()),
            None => kept(paths.fireedge_key(), "FIREEDGE_KEY", false, "made by FireEdge"),
        },
        row(ssh_directory, ssh),
    ]);
    rows
}

fn release(paths: &Paths) -> String {
    fs::read_to_string(paths.release())
        .map_or_else(|_| "(unknown release)".to_owned(), |text| text.trim().to_owned())
}

/// Rows of three columns, each as wide as its widest cell.
fn aligned(rows: &[[String; 3]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let (first, second) = (width(0).unwrap_or_default(), width(1).unwrap_or_default());
    let mut text = String::new();
    for [name, value, from] in rows {
        let line = format!("  {name:first$}  {value:second$}  {from}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::settings::SshKey;

    const SERVICES: &str = r#"
[services.oned]
command = ["/usr/bin/oned", "-f"]
installed = "/usr/bin/oned"
essential = true
readiness = { tcp = "127.0.0.1:2633" }

[services.oneflow]
command = ["/usr/bin/ruby", "/usr/lib/one/oneflow/oneflow-server.rb"]
installed = "/usr/lib/one/oneflow/oneflow-server.rb"
after = ["oned"]
readiness = { tcp = "127.0.0.1:2474" }

[timers.rotate-logs]
builtin = "rotate-logs"
schedule = { every_seconds = 60 }
"#;

    /// A root with what the image carries for the check.
    fn root(services: &str) -> (TempDir, Paths) {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(paths.share()).unwrap();
        fs::write(paths.services(), services).unwrap();
        fs::write(paths.release(), "7.0.0\n").unwrap();
        let program = dir.path().join("usr/bin/oned");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "\x7fELF").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (dir, paths)
    }

    fn check_in(root: &(TempDir, Paths), pairs: &[(&str, &str)]) -> Result<String, String> {
        let environment = pairs
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let place = root.0.path().to_str().unwrap();
        let strip = |text: String| text.replace(place, "");
        check(environment, &root.1, plan).map(strip).map_err(strip)
    }

    #[test]
    fn the_plan_of_a_small_installation() {
        let root = root(SERVICES);
        insta::assert_snapshot!(check_in(&root, &[("OPENNEBULA_HOSTNAME", "opennebula-0")]).unwrap());
    }

    #[test]
    fn the_plan_with_a_server_and_every_secret_shows_none_of_them() {
        let root = root(SERVICES);
        fs::create_dir_all(root.1.auth_dir()).unwrap();
        fs::write(root.1.one_auth(), "oneadmin:kept").unwrap();
        let (password, database) = (root.0.path().join("oneadmin"), root.0.path().join("database"));
        fs::write(&password, "hunter2hunter2\n").unwrap();
        fs::write(&database, "hunter3hunter3\n").unwrap();
        let (one_key, fireedge_key, key) = ("7e".repeat(32), "K".repeat(32), SshKey::generate().unwrap());
        let text = check_in(
            &root,
            &[
                ("ONEADMIN_PASSWORD_FILE", password.to_str().unwrap()),
                ("ONE_KEY", &one_key),
                ("FIREEDGE_KEY", &fireedge_key),
                ("SSH_PRIVATE_KEY", key.pem().expose()),
                ("DB_BACKEND", "mysql"),
                ("DB_HOST", "opennebula-mariadb"),
                ("DB_PASSWORD_FILE", database.to_str().unwrap()),
                ("OPENNEBULA_HOSTNAME", "one.example.org"),
                ("OPENNEBULA_MONITOR_ADDRESS", "192.0.2.7"),
                ("ONEPOD_DISABLE", "oneflow"),
            ],
        )
        .unwrap();
        for secret in ["hunter", "7e7e", "KKKK", "BEGIN"] {
            assert!(!text.contains(secret), "{secret} is in\n{text}");
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_plan_says_why_a_service_is_off() {
        let here = SERVICES.replace("[services.oneflow]", "[services.oneflow]\nenabled = false")
            + "[services.onegate]\ncommand = [\"/usr/bin/oned\"]\ninstalled = \"/usr/bin/oned\"\nenabled = false\n\
               readiness = { notify = true }\n";
        let root = root(&here);
        let state = |name: &str, pairs: &[(&str, &str)]| {
            let pairs = [&[("OPENNEBULA_HOSTNAME", "one")], pairs].concat();
            let text = check_in(&root, &pairs).unwrap();
            let row = text
                .lines()
                .find(|line| line.starts_with(&format!("  {name} ")))
                .unwrap();
            row.split_once("service  ").unwrap().1.to_owned()
        };
        assert_eq!(
            state("onegate", &[]),
            "off by default; ONEPOD_ENABLE switches it on"
        );
        assert_eq!(state("onegate", &[("ONEPOD_ENABLE", "onegate")]), "on");
        assert_eq!(
            state("onegate", &[("ONEPOD_DISABLE", "onegate")]),
            "off by ONEPOD_DISABLE"
        );
        assert!(
            state("oneflow", &[]).starts_with("absent, "),
            "a setting cannot switch on what is not installed"
        );
    }

    #[test]
    fn the_plan_names_every_value_of_the_overrides() {
        let root = root(SERVICES);
        let file = root.0.path().join("config.yaml");
        fs::write(
            &file,
            "oned:\n  DB/CONNECTIONS: 10\n  VM_MAD[NAME=dummy]: {EXECUTABLE: one_vmm_dummy, TYPE: xml}\n",
        )
        .unwrap();
        let text = check_in(&root, &[("ONEPOD_CONFIG", file.to_str().unwrap())]).unwrap();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| line.contains("oned.conf ") && line.ends_with("ONEPOD_CONFIG"))
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines,
            [
                ["oned.conf", "DB/CONNECTIONS", "10", "ONEPOD_CONFIG"],
                [
                    "oned.conf",
                    "VM_MAD[NAME=dummy]/EXECUTABLE",
                    "one_vmm_dummy",
                    "ONEPOD_CONFIG"
                ],
                ["oned.conf", "VM_MAD[NAME=dummy]/TYPE", "xml", "ONEPOD_CONFIG"],
            ]
        );
    }

    #[test]
    fn mistakes_in_settings_and_services_come_together() {
        let root = root("[services.oned]\ncommand = []\n");
        let text = check_in(&root, &[("DB_BACKEND", "mysql"), ("ONEPOD_LISTEN", "8080")]).unwrap_err();
        for part in ["services.toml", "DB_HOST", "DB_PASSWORD", "ONEPOD_LISTEN"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn a_program_that_cannot_be_started_is_a_mistake_of_the_image() {
        let root = root(SERVICES);
        let program = root.0.path().join("usr/bin/oned");
        assert!(services(&root.1).is_ok());
        fs::write(&program, "#!/no/such/interpreter\n").unwrap();
        let text = services(&root.1).unwrap_err();
        for part in ["services.toml", "oned", "/no/such/interpreter"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(check_in(&root, &[("OPENNEBULA_HOSTNAME", "opennebula-0")]).is_err());
    }

    const ETC: [(&str, &str); 4] = [
        (
            "oned.conf",
            "PORT = 2633\n\nLOG = [ SYSTEM = \"std\" ]\n\n# Where the state is\nDB = [ BACKEND = \"sqlite\" ]\n\n# A\n# B\n# C\n",
        ),
        ("monitord.conf", "NETWORK = [ MONITOR_ADDRESS = \"auto\" ]\n"),
        (
            "onegate-server.conf",
            "# Gate\n:server:\n  :bind: 127.0.0.1\n  :port: 5030\n",
        ),
        ("fireedge-server.conf", "port: 2616\n\n# auth_redirect: '/'\n"),
    ];

    /// A root with OpenNebula's files as the image keeps them.
    fn image() -> (TempDir, Paths) {
        let root = root(SERVICES);
        fs::create_dir_all(root.1.pristine_etc()).unwrap();
        for (name, text) in ETC {
            fs::write(root.1.pristine_etc().join(name), text).unwrap();
        }
        root
    }

    /// What a check shows with a server, its password and a file of overrides.
    fn shown(root: &(TempDir, Paths), show: Show, overrides: &str) -> Result<String, String> {
        let file = root.0.path().join("config.yaml");
        fs::write(&file, overrides).unwrap();
        let environment = [
            ("OPENNEBULA_HOSTNAME", "one.example"),
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "mariadb"),
            ("DB_PASSWORD", "hunter2hunter2"),
            ("ONEPOD_CONFIG", file.to_str().unwrap()),
        ]
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let place = root.0.path().to_str().unwrap();
        let strip = |text: String| text.replace(place, "");
        let text = check(environment, &root.1, show).map(strip).map_err(strip);
        assert!(!format!("{text:?}").contains("hunter"), "{text:?}");
        text
    }

    const OVERRIDES: &str = "oned:\n  MANGER_TIMER: 5\n  GRPC_PORT: 2635\n  VENDOR_TOKEN: hunter3\n\
                             oneks:\n  k8s_timeout: 5\n\
                             fireedge:\n  auth_redirect: https://one.example/\n  some_secret: hunter4\n";

    #[test]
    fn the_diff_shows_what_changes_and_no_secret() {
        let root = image();
        insta::assert_snapshot!(shown(&root, diff, OVERRIDES).unwrap());
        assert!(!root.1.etc_one().exists(), "nothing is written");
    }

    #[test]
    fn the_plan_names_the_files_that_change_and_what_the_release_does_not_have() {
        let text = shown(&image(), plan, OVERRIDES).unwrap();
        insta::assert_snapshot!(text.split_once("A start would write:").unwrap().1);
    }

    #[test]
    fn no_password_of_a_proxy_is_in_the_diff() {
        let root = image();
        let sunstone = root
            .1
            .pristine_etc()
            .join("fireedge/sunstone/sunstone-server.conf");
        fs::create_dir_all(sunstone.parent().unwrap()).unwrap();
        fs::write(sunstone, "tmpdir: /var/tmp\n").unwrap();
        let text = shown(
            &root,
            diff,
            "sunstone:\n  proxy: http://one:hunter2@proxy.example:3128\n",
        )
        .unwrap();
        assert!(text.contains("http://***@proxy.example:3128"), "{text}");
    }

    #[test]
    fn values_that_cannot_work_are_mistakes() {
        let root = image();
        let file = root.0.path().join("config.yaml");
        for (overrides, part) in [
            ("oned:\n  AUTH_MAD/AUTHN: ssh\n", "must have server_cipher"),
            ("oned:\n  FEDERATION/SERVER_ID: 0\n", "the database is empty"),
            (
                "oned:\n  FEDERATION: {MODE: SLAVE}\n",
                "FEDERATION/MASTER_ONED must be the URL",
            ),
        ] {
            fs::write(&file, overrides).unwrap();
            let error = check_in(&root, &[("ONEPOD_CONFIG", file.to_str().unwrap())]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_into_the_images_files_is_a_mistake() {
        for show in [plan as Show, diff as Show] {
            let error = shown(&image(), show, "fireedge:\n  port/x: 1\n").unwrap_err();
            assert_eq!(
                error,
                "/usr/share/onepod/etc/fireedge-server.conf: ONEPOD_CONFIG, fireedge: port/x: line 1: the value of \
                 `port` has a form that cannot be edited here"
            );
        }
        let error = shown(&root(SERVICES), diff, "").unwrap_err();
        assert_eq!(error, "/usr/share/onepod/etc is not there: this is not the image");
    }

    #[test]
    fn a_check_writes_nothing() {
        let root = root(SERVICES);
        let list = || {
            let mut found: Vec<_> = fs::read_dir(root.0.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            found.sort();
            found
        };
        let before = list();
        check_in(&root, &[("OPENNEBULA_HOSTNAME", "opennebula-0")]).unwrap();
        assert_eq!(list(), before);
    }
}
