//! The release as people outside of the cluster see it: by hostname over TLS in a browser, a console's WebSocket and a large
//! upload on the same way, and through a Gateway.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::upgrade;
use super::world::{CONTAINER, FRONT_END_POD, PASSWORD, World};
use crate::browser::{Browser, Site};
use crate::needs::GATEWAY;
use crate::process::Call;
use crate::session;
use crate::wait::{Look, until};

/// Where https of the cluster's controller is answered, beside its plain port.
const TLS_PORT: u16 = 30443;
/// The node's port of the Gateway's listener for XML-RPC (cluster/ingress.yaml).
const GATEWAY_API_PORT: u16 = 30633;
const HOSTNAME: &str = "one.e2e.test";
const ROUTE_HOSTNAME: &str = "route.e2e.test";
const TLS_SECRET: &str = "one-e2e-tls";
/// What Sunstone's page has for a login, and the page behind it. The fields have names until 7.2 and none in 7.4.
const USER_FIELD: &str = "form input[type=text]";
const PASSWORD_FIELD: &str = "form input[type=password]";
const LOGIN_BUTTON: &str = "[data-cy=login-button]";
const MAIN_LAYOUT: &str = "[data-cy=main-layout]";
/// More than any controller buffers by default, and more than its memory limit.
const UPLOAD: u64 = 300 * 1024 * 1024;
const LIMIT: Duration = Duration::from_mins(5);

/// A certificate of its own for the hostname, and a browser that takes this one and no other.
pub(super) async fn browser(world: &mut World) -> Result<String> {
    let certificate = Certificate::served(world).await?;
    let address = tls(world);
    let key = certificate.public_key().await?;
    let site = Site {
        hostname: HOSTNAME,
        address,
        key: &key,
    };
    let browser = Browser::open(&site).await?;
    let mut outcome = log_in(world, &browser).await;
    if let Err(error) = outcome {
        let seen = browser.picture().await?;
        let kept = keep(world, &[("login-failed.png", seen)])?;
        outcome = Err(error.context(format!("the login{kept}")));
    }
    browser.close().await?;
    outcome
}

async fn log_in(world: &World, browser: &Browser) -> Result<String> {
    let start = Instant::now();
    browser.go(&format!("https://{HOSTNAME}/")).await?;
    browser.type_into(USER_FIELD, "oneadmin").await?;
    browser.type_into(PASSWORD_FIELD, "not the password").await?;
    browser.click(LOGIN_BUTTON).await?;
    browser.see("body", "Wrong username or password").await?;
    browser.go(&format!("https://{HOSTNAME}/")).await?;
    let before = browser.picture().await?;
    let password = world.cluster.secret(PASSWORD.0, PASSWORD.1).await?;
    browser.type_into(USER_FIELD, "oneadmin").await?;
    browser.type_into(PASSWORD_FIELD, password.trim_end()).await?;
    ensure!(
        !browser.has(MAIN_LAYOUT).await,
        "the page of the login has {MAIN_LAYOUT}, which is of the page behind it"
    );
    browser.click(LOGIN_BUTTON).await?;
    browser.see(MAIN_LAYOUT, "").await?;
    let took = start.elapsed();
    let after = browser.picture().await?;
    let kept = keep(world, &[("login-before.png", before), ("login-after.png", after)])?;
    Ok(format!(
        "https://{HOSTNAME}: wrong password refused, logged in, {:.1} s{kept}",
        took.as_secs_f64()
    ))
}

/// A console's WebSocket and a large file come through the controller over TLS, and the file arrives whole.
pub(super) async fn upload(world: &mut World) -> Result<String> {
    let certificate = Certificate::served(world).await?;
    let address = tls(world);
    let session = certificate.login(world, address).await?;

    let opened = certificate
        .curl(
            address,
            "/fireedge/guacamole",
            &[
                "--include".into(),
                "--http1.1".into(),
                // The server holds an open socket: what is asked for is its first line.
                "--max-time".into(),
                "3".into(),
                "--header".into(),
                "Connection: Upgrade".into(),
                "--header".into(),
                "Upgrade: websocket".into(),
                "--header".into(),
                "Sec-WebSocket-Version: 13".into(),
                "--header".into(),
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==".into(),
            ],
        )
        .await;
    // curl ends by its own limit: the answer is in what it had printed by then.
    let said = opened.unwrap_or_else(|error| format!("{error:#}"));
    ensure!(
        said.contains("101 Switching Protocols"),
        "WebSocket over TLS: {said}"
    );

    let file = noise(UPLOAD)?;
    let start = Instant::now();
    let answer = certificate
        .curl(
            address,
            "/fireedge/api/image/upload",
            &[
                "--config".into(),
                session.path().display().to_string(),
                "--form".into(),
                format!("files=@{}", file.path().display()),
            ],
        )
        .await?;
    let took = start.elapsed();
    let answer: Value =
        serde_json::from_str(&answer).with_context(|| format!("the upload's answer is {answer}"))?;
    let there = answer["data"][0]
        .as_str()
        .with_context(|| format!("no path in {answer}"))?;
    let ours = digest(file.path()).await?;
    let theirs = world
        .cluster
        .exec(FRONT_END_POD, CONTAINER, &["sha256sum", there])
        .await?;
    ensure!(
        theirs.output.starts_with(&ours),
        "{there} is {}, the file is {ours}",
        theirs.output
    );
    world
        .cluster
        .exec(FRONT_END_POD, CONTAINER, &["rm", there])
        .await?;
    Ok(format!(
        "WebSocket 101; {} MiB in {:.1} s, the same bytes in the pod",
        UPLOAD >> 20,
        took.as_secs_f64()
    ))
}

/// The web interface by an `HTTPRoute` and the API by a `TCPRoute`, beside the Ingress.
pub(super) async fn gateway(world: &mut World) -> Result<String> {
    let parent = |section: &str| json!([{"name": GATEWAY.0, "namespace": GATEWAY.1, "sectionName": section}]);
    world
        .upgrade(&json!({"route": {
            "fireedge": {"enabled": true, "parentRefs": parent("http"), "hostnames": [ROUTE_HOSTNAME]},
            "api": {"enabled": true, "kind": "TCPRoute", "parentRefs": parent("tcp-2633")},
        }}))
        .await?;
    let web = world.ingress;
    upgrade::page(web, ROUTE_HOSTNAME).await?;
    let api = SocketAddr::new(web.ip(), GATEWAY_API_PORT);
    let login = until("the API by the route", Duration::from_secs(90), async || {
        Ok(match world.pyone_at(api, &["login"]).await {
            Ok::<Value, _>(login) => Look::Seen(login),
            Err(error) => Look::not_yet(error),
        })
    })
    .await?;
    ensure!(login["name"] == "oneadmin", "logged in as {login}");
    Ok(format!(
        "HTTPRoute {ROUTE_HOSTNAME} at {web}: page 200; TCPRoute at {api}: logged in to OpenNebula {}",
        login["version"].as_str().unwrap_or_default()
    ))
}

fn tls(world: &World) -> SocketAddr {
    SocketAddr::new(world.ingress.ip(), TLS_PORT)
}

/// Writes pictures where they were asked for; what to add to the sentence.
fn keep(world: &World, pictures: &[(&str, Vec<u8>)]) -> Result<String> {
    let Some(folder) = &world.pictures else {
        return Ok(String::new());
    };
    for (name, picture) in pictures {
        let path = folder.join(name);
        std::fs::write(&path, picture).with_context(|| path.display().to_string())?;
    }
    Ok(format!("; pictures in {}", folder.display()))
}

/// A file of bytes that no compression makes smaller.
fn noise(bytes: u64) -> Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    let mut source = std::io::Read::take(std::fs::File::open("/dev/urandom")?, bytes);
    std::io::copy(&mut source, &mut file)?;
    file.flush()?;
    Ok(file)
}

async fn digest(file: &Path) -> Result<String> {
    let said = Call::new(Path::new("sha256sum"), LIMIT)
        .args([file])
        .run()
        .await?;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

/// A certificate of its own signature for the hostname.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// The one with which the release is served over TLS; the first step that asks for it makes it so.
    async fn served(world: &mut World) -> Result<Self> {
        if let Ok(certificate) = Self::read(world).await {
            return Ok(certificate);
        }
        let certificate = Self::make().await?;
        certificate.install(world).await?;
        world
            .upgrade(&json!({"ingress": {"tls": {"enabled": true, "secretName": TLS_SECRET}}}))
            .await?;
        let address = tls(world);
        until("the page over TLS", Duration::from_secs(90), async || {
            Ok(match certificate.curl(address, "/fireedge/sunstone", &[]).await {
                Ok(page) if page.contains("<html") => Look::Seen(()),
                Ok(page) => Look::NotYet(format!("{} bytes", page.len())),
                Err(error) => Look::not_yet(error),
            })
        })
        .await?;
        Ok(certificate)
    }

    async fn make() -> Result<Self> {
        let made = Self {
            folder: tempfile::tempdir()?,
        };
        Call::new(Path::new("openssl"), LIMIT)
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"])
            .args(["-subj", &format!("/CN={HOSTNAME}")])
            .args(["-addext", &format!("subjectAltName=DNS:{HOSTNAME}")])
            .args(["-keyout".into(), made.key()])
            .args(["-out".into(), made.path()])
            .run()
            .await?;
        Ok(made)
    }

    /// The one that is in the cluster.
    async fn read(world: &World) -> Result<Self> {
        let read = Self {
            folder: tempfile::tempdir()?,
        };
        std::fs::write(read.path(), world.cluster.secret(TLS_SECRET, "tls.crt").await?)?;
        Ok(read)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    async fn install(&self, world: &World) -> Result<()> {
        let read = std::fs::read_to_string;
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": TLS_SECRET},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": read(self.path())?, "tls.key": read(self.key())?},
        }))?;
        world
            .cluster
            .api::<Secret>()
            .create(&PostParams::default(), &secret)
            .await
            .with_context(|| format!("cannot make Secret {TLS_SECRET}"))?;
        Ok(())
    }

    /// Base64 of the SHA-256 of the public key.
    async fn public_key(&self) -> Result<String> {
        let script = "openssl x509 -in \"$1\" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64";
        let said = Call::new(Path::new("sh"), LIMIT)
            .args([
                "-ec".into(),
                script.into(),
                "sh".into(),
                self.path().into_os_string(),
            ])
            .run()
            .await?;
        Ok(said.trim().to_owned())
    }

    /// The body of an answer over TLS; the certificate must be this one.
    async fn curl(&self, address: SocketAddr, path: &str, more: &[String]) -> Result<String> {
        Call::new(Path::new("curl"), LIMIT)
            .args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*"])
            .args(["--cacert".into(), self.path()])
            .args([
                "--resolve",
                &format!("{HOSTNAME}:{}:{}", address.port(), address.ip()),
            ])
            .args(more.iter().cloned())
            .args([format!("https://{HOSTNAME}:{}{path}", address.port())])
            .run()
            .await
    }

    /// Logs in; a file for curl with the session, which stands in no argument.
    async fn login(&self, world: &World, address: SocketAddr) -> Result<tempfile::NamedTempFile> {
        let password = world.cluster.secret(PASSWORD.0, PASSWORD.1).await?;
        let mut body = tempfile::NamedTempFile::new()?;
        write!(
            body,
            "{}",
            json!({"user": "oneadmin", "token": password.trim_end()})
        )?;
        let answer = self
            .curl(
                address,
                "/fireedge/api/auth",
                &[
                    "--include".into(),
                    "--header".into(),
                    "Content-Type: application/json".into(),
                    "--data".into(),
                    format!("@{}", body.path().display()),
                ],
            )
            .await?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("the login's answer has no head")?;
        let cookies = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .filter_map(|(_, cookie)| cookie.split(';').next());
        let mut file = tempfile::NamedTempFile::new()?;
        writeln!(file, "header = \"{}\"", session::header(cookies, body)?)?;
        Ok(file)
    }
}
