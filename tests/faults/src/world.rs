//! What a fault works with: the image, a database, a pod, and the data that must still be there afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::api::{self, Value};
use crate::front_end::{Console, Container, Image, ONEADMIN, Pod};
use crate::http;
use crate::mariadb::Database;
use crate::secrecy::{self, Needles, Watcher};

/// Where oned answers.
const API: &str = "127.0.0.1:2633";
/// Where FireEdge answers.
const FIREEDGE: &str = "127.0.0.1:2616";
/// Files of the user on the volume: an image file, and a hook.
const FILES: [&str; 2] = ["datastores/1/kept", "remotes/hooks/kept"];

/// Everything of one fault.
pub struct World {
    /// The image; what is changed in it holds for containers that are started afterwards, and for programs at once.
    pub image: Image,
    /// The database.
    pub database: Database,
    /// The pod.
    pub pod: Pod,
    /// The password of oneadmin that must be good now.
    pub oneadmin: String,
    /// What must not be seen anywhere.
    pub needles: Needles,
    dir: PathBuf,
    watcher: Watcher,
    /// Places with logs of pods beside the first.
    others: Vec<PathBuf>,
}

/// What was put into OpenNebula before the fault.
#[derive(Debug, Clone)]
pub struct Kept {
    mark: String,
    vm: i64,
}

impl Kept {
    /// Makes a user, a host and a VM through the API.
    pub fn make(session: &str) -> Result<Self> {
        let mark = word(16);
        let user = [
            Value::Text(&mark),
            Value::Text(&word(24)),
            Value::Text("core"),
            Value::Empty,
        ];
        call_as(session, "one.user.allocate", &user)?;
        let host = [
            Value::Text(&mark),
            Value::Text("kvm"),
            Value::Text("kvm"),
            Value::Int(-1),
        ];
        call_as(session, "one.host.allocate", &host)?;
        let template = format!("NAME = \"{mark}\"\nCPU = 1\nMEMORY = 64\nMARK = \"{mark}\"\n");
        let vm = call_as(
            session,
            "one.vm.allocate",
            &[Value::Text(&template), Value::Bool(true)],
        )?;
        Ok(Self {
            mark,
            vm: vm.parse().context("the id of a VM")?,
        })
    }

    /// Whether the API still has all of it.
    pub fn found(&self, session: &str) -> Result<()> {
        for method in ["one.userpool.info", "one.hostpool.info"] {
            ensure!(
                call_as(session, method, &[])?.contains(&self.mark),
                "{method} does not have what was made before"
            );
        }
        let vm = call_as(session, "one.vm.info", &[Value::Int(self.vm), Value::Bool(false)])?;
        ensure!(
            vm.contains(&format!("<MARK><![CDATA[{}]]></MARK>", self.mark)),
            "VM {} is another",
            self.vm
        );
        Ok(())
    }
}

impl World {
    /// Makes everything and starts the database, but no front-end. `dir` is empty; namespaces and their loopback are there;
    /// `template` is what [`crate::mariadb::template`] made.
    pub fn new(dir: &Path, image: Image, template: &Path) -> Result<Self> {
        let mut database = Database::install(&dir.join("mariadb"), template)?;
        database.start()?;
        // The vendor's own tool breaks on a blank; the front-end must not. A half of it is a secret too, however the rest
        // may have been written.
        let halves = [word(14), word(14)];
        let (oneadmin, password) = (word(24), halves.join(" #%&/+=?"));
        database.grant(&password)?;
        let secret = BTreeMap::from([
            ("oneadmin-password".to_owned(), oneadmin.clone()),
            ("one-key".to_owned(), hexadecimal(64)),
            ("fireedge-key".to_owned(), word(32)),
            ("serveradmin-secret".to_owned(), hexadecimal(64)),
        ]);
        let pod = Pod::new(&dir.join("opennebula"), secret, &password)?;
        let mut world = Self {
            database,
            pod,
            oneadmin,
            needles: Needles::default(),
            dir: dir.to_owned(),
            image,
            watcher: Watcher::start(),
            others: Vec::new(),
        };
        for part in halves.iter().chain([&password]) {
            world.needles.add("database password", part);
        }
        world.learn();
        Ok(world)
    }

    /// Starts the front-end's container.
    pub fn start(&mut self) -> Result<Container> {
        Container::start(self.image.root(), &mut self.pod, Console::File)
    }

    /// The same with a pipe that somebody reads or does not.
    pub fn start_into_pipe(&mut self) -> Result<Container> {
        Container::start(self.image.root(), &mut self.pod, Console::Pipe)
    }

    /// Starts the front-end, and puts something into it that can be lost.
    pub fn start_with_data(&mut self) -> Result<(Container, Kept)> {
        let mut front_end = self.start()?;
        front_end.started()?;
        Ok((front_end, self.furnish()?))
    }

    /// Another pod with the same Secrets and settings, a volume of its own and another port for its health.
    pub fn another_pod(&mut self, name: &str) -> Result<Pod> {
        let dir = self.dir.join(name);
        let mut pod = Pod::new(&dir, self.pod.secret().clone(), self.pod.database())?;
        pod.environment.clone_from(&self.pod.environment);
        pod.environment
            .insert("ONEPOD_LISTEN".to_owned(), "0.0.0.0:8081".to_owned());
        self.others.push(dir);
        Ok(pod)
    }

    /// The container of another pod.
    pub fn start_another(&self, pod: &mut Pod) -> Result<Container> {
        Container::start(self.image.root(), pod, Console::File)
    }

    /// A call of the API as oneadmin.
    pub fn call(&self, method: &str, arguments: &[Value<'_>]) -> Result<String> {
        call_as(&self.session(), method, arguments)
    }

    fn session(&self) -> String {
        format!("oneadmin:{}", self.oneadmin)
    }

    /// Makes a user, a host, a VM and files of the user.
    pub fn furnish(&self) -> Result<Kept> {
        let kept = Kept::make(&self.session())?;
        for file in FILES {
            let file = self.pod.volume().join(file);
            let parent = file.parent().context("a file in no folder")?;
            fs::create_dir_all(parent)?;
            fs::write(&file, &kept.mark)?;
            chown(&file, Some(ONEADMIN), Some(ONEADMIN))?;
        }
        Ok(kept)
    }

    /// Whether everything is there, the API takes something new, and oneadmin logs in through FireEdge.
    pub fn check(&self, kept: &Kept) -> Result<()> {
        self.check_database(kept)?;
        self.login()?;
        self.check_files(kept)
    }

    /// The part of it that is in the database.
    pub fn check_database(&self, kept: &Kept) -> Result<()> {
        kept.found(&self.session())?;
        self.writable()
    }

    /// The part of it that is on the volume.
    pub fn check_files(&self, kept: &Kept) -> Result<()> {
        for file in FILES {
            let path = self.pod.volume().join(file);
            ensure!(
                fs::read_to_string(&path).is_ok_and(|text| text == kept.mark),
                "{file} is not on the volume any more"
            );
        }
        Ok(())
    }

    /// Whether the API takes something new.
    pub fn writable(&self) -> Result<()> {
        let template = format!("NAME = \"{}\"\nCPU = 1\nMEMORY = 64\n", word(12));
        self.call("one.vm.allocate", &[Value::Text(&template), Value::Bool(true)])
            .map(|_| ())
    }

    /// A login of oneadmin through FireEdge, which is good only when serveradmin's secret is the same in FireEdge's file and
    /// in the database.
    pub fn login(&self) -> Result<()> {
        login_as("oneadmin", &self.oneadmin)
    }

    /// Remembers the secrets as they are now.
    pub fn learn(&mut self) {
        for (key, value) in self.pod.secret() {
            self.needles.add(key, value);
        }
        self.needles.add_volume(&self.pod.volume());
    }

    /// Looks for every secret in everything that any process wrote, was started with, or was told.
    pub fn secrecy(&mut self) -> Result<()> {
        self.learn();
        let texts = self.watcher.texts().into_iter().chain(self.written());
        let found = self.needles.places(texts);
        ensure!(found.is_empty(), "secrets are seen: {}", found.join(", "));
        Ok(())
    }

    /// Everything that was written where people read it.
    fn written(&self) -> Vec<(String, String)> {
        let own = self.dir.join("opennebula");
        let pods = self.others.iter().chain([&own]);
        pods.flat_map(|pod| secrecy::written_by(pod)).collect()
    }

    /// For a person who looks why a fault ended otherwise: the ends of all logs, without secrets.
    #[must_use]
    pub fn diagnosis(&self) -> String {
        let texts = self.written().into_iter();
        self.needles
            .ends(texts.chain([("MariaDB".to_owned(), self.database.log())]))
    }

    /// How many secrets are looked for.
    #[must_use]
    pub fn secrets(&self) -> usize {
        self.needles.count()
    }
}

/// A call of the API in the name of a session, `user:password`.
pub fn call_as(session: &str, method: &str, arguments: &[Value<'_>]) -> Result<String> {
    let address: SocketAddr = API.parse()?;
    api::call(address, session, method, arguments)
}

/// A login through FireEdge.
pub fn login_as(user: &str, password: &str) -> Result<()> {
    session(user, password).map(|_| ())
}

/// The same, for the line of a request's head that belongs to the session: a token of the answer's body until 7.2, a cookie
/// since 7.4.
pub fn session(user: &str, password: &str) -> Result<String> {
    let body = json!({"user": user, "token": password}).to_string();
    let (code, head, answer) =
        http::post_for_head(FIREEDGE.parse()?, "/fireedge/api/auth", "application/json", &body)?;
    ensure!(code == 200, "a login through FireEdge: HTTP {code}: {answer}");
    let cookie = head
        .split("FireedgeToken=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    let token = answer
        .split("\"token\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    match (cookie, token) {
        (Some(cookie), _) => Ok(format!("Cookie: FireedgeToken={cookie}\r\n")),
        (None, Some(token)) => Ok(format!("Authorization: Bearer {token}\r\n")),
        (None, None) => bail!("a login through FireEdge: HTTP 200 without a session"),
    }
}

/// The path itself when it is a file, else all files below; links are not followed.
#[must_use]
pub fn files_below(path: &Path) -> Vec<PathBuf> {
    let Ok(kind) = fs::symlink_metadata(path) else {
        return Vec::new();
    };
    if kind.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.flat_map(|entry| files_below(&entry.path())).collect()
}

/// Random letters and digits.
#[must_use]
pub fn word(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    letters(LETTERS, length)
}

/// Random hexadecimal digits.
#[must_use]
pub fn hexadecimal(length: usize) -> String {
    const DIGITS: &[u8] = b"0123456789abcdef";
    letters(DIGITS, length)
}

fn letters(from: &[u8], length: usize) -> String {
    (0..length)
        .filter_map(|_| from.get(usize::from(rand::random::<u8>()) % from.len()))
        .map(|&byte| char::from(byte))
        .collect()
}
