//! A listener in the place of guacd: `guacd -f -b ADDRESS -l PORT`. It accepts and closes connections and
//! speaks no protocol.

use std::net::TcpListener;

/// The program `guacd`.
#[expect(clippy::print_stderr, reason = "the daemon's log in the foreground")]
pub(crate) fn main(arguments: &[String]) -> u8 {
    let option = |flag: &str, default: &str| {
        let at = arguments.iter().position(|a| a == flag);
        at.and_then(|i| arguments.get(i + 1))
            .cloned()
            .unwrap_or_else(|| default.to_owned())
    };
    let address = option("-b", "127.0.0.1");
    let Ok(port) = option("-l", "4822").parse::<u16>() else {
        return 1;
    };
    let listener = match TcpListener::bind((address.as_str(), port)) {
        Ok(listener) => listener,
        Err(why) => {
            eprintln!(
                "guacd[{}]: ERROR: Unable to bind to {address}, port {port}: {why}",
                std::process::id()
            );
            return 1;
        }
    };
    eprintln!(
        "guacd[{}]: INFO: Listening on host {address}, port {port}",
        std::process::id()
    );
    for stream in listener.incoming().flatten() {
        drop(stream);
    }
    0
}
