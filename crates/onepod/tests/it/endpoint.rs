//! The endpoint and the verbs that ask it.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getuid, kill_process};

use crate::pod::{PATIENCE, Pod, Process, Services, until};

/// A verb against a pod, its standard output and error going to one file.
fn verb(pod: &Pod, arguments: &[&str], output: &str) -> Process {
    let output = fs::File::create(pod.path(output)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepod"));
    command
        .args(arguments)
        .env_clear()
        .env("ONEPOD_LISTEN", pod.listen.to_string())
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    Process::start(&mut command).0
}

/// Runs a verb against a pod: exit code, standard output and error.
fn ask(pod: &Pod, arguments: &[&str]) -> (i32, String) {
    let mut process = verb(pod, arguments, "asked");
    (
        until("the verb's end", || process.exit()),
        fs::read_to_string(pod.path("asked")).unwrap(),
    )
}

/// Runs a verb that speaks through the control socket.
pub(crate) fn control(pod: &Pod, arguments: &[&str]) -> (i32, String) {
    let root = pod.path("").display().to_string();
    ask(pod, &[arguments, &["--root", &root]].concat())
}

#[test]
fn verbs_ask_the_running_pod() {
    let pod = Services::new()
        .good("a", "essential = true")
        .script(
            "slow",
            "until [ -e go ]; do sleep 0.05; done; touch ready-$NAME; sleep 1000",
            "",
        )
        .start();
    pod.until_ok("/readyz");
    assert_eq!(ask(&pod, &["probe", "live"]), (0, "alive\n".to_owned()));
    assert_eq!(ask(&pod, &["probe", "ready"]), (0, "ready\n".to_owned()));
    let (code, text) = ask(&pod, &["probe", "startup"]);
    assert!(code == 1 && text.starts_with("slow: starting: "), "{code} {text}");
    fs::write(pod.path("go"), "").unwrap();
    pod.until_ok("/startupz");
    let (code, table) = ask(&pod, &["status"]);
    assert_eq!(code, 0);
    for row in ["a        ready", "slow     ready", "supervise  done"] {
        assert!(table.contains(row), "{row:?} is missing in\n{table}");
    }
    let (_, json) = ask(&pod, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&status["phase"], &status["ready"]),
        (&"running".into(), &true.into())
    );
    let service = &status["services"][0];
    assert!(service["memory_kib"].as_u64().unwrap() > 100, "{service}");
    assert_eq!(
        (&service["name"], &service["essential"], &service["last_exit"]),
        (&"a".into(), &true.into(), &().into())
    );
    assert_eq!(pod.stop().0, 0);
}

#[test]
fn the_numbers_are_there_for_whoever_scrapes() {
    let pod = Services::new()
        .good("a", "essential = true")
        .script(
            "busy",
            "touch ready-$NAME; setsid sh -c 'while :; do :; done' & wait",
            "",
        )
        .start();
    pod.until_ok("/startupz");
    let answer = pod.ask_raw("/metrics", "");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_lowercase()
            .contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(
        text.contains("onepod_service_state{service=\"a\",state=\"ready\"} 1\n"),
        "{text}"
    );
    let value = |series: &str| -> Option<f64> {
        let (_, text) = pod.get("/metrics")?;
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    };
    // What it uses is counted also where a process has left its group, and grows.
    until("the processes of the service", || {
        value("onepod_service_processes{service=\"busy\"}").filter(|count| *count >= 2.0)
    });
    let before = value("onepod_service_cpu_seconds_total{service=\"busy\"}").unwrap();
    until("more processor time", || {
        value("onepod_service_cpu_seconds_total{service=\"busy\"}").filter(|now| *now > before + 0.05)
    });
    assert_eq!(pod.stop().0, 0);
}

#[test]
fn a_service_is_restarted_and_waited_for_and_its_failure_told() {
    let pod = Services::new()
        .good("first", "essential = true")
        .good("second", "after = [\"first\"]")
        .script(
            "fragile",
            "[ -e broken ] && { echo it is broken; exit 7; }; touch ready-$NAME; sleep 1000",
            "",
        )
        .start();
    pod.until_ok("/startupz");
    let pid = |name: &str| pod.service(name)["pid"].as_u64().unwrap();
    let (first, second) = (pid("first"), pid("second"));
    let (code, text) = control(&pod, &["restart", "first"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(&format!(
            "first: stopped (pid {first}) and started (pid {})",
            pid("first")
        )) && text.contains("first: ready again after "),
        "{text}"
    );
    // What comes after it is left alone, and nothing counts as a failure.
    assert_eq!(pid("second"), second);
    assert_eq!(pod.service("first")["state"], "ready");

    fs::write(pod.path("broken"), "").unwrap();
    let (code, text) = control(&pod, &["restart", "fragile"]);
    assert!(
        code == 1 && text.contains("fragile: not ready again after") && text.contains("it is broken"),
        "{code} {text}"
    );
    let (code, text) = control(&pod, &["restart", "fist"]);
    assert!(
        code == 64
            && text.contains("did you mean first?")
            && text.contains("there are: first, fragile, second"),
        "{code} {text}"
    );
    assert_eq!(pod.stop().0, 0);
}

#[test]
fn status_is_watched_also_without_a_terminal() {
    let pod = Services::new().good("a", "essential = true").start();
    pod.until_ok("/readyz");
    let mut watcher = verb(&pod, &["status", "--watch", "1"], "watched");
    let blocks = || {
        let text = fs::read_to_string(pod.path("watched")).unwrap();
        text.matches("OpenNebula of unknown release: ready;").count()
    };
    until("the second look", || (blocks() >= 2).then_some(()));
    watcher.signal(Signal::INT);
    assert_eq!(until("the end of the watcher", || watcher.exit()), 0);
    let text = fs::read_to_string(pod.path("watched")).unwrap();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(pod.stop().0, 0);
}

/// A verb on a terminal, its output going to a file.
fn on_a_terminal(pod: &Pod, verb: &str, variables: &[(&str, &str)], output: &str) -> Process {
    // Pseudo-terminals of its own: a machine without a usable /dev/pts, as containers may be, has none to give.
    const TERMINALS: &str = "mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts && \
        mount --bind /dev/pts/ptmx /dev/ptmx && exec script \"$@\"";
    let mut command = Command::new("unshare");
    if !getuid().is_root() {
        command.arg("--map-root-user");
    }
    let onepod = env!("CARGO_BIN_EXE_onepod");
    command
        .args(["--mount", "sh", "-c", TERMINALS, "sh"])
        .args(["--quiet", "--return", "--flush", "--command"])
        .arg(format!("exec {onepod} {verb} --listen {}", pod.listen))
        .arg("/dev/null")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm-256color")
        .envs(variables.iter().copied())
        .stdout(fs::File::create(pod.path(output)).unwrap());
    Process::start(&mut command).0
}

#[test]
fn on_a_terminal_status_has_colours_and_is_watched_in_its_place() {
    let pod = Services::new().good("a", "essential = true").start();
    pod.until_ok("/readyz");
    let shown = |file: &str| fs::read_to_string(pod.path(file)).unwrap();
    for (variables, colours) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let mut process = on_a_terminal(&pod, "status", variables, "once");
        let code = until("the verb's end", || process.exit());
        let text = shown("once");
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("SERVICE"), "{text:?}");
        assert_eq!(text.contains("\u{1b}[32mready\u{1b}[0m"), colours, "{text:?}");
        assert_eq!(text.contains('\u{1b}'), colours, "{text:?}");
    }
    let mut process = on_a_terminal(&pod, "status --watch 1", &[], "watched");
    until("two pictures", || {
        (shown("watched").matches("\u{1b}[H").count() >= 2).then_some(())
    });
    kill_process(until("the verb", || process.child()), Signal::INT).unwrap();
    assert_eq!(until("the verb's end", || process.exit()), 0);
    let text = shown("watched");
    // A screen of its own, given back at the end with the cursor, and never cleared in between.
    assert!(text.starts_with("\u{1b}[?1049h\u{1b}[?25l"), "{text:?}");
    assert!(text.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{text:?}");
    assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    assert_eq!(pod.stop().0, 0);
}

#[test]
fn logs_are_shown_by_service_and_followed() {
    let pod = Services::new()
        .script(
            "talker",
            "echo first; echo second; touch ready-$NAME; until [ -e go ]; do sleep 0.05; done; echo third; sleep 1000",
            "",
        )
        .good("quiet", "")
        .start();
    pod.until_ok("/startupz");
    // A record is complete when it is clear that no further line belongs to it.
    let text = until("both records", || {
        let (code, text) = control(&pod, &["logs", "talker"]);
        (code == 0 && text.contains("second")).then_some(text)
    });
    let messages: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(messages, ["first", "second"], "{text}");
    let (_, text) = control(&pod, &["logs", "--lines", "1", "talker"]);
    assert!(text.ends_with("second\n") && text.lines().count() == 1, "{text}");
    let (_, all) = control(&pod, &["logs"]);
    assert!(
        all.contains("second\n") && all.contains("quiet: ready after") && !all.contains("third"),
        "{all}"
    );

    let root = pod.path("").display().to_string();
    let mut follower = verb(
        &pod,
        &["logs", "-f", "-n", "1", "talker", "--root", &root],
        "followed",
    );
    let shown = || fs::read_to_string(pod.path("followed")).unwrap();
    until("the last record", || shown().contains("second").then_some(()));
    fs::write(pod.path("go"), "").unwrap();
    until("the new record", || shown().contains("third").then_some(()));
    assert!(!shown().contains("first"), "{}", shown());

    let (code, text) = control(&pod, &["logs", "taker"]);
    assert!(
        code == 64
            && text.contains("did you mean talker?")
            && text.contains("there are: onepod, quiet, talker"),
        "{code} {text}"
    );
    assert_eq!(pod.stop().0, 0);
    // It ends with the pod.
    until("the end of the follower", || follower.exit());
}

/// Health is asked of the services at onepod's own pace: nobody outside can make it ask more.
#[test]
fn however_many_ask_for_health_the_services_are_not_asked_more_often() {
    let pod = Services::new().good("a", "essential = true").start();
    pod.until_ok("/readyz");
    let probes = || -> f64 {
        let (_, text) = pod.get("/metrics").unwrap();
        let series = "onepod_probe_seconds_count{service=\"a\"} ";
        let count = text.lines().find_map(|line| line.strip_prefix(series));
        count.unwrap().parse().unwrap()
    };
    let (began, before) = (Instant::now(), probes());
    for _ in 0..300 {
        assert_eq!(pod.get("/readyz").unwrap().0, 200);
    }
    // Once in 5 s when it is essential and ready.
    let own = began.elapsed().as_secs_f64() / 5.0 + 1.0;
    assert!(
        probes() - before <= own,
        "{} probes, {own} at most",
        probes() - before
    );
    assert_eq!(pod.stop().0, 0);
}

/// Opens connections that say nothing, a new one for each that is closed, until it is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(address: SocketAddr, connections: usize) -> Self {
        let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..2)
            .map(|_| {
                let (stop, opened) = (Arc::clone(&stop), Arc::clone(&opened));
                std::thread::spawn(move || {
                    let mut open: VecDeque<TcpStream> = VecDeque::new();
                    while !stop.load(Ordering::Relaxed) {
                        if open.len() < connections / 2 {
                            if let Ok(stream) = TcpStream::connect(address) {
                                opened.fetch_add(1, Ordering::Relaxed);
                                open.push_back(stream);
                            }
                            continue;
                        }
                        // Those that were closed are replaced; the others stay.
                        open.retain(|stream| {
                            stream.set_nonblocking(true).unwrap();
                            matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
                        });
                    }
                })
            })
            .collect();
        Self {
            stop,
            opened,
            threads,
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The kubelet waits 1 s by default, and some set no more. The test's own threads compete for the same processors.
#[test]
fn probes_are_answered_at_once_under_a_flood_of_silent_connections() {
    let pod = Services::new().good("a", "essential = true").start();
    pod.until_ok("/startupz");
    let flood = Flood::start(pod.listen, 3000);
    until("the flood", || {
        (flood.opened.load(Ordering::Relaxed) > 3000).then_some(())
    });
    let mut times: Vec<Duration> = Vec::new();
    for path in ["/livez", "/readyz", "/startupz"].repeat(70) {
        let asked = Instant::now();
        assert_eq!(pod.get(path).unwrap().0, 200, "{path}");
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let opened = flood.opened.load(Ordering::Relaxed);
    println!("{opened} silent connections; answers: median {median:?}, 99 of 100 within {late:?}");
    assert!(
        median < Duration::from_millis(100) && late < Duration::from_secs(1),
        "{median:?} {late:?}"
    );
    // Pages are for when there is room; PID 1's own work goes on.
    assert_eq!(control(&pod, &["status"]).0, 0);
    drop(flood);
    pod.until_ok("/metrics");
    assert_eq!(pod.stop().0, 0);
}

/// The endpoint has a thread of its own, so it must tell when PID 1 itself is stuck; the other way round, whoever asks for
/// pages holds up nobody.
#[test]
fn whoever_asks_for_pages_holds_up_no_probe() {
    let pod = Services::new().good("a", "essential = true").start();
    pod.until_ok("/startupz");
    let stop = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, address) = (Arc::clone(&stop), pod.listen);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let _ = crate::pod::get(address, "/metrics");
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let asked = Instant::now();
        assert_eq!(pod.get("/livez").unwrap().0, 200);
        slowest = slowest.max(asked.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.join().unwrap();
    }
    println!("/livez beside /metrics: {slowest:?} at most");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert_eq!(pod.stop().0, 0);
}

#[test]
fn clients_that_say_nothing_or_too_much_do_not_silence_the_endpoint() {
    let pod = Services::new().good("a", "").start();
    pod.until_ok("/livez");
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(pod.listen).unwrap())
        .collect();
    let asked = Instant::now();
    pod.until_ok("/livez");
    let took = asked.elapsed();
    println!(
        "/livez beside {} silent connections: {:.3} s",
        silent.len(),
        took.as_secs_f64()
    );
    // Without a place being made, the answer would come when the silent ones are shut out after 5 s.
    assert!(took < Duration::from_secs(2), "{took:?}");
    drop(silent);

    let mut long = TcpStream::connect(pod.listen).unwrap();
    long.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = long.write_all(format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024)).as_bytes());
    let mut answer = Vec::new();
    let _ = long.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    pod.until_ok("/livez");
    assert_eq!(pod.stop().0, 0);
}
