//! An image in a directory, with programs that can be started and programs that cannot.

use std::fs::Permissions;

use tempfile::TempDir;

use crate::supervisor::config::Config;

use super::*;

struct Image(TempDir);

impl Image {
    fn new() -> Self {
        let image = Self(TempDir::new().unwrap());
        image.file("/bin/sh", "\x7fELF", 0o755);
        image.file("/usr/bin/env", "\x7fELF", 0o755);
        image.file("/usr/bin/ruby", "\x7fELF", 0o755);
        image
    }

    fn file(&self, path: &str, content: &str, mode: u32) {
        let path = below(self.0.path(), Path::new(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    /// What is wrong with one task of this command.
    fn complaints(&self, command: &[&str], more: &str) -> Vec<String> {
        let text = format!("[tasks.a]\ncommand = {command:?}\n{more}\n");
        let config = Config::parse(Path::new("services.toml"), &text).unwrap();
        config.verify(self.0.path())
    }
}

#[test]
fn what_can_be_started_passes() {
    let image = Image::new();
    image.file("/usr/lib/one/a.rb", "puts 1", 0o644);
    image.file("/usr/bin/script", "#! /bin/sh -e\necho", 0o755);
    image.file("/usr/bin/of-env", "#!/usr/bin/env -S ruby -w\nputs", 0o755);
    for command in [
        &["/usr/bin/ruby", "/usr/lib/one/a.rb", "/run/made/later", "-x"][..],
        &["/usr/bin/script"],
        &["/usr/bin/of-env"],
    ] {
        assert_eq!(image.complaints(command, ""), Vec::<String>::new(), "{command:?}");
    }
    assert_eq!(
        image.complaints(&["/usr/bin/none"], "installed = \"/usr/bin/none\""),
        Vec::<String>::new(),
        "what is not installed is not looked at"
    );
}

#[test]
fn what_cannot_be_started_is_named_with_the_reason() {
    let image = Image::new();
    image.file("/usr/bin/plain", "text", 0o644);
    image.file("/usr/bin/no-interpreter", "#!/usr/bin/python\n", 0o755);
    image.file("/usr/bin/no-node", "#!/usr/bin/env node\n", 0o755);
    image.file("/opt/bin/node", "\x7fELF", 0o755);
    fs::create_dir_all(image.0.path().join("usr/bin/directory")).unwrap();
    for (command, complaint) in [
        (&["/usr/bin/none"][..], "a: /usr/bin/none: there is no such file"),
        (&["/usr/bin/plain"], "a: /usr/bin/plain: may not be executed"),
        (
            &["/usr/bin/directory"],
            "a: /usr/bin/directory: may not be executed",
        ),
        (
            &["/usr/bin/no-interpreter"],
            "a: /usr/bin/no-interpreter: its interpreter /usr/bin/python: there is no such file",
        ),
        (
            &["/usr/bin/ruby", "/usr/lib/one/none.rb"],
            "a: /usr/lib/one/none.rb: there is no such file",
        ),
    ] {
        assert_eq!(image.complaints(command, ""), [complaint]);
    }
    let complaint = image.complaints(&["/usr/bin/no-node"], "");
    assert!(
        complaint[0].starts_with("a: /usr/bin/no-node: its interpreter node: not found in /usr/local/sbin:"),
        "{complaint:?}"
    );
    assert_eq!(
        image.complaints(&["/usr/bin/no-node"], "environment = { PATH = \"/opt/bin\" }"),
        Vec::<String>::new()
    );
}
