//! What onepod makes of a front-end whose Secret, files and database disagree: the services' logins break and heal.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;

use onepod::paths::Paths;
use onepod::reconcile::{Outcome, ReconcileError, reconcile};
use onepod::settings;

use crate::front_end::{Daemon, FrontEnd, PASSWORD, free_port, http, said};
use crate::servers::{basic, configure, listening, login, start};

const SERVICE_FILES: [&str; 3] = ["sunstone_auth", "onegate_auth", "oneflow_auth"];

/// Onepod's view of a front-end: its volume is where oned has its files.
fn paths(front: &FrontEnd) -> Paths {
    let root = front.path("root");
    if !root.exists() {
        fs::create_dir_all(root.join("var/lib")).unwrap();
        symlink(front.path("var"), root.join("var/lib/one")).unwrap();
    }
    Paths::new(root)
}

/// One reconciliation with these settings.
async fn healed(front: &FrontEnd, pairs: &[(&str, &str)]) -> Result<Outcome, ReconcileError> {
    let named = [("OPENNEBULA_HOSTNAME", "one")];
    let all = named.iter().chain(pairs);
    let settings =
        settings::settle(all.map(|(name, value)| (OsString::from(name), OsString::from(value)))).unwrap();
    let endpoint = format!("http://127.0.0.1:{}/RPC2", front.port).parse().unwrap();
    reconcile(&settings, &paths(front), &endpoint).await
}

/// A running front-end with OneFlow and FireEdge on their ports.
struct Cloud {
    front: FrontEnd,
    _oned: Daemon,
    flow_port: u16,
    flow: Daemon,
    fireedge_port: u16,
    _fireedge: Daemon,
}

impl Cloud {
    fn start() -> Self {
        let front = FrontEnd::new();
        let oned = front.up();
        let (flow_port, fireedge_port) = (free_port(), free_port());
        configure(&front, "oneflow-server.conf", flow_port);
        configure(&front, "fireedge-server.conf", fireedge_port);
        let flow = start(&front, "ruby", "oneflow-server.rb");
        let fireedge = start(&front, "node", "fireedge.js");
        listening(flow_port);
        listening(fireedge_port);
        Self {
            front,
            _oned: oned,
            flow_port,
            flow,
            fireedge_port,
            _fireedge: fireedge,
        }
    }

    fn sunstone(&self, password: &str) -> u16 {
        login(self.fireedge_port, password).status
    }

    fn services(&self, password: &str) -> u16 {
        http(self.flow_port, "GET /service", &basic(password), "")
            .unwrap()
            .status
    }

    fn restart_flow(&mut self) {
        self.flow.stop();
        self.flow = start(&self.front, "ruby", "oneflow-server.rb");
        listening(self.flow_port);
    }
}

#[tokio::test]
async fn a_bootstrapped_front_end_needs_one_call_and_no_change() {
    let front = FrontEnd::new();
    let _oned = front.up();
    for pairs in [vec![], vec![("ONEADMIN_PASSWORD", PASSWORD)]] {
        let outcome = healed(&front, &pairs).await.unwrap();
        assert_eq!(
            (outcome.calls, outcome.changed, outcome.notes),
            (1, vec![], vec![])
        );
    }
}

#[tokio::test]
async fn a_rotated_password_is_good_at_once_and_the_old_one_is_not() {
    let cloud = Cloud::start();
    let outcome = healed(&cloud.front, &[("ONEADMIN_PASSWORD", "rotated")])
        .await
        .unwrap();
    assert!(outcome.calls <= 5, "{outcome:?}");
    assert_eq!((cloud.sunstone("rotated"), cloud.sunstone(PASSWORD)), (200, 401));
    assert_eq!((cloud.services("rotated"), cloud.services(PASSWORD)), (200, 401));
    // The tools read the file.
    let list = cloud.front.run(&["oneuser", "list"]);
    assert_eq!(list.status.code(), Some(0), "{}", said(&list));
    assert_eq!(
        healed(&cloud.front, &[("ONEADMIN_PASSWORD", "rotated")])
            .await
            .unwrap()
            .calls,
        1
    );
}

#[tokio::test]
async fn a_password_changed_by_hand_is_refused_with_the_next_step_until_the_secret_says_it() {
    let front = FrontEnd::new();
    let _oned = front.up();
    front.run(&["oneuser", "passwd", "0", "by-hand"]);
    let error = healed(&front, &[("ONEADMIN_PASSWORD", PASSWORD)])
        .await
        .unwrap_err();
    assert!(
        matches!(error, ReconcileError::Refused { .. })
            && error.to_string().contains("Set ONEADMIN_PASSWORD to it"),
        "{error}"
    );
    healed(&front, &[("ONEADMIN_PASSWORD", "by-hand")]).await.unwrap();
    assert_eq!(
        fs::read_to_string(front.auth("one_auth")).unwrap(),
        "oneadmin:by-hand\n"
    );
}

// The state of a volume that was lost while the database was kept: nothing there but what the Secret gives.
#[tokio::test]
async fn with_every_service_file_lost_logins_break_and_heal() {
    for secret in [None, Some("0f".repeat(32))] {
        let mut cloud = Cloud::start();
        for name in SERVICE_FILES {
            fs::remove_file(cloud.front.auth(name)).unwrap();
        }
        assert_eq!(cloud.sunstone(PASSWORD), 500);
        let pairs: Vec<_> = secret
            .iter()
            .map(|secret| ("SERVERADMIN_SECRET", secret.as_str()))
            .collect();
        let outcome = healed(&cloud.front, &pairs).await.unwrap();
        assert_eq!(outcome.calls, 2, "{outcome:?}");
        assert_eq!(cloud.sunstone(PASSWORD), 200);
        // OneFlow has the old secret since its start: it is one of those that start again.
        assert!(outcome.restart.contains("oneflow"));
        assert_ne!(cloud.services(PASSWORD), 200);
        cloud.restart_flow();
        assert_eq!(cloud.services(PASSWORD), 200);
        assert_eq!(healed(&cloud.front, &pairs).await.unwrap().calls, 1);
    }
}

#[tokio::test]
async fn a_secret_that_the_database_does_not_know_breaks_logins_and_is_reset() {
    let cloud = Cloud::start();
    cloud
        .front
        .run(&["oneuser", "passwd", "1", "--sha256", "somebody-else"]);
    assert_eq!(cloud.sunstone(PASSWORD), 500);
    assert_ne!(cloud.services(PASSWORD), 200);
    healed(&cloud.front, &[]).await.unwrap();
    assert_eq!((cloud.sunstone(PASSWORD), cloud.services(PASSWORD)), (200, 200));
}

#[tokio::test]
async fn services_of_later_releases_get_their_files() {
    let mut front = FrontEnd::new();
    front.release = "7.4.0";
    let _oned = front.up();
    for name in ["oneform_auth", "oneks_auth"] {
        fs::remove_file(front.auth(name)).unwrap();
    }
    let root = paths(&front).root().to_owned();
    for service in ["oneform", "oneks"] {
        fs::create_dir_all(root.join("usr/lib/one").join(service)).unwrap();
    }
    let outcome = healed(&front, &[]).await.unwrap();
    assert_eq!(outcome.calls, 1, "{outcome:?}");
    let secret = fs::read_to_string(front.auth("sunstone_auth")).unwrap();
    for name in ["oneform_auth", "oneks_auth"] {
        assert_eq!(fs::read_to_string(front.auth(name)).unwrap(), secret, "{name}");
    }
}
