//! The vendor's files where a mount, a value or a file of a user may meet them: their places and modes, with a line of ours
//! in each. `assets/places` lists them. What the simulation itself reads is in `contents`, and wins.

/// The list.
const LIST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/places"));

const PROGRAM: &str =
    "#!/bin/sh\n# Simulated: the place of a program of the vendor's, which has nothing to do.\nexit 0\n";
const RUBY: &str = "# Simulated: the place of a library of the vendor's.\n";
const YAML: &str = "# Simulated: the place of a configuration of the vendor's.\n---\n{}\n";
const TEXT: &str = "# Simulated: the place of a configuration of the vendor's.\n";

/// One file.
pub(super) struct PlacedFile {
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: &'static str,
}

/// Those of a release. What came with 7.4 is not in earlier ones; nothing has gone since 7.0.
pub(super) fn of(release: &str) -> impl Iterator<Item = PlacedFile> {
    let newest = release.starts_with("7.4.");
    LIST.lines()
        .filter(move |line| line.starts_with("7.0 ") || newest && line.starts_with("7.4 "))
        .flat_map(|line| {
            let mut words = line.split(' ').skip(1);
            let is_program = words.next() == Some("x");
            let folder = words.next().unwrap_or_default();
            words.map(move |name| file(folder, name, is_program))
        })
}

fn file(folder: &str, name: &str, is_program: bool) -> PlacedFile {
    let content = match name.rsplit_once('.') {
        _ if is_program => PROGRAM,
        _ if folder == "/etc/one/auth" => YAML,
        Some((_, "yaml")) => YAML,
        Some((_, "rb")) => RUBY,
        _ => TEXT,
    };
    PlacedFile {
        path: format!("{folder}/{name}"),
        mode: if is_program { 0o755 } else { 0o644 },
        content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_release_a_kind_a_folder_and_names() {
        for line in LIST.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(
                ["7.0", "7.4"].contains(&words[0]) && ["x", "-"].contains(&words[1]),
                "{line}"
            );
            assert!(words[2].starts_with('/') && words.len() > 3, "{line}");
            assert!(!words.iter().any(|word| word.is_empty()), "{line}");
        }
        let paths: Vec<String> = of("7.0.0").map(|place| place.path).collect();
        for path in [
            "/etc/one/auth/ldap_auth.conf",
            "/etc/one/vmm_exec/vmm_execrc",
            "/etc/one/fireedge/sunstone/views/admin/vm-tab.yaml",
            "/var/lib/one/remotes/hooks/ft/host_error.rb",
            "/var/lib/one/remotes/etc/datastore/ceph/ceph.conf",
        ] {
            assert!(paths.iter().any(|place| place == path), "{path}");
        }
        assert!(!paths.iter().any(|path| path.contains("oneks")));
        assert!(of("7.4.0").any(|place| place.path.ends_with("views/admin/oneks-tab.yaml")));
    }
}
