//! One setting of oned.conf changed: read, parse, change, write.

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use oned_conf::Document;

use super::Bench;
use crate::process::repeatedly;
use crate::stats::{median, percentile};
use crate::table::{Line, Table};

const TIMES: usize = 1000;
/// The size of the vendor's oned.conf, in bytes.
const SIZE: usize = 56 * 1024;

/// The time of one change in a file of the vendor's size.
pub(super) fn measure(_: &Bench) -> Result<Vec<Table>> {
    let text = front_end_configuration()?;
    let mut times = Vec::with_capacity(TIMES);
    for number in 0..TIMES {
        let began = Instant::now();
        let mut document = Document::parse(&text)?;
        document.set("PORT", &number.to_string())?;
        black_box(document.to_string());
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let file = tempfile::NamedTempFile::new().context("a file")?;
    std::fs::write(file.path(), &text)?;
    let sed = repeatedly(50, || {
        let mut command = Command::new("sed");
        command.args(["-e", "s/^PORT .*/PORT = 7/"]).arg(file.path());
        command
    })?;
    Ok(vec![Table {
        title: format!("One change of a {} kB oned.conf", text.len() / 1024),
        method: format!(
            "Parse, change, print; median of {TIMES}. sed, which the earlier image used, costs a process."
        ),
        unit: "ms",
        goal: Some("≤ 1 ms".to_owned()),
        lines: vec![
            Line::new(
                "onepod",
                median(&times),
                format!("p99 {:.3}", percentile(&times, 99)),
            ),
            Line::new("sed", sed.wall_ms, "mean of 50; knows nothing of the grammar"),
        ],
    }])
}

/// A text of the vendor's size and shape: comments, single values, vectors.
fn front_end_configuration() -> Result<String> {
    let mut text = "PORT = 2633\nDB = [ BACKEND = \"sqlite\", TIMEOUT = 2500 ]\n".to_owned();
    let mut number = 0;
    while text.len() < SIZE {
        number += 1;
        write!(
            text,
            "#*******************************************************************************\n\
             # Driver {number}: what it is for and which of its arguments may be changed.\n\
             #*******************************************************************************\n\
             VALUE_{number} = \"some value\"\n\
             VM_MAD = [\n    NAME = \"driver{number}\",\n    EXECUTABLE = \"one_vmm_exec\",\n    ARGUMENTS = \"-t 15 -r 0 kvm\"\n]\n\n"
        )?;
    }
    Ok(text)
}
