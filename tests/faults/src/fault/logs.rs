//! More lines than anybody reads, and the few that are written while nothing happens.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use faults::wait::pause;
use faults::world::World;

/// For so long nobody reads.
const STUCK: Duration = Duration::from_secs(8);
/// A service that writes 10,000 lines in each second: 500 every 50 ms, and what it is at into a file.
const NOISE: &str = r#"
[services.noise]
command = ["/usr/bin/perl", "/usr/local/bin/noise"]
"#;
const NOISE_PROGRAM: &str = r#"use Time::HiRes qw(time sleep);
$| = 0;
my ($n, $next) = (0, time);
while (1) {
    print "noise line ", $n++, "\n" for 1 .. 500;
    STDOUT->flush;
    open my $f, '>', '/tmp/noise.new' or die; print $f $n; close $f; rename '/tmp/noise.new', '/tmp/noise';
    $next += 0.05; my $left = $next - time; sleep $left if $left > 0;
}
"#;

/// Longer than two intervals between probes of a service that is not essential.
const IDLE: Duration = Duration::from_secs(40);
/// What only a probe of ours makes the services write: the path of the Ruby servers, and oned's line of the call, until 7.0 and
/// since 7.2.
const PATH: &str = "/onepod-readiness";
const CALLS: [&str; 2] = ["one.user.info invoked , -1\n", "one.user.info invoked -1\n"];
/// How errors of OneGate are told: it has one for a request without a token, and one for a path that it does not know.
const ERRORS_OF_ONEGATE: &str = "ERROR onegate";

/// Nobody does anything.
pub(super) fn idle(world: &mut World) -> Result<String> {
    let mut front_end = world.start()?;
    front_end.started()?;
    let before = front_end.written().len();
    pause(IDLE);
    let written = front_end.written();
    let said = written.get(before..).unwrap_or_default();
    for word in [PATH, ERRORS_OF_ONEGATE].iter().chain(&CALLS) {
        ensure!(
            !said.contains(word),
            "\"{}\" is in the stream: {said}",
            word.trim()
        );
    }
    let (mut asked, mut lines) = (Vec::new(), 0);
    let servers = [("oneflow", &[PATH][..]), ("onegate", &[PATH]), ("oned", &CALLS)];
    for (name, words) in servers {
        let file = world.pod.path("log").join(format!("{name}.log"));
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        lines = words.iter().map(|word| text.matches(word).count()).sum();
        ensure!(lines > 0, "{name} was not asked, or says so in another way");
        asked.push(name);
    }
    front_end.stop()?;
    Ok(format!(
        "{} lines in {} s; {} answered probes into their files, oned {lines} times",
        said.lines().count(),
        IDLE.as_secs(),
        asked.join(", ")
    ))
}

/// A service writes 10,000 lines a second and nobody reads the container's output for a while.
pub(super) fn stuck_reader(world: &mut World) -> Result<String> {
    let services = world.image.read("usr/share/onepod/services.toml")?;
    world.image.write("usr/local/bin/noise", NOISE_PROGRAM, 0o755)?;
    let readiness = "readiness = { file = \"/tmp/noise\" }\n";
    world.image.write(
        "usr/share/onepod/services.toml",
        &format!("{services}\n{NOISE}{readiness}"),
        0o644,
    )?;
    let mut front_end = world.start_into_pipe()?;
    let output = front_end.output().context("no pipe")?;
    front_end.started()?;
    let kept = world.furnish()?;
    let written = |world: &World| -> Result<u64> {
        Ok(fs::read_to_string(world.pod.path("tmp/noise"))?.trim().parse()?)
    };
    let (before, start) = (written(world)?, Instant::now());
    let mut slowest = Duration::ZERO;
    while start.elapsed() < STUCK {
        let call = Instant::now();
        world.check_database(&kept)?;
        let (alive, _) = front_end.get("/livez")?;
        ensure!(alive == 200, "/livez {alive}");
        slowest = slowest.max(call.elapsed());
        pause(Duration::from_millis(250));
    }
    let rate = (written(world)? - before) * 1000 / u64::try_from(start.elapsed().as_millis())?;
    ensure!(
        rate >= 9_000,
        "the service was held up: it wrote {rate} lines/s of 10,000"
    );
    let dropped = front_end.status()?["log_lines_dropped"]
        .as_u64()
        .unwrap_or_default();
    ensure!(dropped > 10_000, "only {dropped} lines were counted as lost");
    // Now somebody reads again, to the end.
    let reader = std::thread::spawn(move || {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let (mut noise, mut losses) = (0_u64, 0_u64);
        lines.by_ref().for_each(|line| {
            noise += u64::from(line.contains("noise line "));
            losses += u64::from(line.contains("lost") || line.contains("dropped"));
        });
        (noise, losses)
    });
    pause(Duration::from_secs(1));
    world.check(&kept)?;
    front_end.stop()?;
    let total = written(world)?;
    let (noise, losses) = reader.join().map_err(|_| anyhow::anyhow!("the reader ended"))?;
    ensure!(losses > 0, "no line tells of the loss");
    ensure!(noise < total, "nothing was lost, so the reader was not stuck");
    Ok(format!(
        "{rate} lines/s written while nobody read for {} s; slowest call {:.2} s; {dropped} lost and counted; {noise} of {total} read afterwards; same data",
        STUCK.as_secs(),
        slowest.as_secs_f64()
    ))
}
