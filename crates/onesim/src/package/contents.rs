//! What each package holds: files with their modes, links, scripts, dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::{Failed, at, output, places};
use crate::cli;
use crate::onedb::MIGRATORS;
use crate::release::Release;

/// Modification time of every file: 2025-07-01, the date of release 7.0.0.
const EPOCH: &str = "1751328000";

enum Item {
    Text(&'static str, u32),
    Owned(Vec<u8>, u32),
    Link(String),
    Directory,
}

/// A package to be built.
pub(crate) struct Package {
    name: &'static str,
    depends: &'static str,
    summary: &'static str,
    items: Vec<(String, Item)>,
    postinst: Option<String>,
}

macro_rules! asset {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path))
    };
}

const PROGRAM: &str = "/usr/lib/onesim/onesim";

/// Driver programs below /usr/lib/one/mads.
const MADS: [&str; 13] = [
    "onemonitord",
    "one_hm",
    "one_vmm_exec",
    "one_vmm_dummy",
    "one_tm",
    "one_auth_mad",
    "one_datastore",
    "one_market",
    "one_ipam",
    "one_sched",
    "one_im_exec",
    "one_im_ssh",
    "one_im_sh",
];

/// All packages of a release.
pub(crate) fn packages(release: &str, time_scale: Option<&str>) -> Result<Vec<Package>, Failed> {
    if !["7.0.", "7.2.", "7.4."]
        .iter()
        .any(|line| release.starts_with(line))
    {
        return Err(format!(
            "release {release} is not simulated: 7.0, 7.2 and 7.4 are"
        ));
    }
    let mut packages = vec![
        common(release, time_scale)?,
        rubygems(),
        libs(),
        core(release),
        migration(release),
        tools(),
        server(
            "opennebula-flow",
            "oneflow",
            "simulated OpenNebula: OneFlow",
            asset!("lib/oneflow-server.rb"),
            asset!("etc/oneflow-server.conf").to_owned(),
        ),
        server(
            "opennebula-gate",
            "onegate",
            "simulated OpenNebula: OneGate",
            asset!("lib/onegate-server.rb"),
            onegate_conf(release),
        ),
        fireedge(),
        guacd(),
    ];
    if !release.starts_with("7.0.") {
        let mut form = server(
            "opennebula-form",
            "oneform",
            "simulated OpenNebula: OneForm",
            asset!("lib/oneform-server.rb"),
            asset!("etc/oneform-server.conf").to_owned(),
        );
        form.items.extend(IPAM_SCRIPTS.map(|name| {
            script(
                &format!("/usr/lib/one/oneform/drivers/dummy/ipam/{name}"),
                asset!("remotes/driver"),
            )
        }));
        packages.push(form);
    }
    if release.starts_with("7.4.") {
        packages.push(server(
            "opennebula-ks",
            "oneks",
            "simulated OpenNebula: OneKS",
            asset!("lib/oneks-server.rb"),
            asset!("etc/oneks-server.conf").to_owned(),
        ));
    }
    add_places(&mut packages, release);
    Ok(packages)
}

/// What an IPAM driver consists of.
const IPAM_SCRIPTS: [&str; 5] = [
    "allocate_address",
    "free_address",
    "get_address",
    "register_address_range",
    "unregister_address_range",
];

/// Adds the vendor's files that the simulation has no use for, each to the package that owns its folder.
fn add_places(packages: &mut [Package], release: &str) {
    let there: BTreeSet<String> = packages
        .iter()
        .flat_map(|package| package.items.iter().map(|(path, _)| path.clone()))
        .collect();
    for place in places::of(release).filter(|place| !there.contains(&place.path)) {
        let owner = [
            ("/etc/one/cli/", "opennebula-tools"),
            ("/etc/one/fireedge/", "opennebula-fireedge"),
        ]
        .iter()
        .find(|(folder, _)| place.path.starts_with(folder))
        .map_or("opennebula", |(_, owner)| owner);
        if let Some(package) = packages.iter_mut().find(|package| package.name == owner) {
            package
                .items
                .push((place.path, Item::Text(place.content, place.mode)));
        }
    }
}

/// oned.conf of the release: gRPC came with 7.2.
fn oned_conf(release: &str) -> String {
    let conf = asset!("etc/oned.conf");
    if release.starts_with("7.0.") {
        return conf.to_owned();
    }
    conf.replace(
        "\nPORT = 2633\n",
        "\nPORT = 2633\nGRPC_PORT = 2634\nGRPC_LISTEN_ADDRESS = \"0.0.0.0\"\n",
    )
}

/// onegate-server.conf of the release: 7.4 moved the address below `:server:`.
fn onegate_conf(release: &str) -> String {
    let conf = asset!("etc/onegate-server.conf");
    if release.starts_with("7.4.") {
        conf.replace(
            ":host: 127.0.0.1\n:port: 5030\n",
            ":server:\n  :bind: 127.0.0.1\n  :port: 5030\n",
        )
    } else {
        conf.to_owned()
    }
}

fn text(path: &str, content: &'static str) -> (String, Item) {
    (path.to_owned(), Item::Text(content, 0o644))
}

fn script(path: &str, content: &'static str) -> (String, Item) {
    (path.to_owned(), Item::Text(content, 0o755))
}

fn link(path: String, target: &str) -> (String, Item) {
    (path, Item::Link(target.to_owned()))
}

fn common(release: &str, time_scale: Option<&str>) -> Result<Package, Failed> {
    let mut items = vec![
        (PROGRAM.to_owned(), Item::Owned(program()?, 0o755)),
        (
            "/usr/lib/onesim/release".to_owned(),
            Item::Owned(format!("{release}\n").into_bytes(), 0o644),
        ),
        text("/usr/lib/onesim/cloud.rb", asset!("lib/cloud.rb")),
        text(
            "/usr/lib/tmpfiles.d/opennebula-common.conf",
            asset!("deb/tmpfiles.conf"),
        ),
        text("/usr/share/one/ssh/etc/config", asset!("sh/ssh-config")),
        (
            "/etc/sudoers.d/opennebula".to_owned(),
            Item::Text(asset!("deb/sudoers"), 0o440),
        ),
    ];
    if let Some(factor) = time_scale {
        items.push((
            "/usr/lib/onesim/time-scale".to_owned(),
            Item::Owned(format!("{factor}\n").into_bytes(), 0o644),
        ));
    }
    Ok(Package {
        name: "opennebula-common",
        depends: "passwd, openssh-client",
        summary: "simulated OpenNebula: user, directories, the simulator itself",
        items,
        postinst: Some(asset!("deb/common.postinst").to_owned()),
    })
}

/// This very program, without its debugging symbols where binutils is installed.
fn program() -> Result<Vec<u8>, Failed> {
    let itself = std::env::current_exe().map_err(|e| e.to_string())?;
    let directory = repository_temporary()?;
    let stripped = directory.join("onesim");
    let strip = output(Command::new("strip").arg("-o").arg(&stripped).arg(&itself));
    let bytes = fs::read(if strip.is_ok() { &stripped } else { &itself }).map_err(at(&itself));
    let _ = fs::remove_dir_all(&directory);
    bytes
}

/// A private temporary directory.
pub(crate) fn repository_temporary() -> Result<std::path::PathBuf, Failed> {
    let path = std::env::temp_dir().join(format!("onesim-{:016x}", rand::random::<u64>()));
    fs::create_dir(&path).map_err(at(&path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(at(&path))?;
    Ok(path)
}

fn rubygems() -> Package {
    Package {
        name: "opennebula-rubygems",
        depends: "ruby",
        summary: "simulated OpenNebula: the place of the Ruby gems",
        items: vec![text(
            "/usr/share/one/gems/README",
            "Simulated: the servers use Ruby's standard library only.\n",
        )],
        postinst: None,
    }
}

/// The libraries of the Ruby programs, which the simulated ones do without.
fn libs() -> Package {
    const EMPTY: &str = "# Simulated: the servers use Ruby's standard library only.\n";
    Package {
        name: "opennebula-libs",
        depends: "ruby, opennebula-rubygems",
        summary: "simulated OpenNebula: the place of the Ruby libraries",
        items: ["opennebula.rb", "cloud/CloudServer.rb", "cloud/CloudAuth.rb"]
            .map(|name| text(&format!("/usr/lib/one/ruby/{name}"), EMPTY))
            .into(),
        postinst: None,
    }
}

/// Folder of the migration tool's files.
const ONEDB: &str = "/usr/lib/one/ruby/onedb";

/// What the migration tool says of the schema that it needs.
fn schema_constants(release: &str) -> (String, Item) {
    let schema = Release::new(release).schema();
    let constants = format!(
        "class OneDBBacKEnd\n    LATEST_DB_VERSION = '{schema}'\n    LATEST_LOCAL_DB_VERSION = '{schema}'\nend\n"
    );
    (
        format!("{ONEDB}/database_schema.rb"),
        Item::Owned(constants.into_bytes(), 0o644),
    )
}

/// The steps of the migration tool, a package of its own since 7.0 on which none depends.
fn migration(release: &str) -> Package {
    let schema = Release::new(release).schema();
    let mut items = Vec::new();
    let last = MIGRATORS
        .iter()
        .position(|(_, to)| *to == schema)
        .map_or(0, |place| place + 1);
    for (from, to) in MIGRATORS.iter().take(last) {
        for part in ["shared", "local"] {
            items.push((
                format!("{ONEDB}/{part}/{from}_to_{to}.rb"),
                Item::Owned(b"# Simulated: onedb itself knows what to do.\n".to_vec(), 0o644),
            ));
        }
    }
    Package {
        name: "opennebula-migration",
        depends: "opennebula-common",
        summary: "simulated OpenNebula: migrators of the database",
        items,
        postinst: None,
    }
}

fn core(release: &str) -> Package {
    let mut items = vec![
        link("/usr/bin/oned".to_owned(), PROGRAM),
        link("/usr/bin/onedb".to_owned(), PROGRAM),
        (
            "/etc/one/oned.conf".to_owned(),
            Item::Owned(oned_conf(release).into_bytes(), 0o644),
        ),
        text("/etc/one/monitord.conf", asset!("etc/monitord.conf")),
        text("/etc/one/onehem-server.conf", asset!("etc/onehem-server.conf")),
        text("/etc/one/defaultrc", asset!("etc/defaultrc")),
        text("/etc/one/hm/hmrc", asset!("etc/hm/hmrc")),
        ("/etc/one/auth/certificates".to_owned(), Item::Directory),
        text(
            "/etc/one/schedulers/rank.conf",
            asset!("etc/schedulers/rank.conf"),
        ),
        text(
            "/etc/one/schedulers/one_drs.conf",
            asset!("etc/schedulers/one_drs.conf"),
        ),
        text(
            "/etc/one/vmm_exec/vmm_exec_kvm.conf",
            asset!("etc/vmm_exec/vmm_exec_kvm.conf"),
        ),
        text(
            "/usr/lib/one/onehem/onehem-server.rb",
            asset!("lib/onehem-server.rb"),
        ),
        script("/usr/lib/one/sh/override/ssh", asset!("sh/ssh")),
        script(
            "/usr/lib/one/sh/ssh-socks-cleaner",
            asset!("sh/ssh-socks-cleaner"),
        ),
        script(
            "/var/lib/one/remotes/im/dummy.d/probe.sh",
            asset!("remotes/probe.sh"),
        ),
        // A program that the vendor bundles, and that others mend.
        script(
            "/var/lib/one/remotes/datastore/restic/restic",
            asset!("remotes/restic"),
        ),
        script(
            "/var/lib/one/remotes/scheduler/rank/place",
            asset!("remotes/place"),
        ),
        script(
            "/var/lib/one/remotes/scheduler/one_drs/optimize",
            asset!("remotes/place"),
        ),
        text(
            "/var/lib/one/remotes/etc/vnm/OpenNebulaNetwork.conf",
            asset!("remotes/vnm.conf"),
        ),
        (
            "/var/lib/one/remotes/VERSION".to_owned(),
            Item::Owned(b"simulated\n".to_vec(), 0o644),
        ),
    ];
    for mad in MADS {
        items.push(link(format!("/usr/lib/one/mads/{mad}"), PROGRAM));
    }
    items.push(schema_constants(release));
    for (driver, actions) in [
        ("tm/dummy", &["clone", "delete", "mv"][..]),
        ("vmm/dummy", &["deploy", "cancel", "shutdown"]),
        ("ipam/dummy", &IPAM_SCRIPTS),
    ] {
        for action in actions {
            items.push(script(
                &format!("/var/lib/one/remotes/{driver}/{action}"),
                asset!("remotes/driver"),
            ));
        }
    }
    for directory in ["datastores/0", "datastores/1", "datastores/2", "vms"] {
        items.push((format!("/var/lib/one/{directory}"), Item::Directory));
    }
    Package {
        name: "opennebula",
        depends: "opennebula-common, opennebula-tools, opennebula-libs, openssh-client, curl, wget, rsync, sqlite3, \
                  qemu-utils, genisoimage, iputils-arping, libcap2-bin, sudo",
        summary: "simulated OpenNebula: core daemon, drivers, remotes",
        items,
        postinst: Some(postinst(asset!("deb/opennebula.postinst"))),
    }
}

/// The script for packages with configuration, with more lines for when they are configured.
fn postinst(more: &str) -> String {
    let base = asset!("deb/etc.postinst");
    base.trim_end()
        .strip_suffix("fi")
        .map_or_else(|| base.to_owned(), |start| format!("{start}{more}fi\n"))
}

fn tools() -> Package {
    let mut items: Vec<(String, Item)> = cli::TOOLS
        .iter()
        .map(|tool| link(format!("/usr/bin/{tool}"), PROGRAM))
        .collect();
    items.push(text(
        "/etc/one/cli/onevm.yaml",
        "# Columns of onevm; the simulated tools have fixed ones.\n---\n",
    ));
    Package {
        name: "opennebula-tools",
        depends: "opennebula-common, opennebula-libs",
        summary: "simulated OpenNebula: command line tools",
        items,
        postinst: Some(postinst("")),
    }
}

fn server(
    package: &'static str,
    name: &str,
    summary: &'static str,
    program: &'static str,
    conf: String,
) -> Package {
    Package {
        name: package,
        depends: "opennebula-common, opennebula-libs",
        summary,
        items: vec![
            text(&format!("/usr/lib/one/{name}/{name}-server.rb"), program),
            (
                format!("/etc/one/{name}-server.conf"),
                Item::Owned(conf.into_bytes(), 0o644),
            ),
        ],
        postinst: Some(postinst("")),
    }
}

fn fireedge() -> Package {
    Package {
        name: "opennebula-fireedge",
        depends: "nodejs, opennebula-common",
        summary: "simulated OpenNebula: FireEdge",
        items: vec![
            text("/usr/lib/one/fireedge/dist/index.js", asset!("lib/fireedge.js")),
            text("/usr/lib/one/fireedge/dist/index.html", asset!("lib/index.html")),
            text(
                "/usr/lib/one/fireedge/dist/bundle.sunstone.js",
                asset!("lib/bundle.sunstone.js"),
            ),
            text(
                "/etc/one/fireedge-server.conf",
                asset!("etc/fireedge-server.conf"),
            ),
            text(
                "/etc/one/fireedge/sunstone/sunstone-server.conf",
                asset!("etc/fireedge/sunstone/sunstone-server.conf"),
            ),
            text(
                "/etc/one/fireedge/sunstone/remotes-config.yaml",
                asset!("etc/fireedge/sunstone/remotes-config.yaml"),
            ),
        ],
        postinst: Some(postinst("")),
    }
}

fn guacd() -> Package {
    Package {
        name: "opennebula-guacd",
        depends: "opennebula-common",
        summary: "simulated OpenNebula: guacd",
        items: vec![
            link("/usr/share/one/guacd/sbin/guacd".to_owned(), PROGRAM),
            text("/usr/share/one/guacd/lib/README", "Simulated: no libraries.\n"),
            text("/etc/one/guacd", asset!("etc/guacd")),
        ],
        postinst: Some(postinst("")),
    }
}

impl Package {
    /// Builds the .deb into `pool`, using `stage` for its tree.
    pub(crate) fn build(&self, release: &str, stage: &Path, pool: &Path) -> Result<(), Failed> {
        let tree = stage.join(self.name);
        let control = tree.join("DEBIAN");
        fs::create_dir_all(&control).map_err(at(&control))?;
        let mut conffiles = String::new();
        let mut files = Vec::new();
        for (path, item) in &self.items {
            let relative = path.trim_start_matches('/');
            let file = tree.join(relative);
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent).map_err(at(parent))?;
            }
            match item {
                Item::Text(content, mode) => write(&file, content.as_bytes(), *mode)?,
                Item::Owned(content, mode) => write(&file, content, *mode)?,
                Item::Directory => fs::create_dir_all(&file).map_err(at(&file))?,
                Item::Link(target) => symlink(target, &file).map_err(at(&file))?,
            }
            // dpkg takes files alone for configuration.
            if path.starts_with("/etc/") && !matches!(item, Item::Directory) {
                conffiles.push_str(path);
                conffiles.push('\n');
            } else if matches!(item, Item::Text(..) | Item::Owned(..)) {
                files.push(relative);
            }
        }
        if !files.is_empty() {
            let sums = output(Command::new("md5sum").args(&files).current_dir(&tree))?;
            write(&control.join("md5sums"), &sums, 0o644)?;
        }
        let description = format!(
            "Package: {}\nVersion: {release}-1\nArchitecture: {}\nMaintainer: OpenNebula Team <contact@opennebula.io>\n\
             Section: admin\nPriority: optional\nDepends: {}\nDescription: {}\n It stands in for the vendor's package of this name, for tests and offline machines.\n",
            self.name,
            architecture(),
            self.depends,
            self.summary
        );
        write(&control.join("control"), description.as_bytes(), 0o644)?;
        if !conffiles.is_empty() {
            write(&control.join("conffiles"), conffiles.as_bytes(), 0o644)?;
        }
        if let Some(postinst) = &self.postinst {
            write(&control.join("postinst"), postinst.as_bytes(), 0o755)?;
        }
        output(
            Command::new("dpkg-deb")
                .env("SOURCE_DATE_EPOCH", EPOCH)
                .args(["-Zgzip", "--root-owner-group", "--build"])
                .arg(&tree)
                .arg(pool),
        )?;
        Ok(())
    }
}

/// Debian's name of this machine's architecture.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Failed> {
    fs::write(path, content).map_err(at(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}
