//! `onesim package --release X.Y.Z --out DIR`: the simulated software as .debs in a signed apt repository.
//!
//! Names, paths, users and commands are the vendor's as far as they are known; contents are ours. The
//! signing key is made for this repository and thrown away. Needs dpkg-deb, md5sum, gpg and gzip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod contents;
mod places;
mod repository;

/// Why packaging stopped.
pub(crate) type Failed = String;

#[derive(Debug)]
struct Options {
    releases: Vec<String>,
    out: PathBuf,
    time_scale: Option<String>,
}

/// The program `onesim package`.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
pub(crate) fn main(arguments: &[String]) -> u8 {
    let done = options(arguments).and_then(|options| run(&options));
    match done {
        Ok(lines) => {
            for line in lines {
                println!("{line}");
            }
            0
        }
        Err(why) => {
            eprintln!("onesim package: {why}");
            1
        }
    }
}

fn options(arguments: &[String]) -> Result<Options, Failed> {
    let usage = "usage: onesim package --release X.Y.Z [--release …] --out DIR [--time-scale FACTOR]";
    let mut options = Options {
        releases: Vec::new(),
        out: PathBuf::new(),
        time_scale: None,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| usage.to_owned())?.clone();
        match name.as_str() {
            "--release" => options.releases.push(value),
            "--out" => options.out = PathBuf::from(value),
            "--time-scale" => options.time_scale = Some(value),
            _ => return Err(usage.to_owned()),
        }
    }
    if options.releases.is_empty() || options.out.as_os_str().is_empty() {
        return Err(usage.to_owned());
    }
    Ok(options)
}

fn run(options: &Options) -> Result<Vec<String>, Failed> {
    let mut said = Vec::new();
    let keys = repository::Keys::make()?;
    for release in &options.releases {
        let root = options.out.join("repo").join(release).join("Ubuntu/24.04");
        let pool = root.join("pool/opennebula");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&pool).map_err(at(&pool))?;
        let stage = options.out.join("stage").join(release);
        let _ = fs::remove_dir_all(&stage);
        let packages = contents::packages(release, options.time_scale.as_deref())?;
        for package in &packages {
            package.build(release, &stage, &pool)?;
        }
        let _ = fs::remove_dir_all(&stage);
        repository::index(&root, &keys)?;
        said.push(format!(
            "{} packages of release {release} in {}",
            packages.len(),
            root.display()
        ));
    }
    let key = options.out.join("repo/repo2.key");
    keys.export(&key)?;
    said.push(format!("signed by {}", key.display()));
    let _ = fs::remove_dir(options.out.join("stage"));
    Ok(said)
}

/// An error with the path that it happened at.
pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Failed {
    move |error| format!("{}: {error}", path.display())
}

/// Runs a program to its end; its output, or what it said on stderr.
#[expect(
    clippy::disallowed_methods,
    reason = "packaging runs dpkg-deb, md5sum, gpg and gzip"
)]
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Failed> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command
        .output()
        .map_err(|e| format!("cannot run {name}: {e} (apt-get install dpkg gnupg gzip)"))?;
    if done.status.success() {
        Ok(done.stdout)
    } else {
        Err(format!(
            "{name} failed: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        ))
    }
}
