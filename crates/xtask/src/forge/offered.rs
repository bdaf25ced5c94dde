//! What the distribution offers a published image now: apt is asked in a container of the image itself, so that its own
//! sources count. `release needs-rebuild` judges the answer.

use anyhow::Result;

use crate::sh::cmd;

/// The lists are fetched anew, and one source that fails is a failure: a list that is not whole would say "nothing new".
const SCRIPT: &str = "apt-get -o APT::Update::Error-Mode=any -o APT::Sandbox::User=root update >&2 && exec apt-cache dumpavail";

/// The packages, in the form of an apt repository's list. The container is gone afterwards.
pub(crate) fn offered(image: &str) -> Result<String> {
    cmd("docker")
        .args([
            "run",
            "--rm",
            "--user",
            "0:0",
            "--entrypoint",
            "/bin/sh",
            image,
            "-c",
            SCRIPT,
        ])
        .read()
}
