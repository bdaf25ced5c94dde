//! The ports of the image's configuration beside those on which a started container can be reached.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use faults::wait::{Look, until};

use super::Seen;
use super::sockets::{self, Ports};
use crate::context::Context;
use crate::findings::Findings;
use crate::release::Release;
use crate::stand::{self, Stand};

/// oned's API over gRPC. One Dockerfile exposes the ports of all lines.
const GRPC: &str = "2634/tcp";
/// A service that is ready listens; what its drivers open later is awaited this long.
const LATER: Duration = Duration::from_secs(20);

pub(super) fn run(context: &Context, stand: &mut Stand) -> Result<Seen> {
    let mut container = stand.start()?;
    stand::services(&mut container, context.release)?;
    let exposed: BTreeSet<&str> = context
        .config
        .exposed()
        .filter(|port| *port != GRPC || context.release >= Release::GRPC)
        .collect();
    let ephemeral = sockets::first_ephemeral()?;
    let mut last = Compared::default();
    // What is still missing at the end is told below, with the rest.
    let _ = until("every exposed port", LATER, || {
        let open = sockets::reachable()?;
        last = compare(&exposed, &open, ephemeral);
        last.holders = last
            .unexposed
            .iter()
            .map(|port| format!("{port} ({})", sockets::holders(&open[port])))
            .collect();
        Ok(if last.silent.is_empty() {
            Look::Seen(())
        } else {
            Look::NotYet(String::new())
        })
    });
    container.stop()?;
    let mut findings = Findings::default();
    for port in last.holders {
        findings.one_of("it listens and the image does not expose", port);
    }
    for port in last.silent {
        findings.one_of("exposed, and nobody listens", port);
    }
    let aside = match &last.ephemeral[..] {
        [] => String::new(),
        ports => format!("; without a port of their own: {}", ports.join(", ")),
    };
    let all: Vec<&str> = exposed.into_iter().collect();
    findings
        .or(format!("it listens on {}{aside}", all.join(", ")))
        .map(Seen::from)
}

/// How what is exposed and what is open differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Compared {
    unexposed: Vec<String>,
    /// The same with the programs that listen.
    holders: Vec<String>,
    silent: Vec<String>,
    /// UDP sockets that only send: the kernel gave them a port when they did.
    ephemeral: Vec<String>,
}

fn compare(exposed: &BTreeSet<&str>, open: &Ports, first_ephemeral: u16) -> Compared {
    let only_sends = |port: &str| {
        let number = port.strip_suffix("/udp").and_then(|number| number.parse().ok());
        number.is_some_and(|number: u16| number >= first_ephemeral)
    };
    let others = open.keys().filter(|port| !exposed.contains(port.as_str()));
    let (ephemeral, unexposed) = others.cloned().partition(|port| only_sends(port));
    let silent = exposed.iter().filter(|port| !open.contains_key(**port));
    Compared {
        unexposed,
        holders: Vec::new(),
        silent: silent.map(|port| (*port).to_owned()).collect(),
        ephemeral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_being_different_are_told() {
        let open: Ports = ["2633/tcp", "8080/tcp", "4124/udp", "40000/udp", "40000/tcp"]
            .iter()
            .map(|port| ((*port).to_owned(), BTreeSet::new()))
            .collect();
        let exposed = ["2633/tcp", "4124/udp", "4124/tcp"].into();
        assert_eq!(
            compare(&exposed, &open, 32768),
            Compared {
                unexposed: vec!["40000/tcp".to_owned(), "8080/tcp".to_owned()],
                silent: vec!["4124/tcp".to_owned()],
                ephemeral: vec!["40000/udp".to_owned()],
                ..Compared::default()
            }
        );
    }
}
