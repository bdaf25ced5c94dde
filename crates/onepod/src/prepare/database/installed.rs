//! Which schema the installed OpenNebula needs, and which way its migrators go, read from the vendor's own files.
//!
//! No release is known here: a new one brings its number and its migrators along.

use std::fs;
use std::path::{Path, PathBuf};

use super::schema::{Version, Versions};
use crate::paths::Paths;

/// The vendor's migration tool (7.0.2 to 7.4.0: `/usr/lib/one/ruby/onedb`).
fn home(paths: &Paths) -> PathBuf {
    paths.root().join("usr/lib/one/ruby/onedb")
}

/// The versions that the installed OpenNebula needs; the error is a sentence for people.
///
/// They are constants of the file that `onedb` itself takes them from.
pub(crate) fn needed(paths: &Paths) -> Result<Versions, String> {
    let path = home(paths).join("database_schema.rb");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let constant = |name: &str| {
        assigned(&text, name)
            .map(Version::new)
            .ok_or_else(|| format!("{} does not say {name}", path.display()))
    };
    Ok(Versions {
        shared: constant("LATEST_DB_VERSION")?,
        local: constant("LATEST_LOCAL_DB_VERSION")?,
    })
}

/// The text between quotes that a line gives to a constant.
fn assigned<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let value = line
            .trim_start()
            .strip_prefix(name)?
            .trim_start()
            .strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        value.get(1..)?.split(quote).next()
    })
}

/// The version at which the migrators end on their way from one to another; `None` when they get there, or when it
/// cannot be seen which there are.
pub(crate) fn gap(paths: &Paths, found: &Versions, needed: &Versions) -> Option<Version> {
    let ends = |part: &str, from: &Version, to: &Version| {
        let steps = steps(&home(paths).join(part))?;
        let mut at = from.clone();
        while at < *to {
            match steps.iter().find(|(from, to)| *from == at && *to > at) {
                Some((_, next)) => at = next.clone(),
                None => return Some(at),
            }
        }
        None
    };
    ends("shared", &found.shared, &needed.shared).or_else(|| ends("local", &found.local, &needed.local))
}

/// Every `FROM_to_TO.rb` or `.rbm` of a directory.
fn steps(directory: &Path) -> Option<Vec<(Version, Version)>> {
    let steps: Vec<_> = fs::read_dir(directory)
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".rb").or_else(|| name.strip_suffix(".rbm"))?;
            let (from, to) = name.split_once("_to_")?;
            Some((Version::new(from), Version::new(to)))
        })
        .collect();
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn image(constants: &str, migrators: &[&str]) -> (TempDir, Paths) {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        for part in ["local", "shared"] {
            fs::create_dir_all(home(&paths).join(part)).unwrap();
            for name in migrators {
                fs::write(home(&paths).join(part).join(name), "").unwrap();
            }
        }
        fs::write(home(&paths).join("database_schema.rb"), constants).unwrap();
        (dir, paths)
    }

    fn versions(text: &str) -> Versions {
        Versions {
            shared: Version::new(text),
            local: Version::new(text),
        }
    }

    #[test]
    fn the_schema_is_what_onedb_takes_it_for() {
        let text = "class OneDBBacKEnd\n    LATEST_DB_VERSION = '7.2.0'\n    LATEST_LOCAL_DB_VERSION = \"7.3.80\"\n\n    version = LATEST_DB_VERSION\n";
        let (_dir, paths) = image(text, &[]);
        let needed = needed(&paths).unwrap();
        assert_eq!(
            (needed.shared.to_string(), needed.local.to_string()),
            ("7.2.0".to_owned(), "7.3.80".to_owned())
        );
    }

    #[test]
    fn an_image_that_does_not_say_it_is_named() {
        let (_dir, paths) = image("LATEST_DB_VERSION = nil\n", &[]);
        assert!(needed(&paths).unwrap_err().contains("LATEST_DB_VERSION"));
        let nowhere = Paths::new("/nowhere");
        assert!(needed(&nowhere).unwrap_err().contains("onedb/database_schema.rb"));
    }

    #[test]
    fn a_missing_migrator_is_found_before_anything_is_changed() {
        let (_dir, paths) = image("", &["6.10.0_to_7.0.0.rb", "7.0.0_to_7.2.0.rbm", "README"]);
        let gap = |from: &str| gap(&paths, &versions(from), &versions("7.2.0"));
        assert_eq!(gap("6.10.0"), None);
        assert_eq!(gap("7.2.0"), None);
        assert_eq!(gap("6.4.0"), Some(Version::new("6.4.0")));
        assert_eq!(
            super::gap(&paths, &versions("7.0.0"), &versions("7.4.0")),
            Some(Version::new("7.2.0"))
        );
        // Where nothing can be seen, the tool itself says what it misses.
        let (_dir, empty) = image("", &[]);
        assert_eq!(super::gap(&empty, &versions("1.0"), &versions("7.2.0")), None);
    }
}
