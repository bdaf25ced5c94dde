//! Log lines with which a service answers our own readiness probes: there are thousands a day, and they say nothing that
//! `/status` does not. They are left out of the stream; the service's own file has them.
//!
//! Only a successful answer is left out, and only one that can be told from those to others: oned's by the form of the call
//! (no other client asks for its own user without the third parameter), those of the Ruby servers by a path of ours.

use std::collections::VecDeque;

/// The path of the Ruby servers that probes ask for (`services.toml`). The servers do not know it, which is an answer too.
/// OneGate logs an error for each GET of whatever path, so that it is asked by TRACE, which it has for none.
pub(crate) const PROBE_PATH: &str = "/onepod-readiness";

/// oned's line for the probe's call, `LOG_CALL_FORMAT` being as it is by default: until 7.0, and since 7.2.
const CALLED: [&str; 2] = [
    " IP:127.0.0.1 one.user.info invoked , -1",
    " IP:127.0.0.1 one.user.info invoked -1",
];
const ANSWERED: &str = " one.user.info result SUCCESS";
/// What comes before the number of a request in oned's log.
const REQUEST: &str = "]: Req:";

/// How many requests are waited for: oned answers them within moments, several at a time.
const REQUESTS: usize = 16;

/// Knows the lines of one source.
#[derive(Debug, Default)]
pub(crate) struct OwnProbes {
    /// Numbers of the probe's requests that oned has logged.
    requests: VecDeque<String>,
}

impl OwnProbes {
    /// Whether a line is the answer to a probe of ours.
    pub(crate) fn answers(&mut self, line: &[u8]) -> bool {
        // Most lines are of something else: a look at a few bytes tells.
        let Ok(line) = std::str::from_utf8(line) else {
            return false;
        };
        self.is_call(line) || is_request(line)
    }

    fn is_call(&mut self, line: &str) -> bool {
        let Some(rest) = behind(line, REQUEST) else {
            return false;
        };
        let Some((request, what)) = rest.split_once(" UID:") else {
            return false;
        };
        let what = what.trim_start_matches(|next: char| next.is_ascii_digit());
        if CALLED.contains(&what) {
            if !self.requests.iter().any(|known| known == request) {
                self.requests.truncate(REQUESTS - 1);
                self.requests.push_front(request.to_owned());
            }
            return true;
        }
        what.starts_with(ANSWERED) && self.requests.iter().any(|known| known == request)
    }
}

/// What stands behind the first `mark`, which begins with the bracket that ends a logger's own fields. It is asked twice of every line,
/// and most have few brackets.
fn behind<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    memchr::memchr_iter(b']', line.as_bytes()).find_map(|place| line.get(place..)?.strip_prefix(mark))
}

/// A line of `Rack::CommonLogger`, in the frame of the server's own logger.
fn is_request(line: &str) -> bool {
    let Some(request) = behind(line, "]: 127.0.0.1 - - [") else {
        return false;
    };
    let asked = request.split_once("] \"").map(|(_, rest)| rest);
    let asked = asked.and_then(|rest| rest.strip_prefix("GET ").or_else(|| rest.strip_prefix("TRACE ")));
    asked.is_some_and(|rest| {
        rest.strip_prefix(PROBE_PATH)
            .is_some_and(|rest| rest.starts_with(" HTTP/1.1\" 4"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out<'a>(lines: &[&'a str]) -> Vec<&'a str> {
        let mut probes = OwnProbes::default();
        lines
            .iter()
            .copied()
            .filter(|line| probes.answers(line.as_bytes()))
            .collect()
    }

    #[test]
    fn oned_s_lines_of_our_call_are_known_by_their_form() {
        let called =
            "Mon Nov 30 21:51:06 2026 [Z0][ReM][D]: Req:6352 UID:0 IP:127.0.0.1 one.user.info invoked , -1";
        let of_7_2 =
            "Tue Dec  1 14:43:14 2026 [Z0][ReM][D]: Req:8534 UID:0 IP:127.0.0.1 one.user.info invoked -1";
        assert_eq!(left_out(&[of_7_2]), [of_7_2]);
        let answered = "Mon Nov 30 21:51:06 2026 [Z0][ReM][D]: Req:6352 UID:0 one.user.info result SUCCESS, \"<USER><ID>0</ID><GID...\"";
        assert_eq!(left_out(&[called, answered]), [called, answered]);
        for other in [
            answered,
            "Mon Nov 30 21:51:06 2026 [Z0][ReM][D]: Req:1 UID:0 IP:127.0.0.1 one.user.info invoked , -1, false",
            "Tue Dec  1 14:43:14 2026 [Z0][ReM][D]: Req:1 UID:0 IP:127.0.0.1 one.user.info invoked -1, 0",
            "Mon Nov 30 21:51:06 2026 [Z0][ReM][D]: Req:1 UID:0 IP:10.0.0.7 one.user.info invoked , -1",
            "Mon Nov 30 21:51:06 2026 [Z0][ReM][D]: Req:1 UID:0 IP:127.0.0.1 one.user.info invoked , 0",
            "Mon Nov 30 21:51:06 2026 [Z0][ReM][E]: Req:1 UID:- one.user.info result FAILURE [one.user.info] User couldn't be authenticated",
        ] {
            assert!(left_out(&[other]).is_empty(), "{other}");
        }
        let failed = "Mon Nov 30 21:51:06 2026 [Z0][ReM][E]: Req:6352 UID:0 one.user.info result FAILURE [one.user.info] x";
        assert_eq!(left_out(&[called, failed]), [called], "a failure is told");
    }

    #[test]
    fn requests_of_others_are_told() {
        for (line, ours) in [
            (
                "Mon Nov 30 21:51:06 2026 [I]: 127.0.0.1 - - [30/Nov/2026:21:51:06 +0000] \"GET /onepod-readiness HTTP/1.1\" 404 18 0.0012",
                true,
            ),
            (
                "Mon Nov 30 21:51:06 2026 [I] [LOG]: 127.0.0.1 - - [30/Nov/2026:21:51:06 +0000] \"GET /onepod-readiness HTTP/1.1\" 401 - 0.0012",
                true,
            ),
            (
                "Mon Nov 30 21:51:06 2026 [I]: 127.0.0.1 - - [30/Nov/2026:21:51:06 +0000] \"TRACE /onepod-readiness HTTP/1.1\" 404 18 0.0005",
                true,
            ),
            (
                "Mon Nov 30 21:51:06 2026 [I]: 127.0.0.1 - - [30/Nov/2026:21:51:06 +0000] \"GET /onepod-readiness HTTP/1.1\" 500 18 0.0012",
                false,
            ),
            (
                "Mon Nov 30 21:51:06 2026 [I]: 10.0.0.7 - - [30/Nov/2026:21:51:06 +0000] \"GET /onepod-readiness HTTP/1.1\" 404 18 0.0012",
                false,
            ),
            (
                "Mon Nov 30 21:51:06 2026 [I]: 127.0.0.1 - - [30/Nov/2026:21:51:06 +0000] \"GET / HTTP/1.1\" 401 14 0.0012",
                false,
            ),
            (
                "Mon Nov 30 21:51:06 2026 [E]: X_ONEGATE_TOKEN header not preset",
                false,
            ),
        ] {
            assert_eq!(!left_out(&[line]).is_empty(), ours, "{line}");
        }
    }

    #[test]
    fn the_services_file_asks_for_the_path() {
        let services = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../image/services.toml"));
        for port in [2474, 5030, 13013, 10780] {
            let readiness = format!("readiness = {{ http = \"http://127.0.0.1:{port}{PROBE_PATH}\"");
            assert!(services.contains(&readiness), "{readiness}");
        }
    }
}
