//! The message that the pod leaves behind where Kubernetes shows it. Whoever may list pods can read it.

use std::io::Write as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::log::visible::visible;
use crate::regular::{self, Links};

/// Where Kubernetes takes the last message of a container from.
const TERMINATION_LOG: &str = "dev/termination-log";

/// Leaves the last message; elsewhere than in Kubernetes there is no such file, and none is made.
pub(super) fn leave(root: &Path, message: &str) {
    let path = root.join(TERMINATION_LOG);
    if let Ok(mut file) = regular::open_with(&path, Links::Follow, OFlags::WRONLY) {
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(visible(message).as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_message_is_only_left_where_there_is_a_file_for_it() {
        let root = TempDir::new().unwrap();
        leave(root.path(), "nobody reads this");
        assert!(!root.path().join("dev").exists());
        fs::create_dir(root.path().join("dev")).unwrap();
        fs::write(root.path().join(TERMINATION_LOG), "an earlier and longer one").unwrap();
        leave(root.path(), "the last");
        assert_eq!(
            fs::read_to_string(root.path().join(TERMINATION_LOG)).unwrap(),
            "the last"
        );
    }
}
