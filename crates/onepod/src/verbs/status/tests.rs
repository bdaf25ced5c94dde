//! The tables of a pod in which everything occurs, and of one that has only begun.

use super::*;

const NOW: &str = "2026-11-23T17:02:45Z";

fn status() -> Status {
    serde_json::from_str(include_str!("../../../tests/data/status.json")).unwrap()
}

fn tables(status: &Status, width: Option<usize>, colour: bool) -> String {
    tables::all(status, NOW.parse().unwrap(), View { width, colour })
}

#[test]
fn everything() {
    insta::assert_snapshot!(tables(&status(), None, false), @r#"
    OpenNebula 7.4.0: ready; onepod 0.4.0, up 3h2m

    SERVICE    STATE    SINCE  RESTARTS  MEMORY   CPU     PID  REMARK
    ssh-agent  ready    3h2m   0         4 MiB    0.0 s   27   -
    guacd      ready    3h2m   0         14 MiB   0.0 s   34   -
    sshd       ready    3h2m   0         7 MiB    0.1 s   48   -
    oned       ready    3h2m   0         179 MiB  92.4 s  55   -
    onehem     ready    3h2m   0         60 MiB   3.1 s   69   -
    oneflow    ready    3h2m   0         96 MiB   5.2 s   76   -
    onegate    backoff  4s     5         -        4.4 s   -    exit code 1 after 2.104 s; its last line: Address already in use - bind(2) for "0.0.0.0" port 5030 (Errno::EADDRINUSE)
    oneform    ready    3h2m   0         86 MiB   4.0 s   90   -
    oneks      off      3h2m   0         -        -       -    -
    fireedge   ready    3h2m   1         236 MiB  12.7 s  104  last run: killed by SIGKILL after 51.220 s

    TASK         STATE  SINCE  FAILURES  REMARK
    ssh-add      done   3h2m   0         -
    credentials  done   3h2m   0         -

    TIMER              NEXT RUN  SCHEDULE           RUNS  FAILED  LAST RUN
    showback           in 6h57m  daily at 00:00     1     0       17h2m ago: exit code 0 after 1.204 s
    ssh-socks-cleaner  in 25s    at seconds 10, 40  366   0       5s ago: exit code 0 after 0.020 s
    rotate-logs        in 7m15s  every 600 s        0     0       -

    STAGE        STATE  TIME    REMARK
    settle       done   4 ms    -
    layout       done   205 ms  -
    remotes      done   400 ms  etc/vmm/kvm/kvmrc is kept as you changed it
    database     done   1.3 s   -
    render       done   10 ms   -
    migrate      done   3.7 s   -
    credentials  done   10 ms   -
    ssh          done   30 ms   -
    supervise    done   9.9 s   -

    DATABASE
      mysql: opennebula-mariadb:3306/opennebula (MariaDB 11.8.3)
      schema 7.2.0 (older at the start); lock held by this front-end; 2 dumps kept

    REMOTES               KIND      REMARK
    etc/vmm/kvm/kvmrc     changed   -
    hooks/notify-team.sh  added     -
    tm/ceph/clone         replaced  yours is kept as .onepod/replaced/tm/ceph/clone

    LAST ERRORS  FROM      TIMES  WHAT
    4s ago       onegate   5      exit code 1 after 2.104 s; its last line: Address already in use - bind(2) for "0.0.0.0" port 5030 (Errno::EADDRINUSE)
    3h1m ago     fireedge  1      killed by SIGKILL after 51.220 s

    orphans reaped: 12; log lines dropped: 0
    "#);
}

#[test]
fn on_a_terminal_of_eighty_columns() {
    let text = tables(&status(), Some(80), false);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!(text, @r#"
    OpenNebula 7.4.0: ready; onepod 0.4.0, up 3h2m

    SERVICE    STATE    SINCE  RESTARTS  MEMORY   CPU     REMARK
    ssh-agent  ready    3h2m   0         4 MiB    0.0 s   -
    guacd      ready    3h2m   0         14 MiB   0.0 s   -
    sshd       ready    3h2m   0         7 MiB    0.1 s   -
    oned       ready    3h2m   0         179 MiB  92.4 s  -
    onehem     ready    3h2m   0         60 MiB   3.1 s   -
    oneflow    ready    3h2m   0         96 MiB   5.2 s   -
    onegate    backoff  4s     5         -        4.4 s   exit code 1 after 2.104 s;
                                                          its last line: Address
                                                          already in use - bind(2)
                                                          for "0.0.0.0" port 5030
                                                          (Errno::EADDRINUSE)
    oneform    ready    3h2m   0         86 MiB   4.0 s   -
    oneks      off      3h2m   0         -        -       -
    fireedge   ready    3h2m   1         236 MiB  12.7 s  last run: killed by
                                                          SIGKILL after 51.220 s

    TASK         STATE  SINCE  FAILURES  REMARK
    ssh-add      done   3h2m   0         -
    credentials  done   3h2m   0         -

    TIMER              NEXT RUN  RUNS  FAILED  LAST RUN
    showback           in 6h57m  1     0       17h2m ago: exit code 0 after 1.204 s
    ssh-socks-cleaner  in 25s    366   0       5s ago: exit code 0 after 0.020 s
    rotate-logs        in 7m15s  0     0       -

    STAGE        STATE  TIME    REMARK
    settle       done   4 ms    -
    layout       done   205 ms  -
    remotes      done   400 ms  etc/vmm/kvm/kvmrc is kept as you changed it
    database     done   1.3 s   -
    render       done   10 ms   -
    migrate      done   3.7 s   -
    credentials  done   10 ms   -
    ssh          done   30 ms   -
    supervise    done   9.9 s   -

    DATABASE
      mysql: opennebula-mariadb:3306/opennebula (MariaDB 11.8.3)
      schema 7.2.0 (older at the start); lock held by this front-end; 2 dumps kept

    REMOTES               KIND      REMARK
    etc/vmm/kvm/kvmrc     changed   -
    hooks/notify-team.sh  added     -
    tm/ceph/clone         replaced  yours is kept as .onepod/replaced/tm/ceph/clone

    LAST ERRORS  FROM      TIMES  WHAT
    4s ago       onegate   5      exit code 1 after 2.104 s; its last line: Address
                                  already in use - bind(2) for "0.0.0.0" port 5030
                                  (Errno::EADDRINUSE)
    3h1m ago     fireedge  1      killed by SIGKILL after 51.220 s

    orphans reaped: 12; log lines dropped: 0
    "#);
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let text = tables(&status(), Some(100), true);
    for part in [
        "\x1b[1mOpenNebula 7.4.0\x1b[0m: \x1b[32mready\x1b[0m",
        "\x1b[31mbackoff\x1b[0m",
        "\x1b[2moff\x1b[0m",
        "lock \x1b[32mheld by this front-end\x1b[0m",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    let mut plain = String::new();
    for (number, part) in text.split('\x1b').enumerate() {
        plain += if number == 0 {
            part
        } else {
            part.split_once('m').unwrap().1
        };
    }
    let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
    assert_eq!(trimmed.join("\n") + "\n", tables(&status(), Some(100), false));
}

#[test]
fn a_pod_that_waits_for_its_database() {
    let json = serde_json::json!({
        "onepod": "0.4.0", "release": "7.0.2", "phase": "preparing", "ready": false,
        "reasons": ["database: opennebula-mariadb:3306: connection refused"],
        "started_at": "2026-11-23T17:02:33Z", "orphans_reaped": 0, "log_lines_dropped": 0,
        "stages": [
            {"name": "settle", "state": "done", "seconds": 0.001, "cause": null},
            {"name": "database", "state": "waiting", "seconds": 11.8,
             "cause": "opennebula-mariadb:3306: connection refused"}
        ],
        "services": []
    });
    insta::assert_snapshot!(tables(&serde_json::from_value(json).unwrap(), None, false), @r"
    OpenNebula 7.0.2: preparing; onepod 0.4.0, up 12s
      database: opennebula-mariadb:3306: connection refused

    STAGE     STATE    TIME    REMARK
    settle    done     1 ms    -
    database  waiting  11.8 s  opennebula-mariadb:3306: connection refused

    orphans reaped: 0; log lines dropped: 0
    ");
}
