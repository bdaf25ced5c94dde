//! `onepod run`: settings, endpoint, stages, services, stop; the image's entrypoint.
//!
//! `onepod supervise` is the same without the stages, for looking at a services.toml on a machine that is prepared.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use one_xmlrpc::Endpoint;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use super::{EXIT_USAGE, check, complain};
use crate::board::{Board, Phase};
use crate::environment::Inherited;
use crate::health::liveness::EventLoop;
use crate::health::usage::{CpuCounters, UsageCache};
use crate::health::{self, Sources, control};
use crate::identity::Identity;
use crate::leader;
use crate::log::{Log, own, rotate};
use crate::paths::Paths;
use crate::prepare::files::FileError;
use crate::prepare::{self, PrepareError, Prepared, Standing, Tools};
use crate::reaper::Reaper;
use crate::reconcile::Reconciler;
use crate::reconcile::watch::Watch;
use crate::secrecy;
use crate::settings::{self, Settings};
use crate::supervisor::builtin::Builtins;
use crate::supervisor::clock::Clock;
use crate::supervisor::config::Config;
use crate::supervisor::handle::{self, Commands, Handle};
use crate::supervisor::{Ending, Means, supervise};
use crate::sys::StopRequests;

mod message;

/// The last lines get this long to be written to a standard output that hardly flows.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Giving back the lease gets this long: without it the next front-end waits for its end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of `onepod run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory under which every path lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Arguments of `onepod supervise`.
#[derive(Debug, clap::Args)]
pub struct SuperviseArgs {
    /// The services to run
    #[arg(long)]
    pub services: PathBuf,
    /// Directory under which credentials and sockets lie
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Prepares and supervises until a signal ends it.
pub async fn run(args: Args) -> ExitCode {
    let paths = Paths::new(args.root);
    // Programs are always those of this system, wherever the files lie.
    let config = match Config::load_verified(&paths.services(), Path::new("/")) {
        Ok(config) => config,
        Err(error) => return refuse(&paths, &error.to_string()),
    };
    let settings = match settings::settle_with(env::vars_os(), &config.names()) {
        Ok(settings) => settings,
        Err(mistakes) => return refuse(&paths, &mistakes.to_string()),
    };
    if let Err(message) = check::rendered(&settings, &paths) {
        return refuse(&paths, &message);
    }
    let pod = match Pod::begin(&settings, paths) {
        Ok(pod) => pod,
        Err(error) => return fail(&error.to_string()),
    };
    let (board, paths) = (pod.means.board.clone(), pod.means.paths.clone());
    let tools = Tools {
        reaper: pod.means.reaper.clone(),
        log: pod.means.log.clone(),
        identity: pod.means.identity.clone(),
    };
    let stages = async {
        prepare::prepare(&settings, &paths, &board, &tools)
            .await
            .map(Some)
    };
    pod.live(configured(config, &settings), stages).await
}

/// Supervises the services of one file, with nothing prepared.
pub async fn supervise_only(args: SuperviseArgs) -> ExitCode {
    let paths = Paths::new(args.root);
    // Programs are always those of this system, wherever the files lie.
    let config = match Config::load_verified(&args.services, Path::new("/")) {
        Ok(config) => config,
        Err(error) => return refuse(&paths, &error.to_string()),
    };
    let settings = match settings::settle_with(env::vars_os(), &config.names()) {
        Ok(settings) => settings,
        Err(mistakes) => return refuse(&paths, &mistakes.to_string()),
    };
    match Pod::begin(&settings, paths) {
        Ok(pod) => pod.live(configured(config, &settings), async { Ok(None) }).await,
        Err(error) => fail(&error.to_string()),
    }
}

/// services.toml with what the settings change of it.
fn configured(config: Config, settings: &Settings) -> Config {
    config
        .with_stop_timeout(settings.stop_timeout())
        .with_switches(settings.enabled(), settings.disabled())
}

/// Why the pod could not begin.
#[derive(Debug, thiserror::Error)]
enum BeginError {
    #[error("cannot start the log on standard output: {0}")]
    Log(io::Error),
    #[error("cannot take over signals: {0}")]
    Signals(io::Error),
    #[error("cannot become the reaper of orphans: {0}")]
    Reaper(io::Error),
    #[error("cannot tell who runs this: {0}")]
    Identity(FileError),
    #[error("cannot listen on {listen} (ONEPOD_LISTEN): {source}")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error("cannot start the health endpoint: {0}")]
    Health(io::Error),
}

/// What lives from the first line of the log to the last.
struct Pod {
    means: Means,
    /// For whoever asks something of the supervisor.
    handle: Handle,
    commands: Commands,
    stop: StopRequests,
    /// oned's first start on its database has not been seen to complete.
    bootstrapping: Arc<AtomicBool>,
}

impl Pod {
    /// Takes over signals, orphans and the log, and answers for health from now on.
    fn begin(settings: &Settings, paths: Paths) -> Result<Self, BeginError> {
        let log = Log::on_stdout(settings.log_format()).map_err(BeginError::Log)?;
        log.hide(
            secrecy::of_settings(settings)
                .into_iter()
                .chain(secrecy::of_volume(&paths)),
        );
        own::install(&log);
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        let stop = StopRequests::listen().map_err(BeginError::Signals)?;
        let reaper = Reaper::start().map_err(BeginError::Reaper)?;
        let board = Board::new();
        board.stage("settle").done();
        let listen = settings.listen();
        let listener = health::bind(listen).map_err(|source| BeginError::Listen { listen, source })?;
        let sources = Sources {
            board: board.clone(),
            reaper: reaper.clone(),
            log: log.clone(),
            release: paths.release(),
            started_at: Timestamp::now(),
            cpu: CpuCounters::default(),
            usage: UsageCache::default(),
            event_loop: EventLoop::default(),
        };
        tokio::spawn(sources.event_loop.clone().respond());
        health::start(listener, sources.clone()).map_err(BeginError::Health)?;
        tracing::info!("onepod {} begins; health on {listen}", env!("CARGO_PKG_VERSION"));
        let logs = paths.log();
        let identity = Identity::find(&paths).map_err(BeginError::Identity)?;
        let inherited = Inherited::of(env::vars_os());
        log.hide(
            inherited
                .secrets()
                .into_iter()
                .chain(settings.overrides().secrets()),
        );
        report_environment(&inherited);
        let (handle, commands) = handle::channel();
        match control::bind(&paths.control()) {
            Ok(socket) => drop(tokio::spawn(control::serve(socket, sources, handle.clone()))),
            // The pod works without it; only two of the operator's verbs do not.
            Err(error) => tracing::warn!(
                "cannot listen on {}: {error}; `onepod restart` and `onepod logs` will not work",
                paths.control().display()
            ),
        }
        Ok(Self {
            handle,
            commands,
            means: Means {
                reaper,
                log,
                board,
                paths,
                inherited,
                identity,
                builtins: Builtins::new().with("rotate-logs", move || rotate::run(logs.clone())),
                clock: Clock::system(),
                bootstrapping: false,
            },
            stop,
            bootstrapping: Arc::default(),
        })
    }

    /// Goes through the stages, runs the services, and stops at the first request: during the stages at once.
    async fn live(
        mut self,
        config: Config,
        stages: impl Future<Output = Result<Option<Prepared>, PrepareError>>,
    ) -> ExitCode {
        let log = self.means.log.clone();
        let prepared = tokio::select! {
            biased;
            () = self.stop.next() => None,
            prepared = stages => Some(prepared),
        };
        let code = match prepared {
            None => {
                self.means.board.set_phase(Phase::Stopping);
                tracing::info!("asked to stop before any service was started");
                ExitCode::SUCCESS
            }
            // What was prepared is kept until the last service has gone: it holds the database.
            Some(Ok(prepared)) => {
                log.hide(secrecy::of_volume(&self.means.paths));
                self.bootstrapping.store(
                    prepared.as_ref().is_some_and(|prepared| prepared.bootstrapping),
                    Ordering::Relaxed,
                );
                let _watches = prepared
                    .as_ref()
                    .and_then(|prepared| Some(self.watch(config.oned()?, prepared.settings.clone())));
                let (handle, paths) = (self.handle.clone(), self.means.paths.clone());
                let lease = async {
                    if let Some(standing) = prepared
                        .as_ref()
                        .and_then(|prepared| prepared.database.standing())
                    {
                        follow_lease(standing, &handle, &self.bootstrapping).await;
                    }
                    std::future::pending().await
                };
                self.means.bootstrapping = self.bootstrapping.load(Ordering::Relaxed);
                let ending = tokio::select! {
                    ending = supervise(config, self.means, self.commands, &mut self.stop) => ending,
                    ending = lease => ending,
                };
                tracing::info!("all services stopped");
                if let Some(prepared) = prepared {
                    let _ = time::timeout(RELEASE_TIMEOUT, prepared.database.release()).await;
                }
                match ending {
                    Ending::Asked => ExitCode::SUCCESS,
                    Ending::Failed(reason) => {
                        message::leave(paths.root(), &log.without_secrets(&reason));
                        ExitCode::FAILURE
                    }
                }
            }
            Some(Err(error)) => {
                let message = with_causes(&error);
                tracing::error!("{message}");
                message::leave(self.means.paths.root(), &log.without_secrets(&message));
                ExitCode::FAILURE
            }
        };
        log.finish(LAST_LINES);
        code
    }
}

impl Pod {
    /// Begins what looks after credentials and leadership beside the services; it ends with the value.
    fn watch(&mut self, oned: Endpoint, settings: Settings) -> JoinSet<()> {
        let (paths, board, handle) = (&self.means.paths, &self.means.board, &self.handle);
        let bootstrapping = Arc::clone(&self.bootstrapping);
        let (at, of, to) = (paths.clone(), settings.clone(), handle.clone());
        let confirm = move || {
            let (bootstrapping, paths, settings) = (Arc::clone(&bootstrapping), at.clone(), of.clone());
            let handle = to.clone();
            async move {
                if bootstrapping.load(Ordering::Relaxed) {
                    prepare::confirm_bootstrap(&settings, &paths).await?;
                    bootstrapping.store(false, Ordering::Relaxed);
                    handle.set_bootstrap_complete();
                }
                Ok(())
            }
        };
        let reconciler = Reconciler::new(
            settings,
            paths.clone(),
            board.clone(),
            handle.clone(),
            oned.clone(),
            self.means.log.clone(),
        );
        let mut watches = JoinSet::new();
        watches.spawn(Watch::new(reconciler.clone()).run());
        let (paths, handle) = (paths.clone(), handle.clone());
        watches.spawn(async move { leader::watch(&paths, &oned, &handle).await });
        let builtins = std::mem::take(&mut self.means.builtins);
        self.means.builtins = builtins.with("bootstrap", confirm).with("credentials", move || {
            let reconciler = reconciler.clone();
            async move { reconciler.run().await }
        });
        watches
    }
}

/// Has the supervisor stop at once what writes to the database while its lease cannot be renewed, and ends the pod when
/// another front-end has claimed it.
async fn follow_lease(mut standing: watch::Receiver<Standing>, handle: &Handle, bootstrapping: &AtomicBool) {
    loop {
        let now = standing.borrow_and_update().clone();
        match now {
            Standing::Held => handle.set_fenced(false),
            Standing::Fenced(sentence) => {
                handle.set_fenced(true);
                tracing::error!("database: {sentence}: what writes to it is stopped until it can be renewed");
                if bootstrapping.load(Ordering::Relaxed) {
                    handle.shut_down(format!(
                        "{sentence} during the first start on this database; the next start begins it again"
                    ));
                }
            }
            Standing::Taken(sentence) => {
                handle.set_fenced(true);
                handle.shut_down(sentence);
            }
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}

/// Says which variables of the container reach the services and which do not, by name.
fn report_environment(inherited: &Inherited) {
    let passed: Vec<String> = inherited.names().collect();
    if !passed.is_empty() {
        tracing::info!("environment: passed to the services: {}", passed.join(", "));
    }
    if !inherited.ignored().is_empty() {
        tracing::warn!(
            "environment: not passed to the services, which have an environment of their own: {}",
            inherited.ignored().join(", ")
        );
    }
}

/// An error and what it comes from, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = cause.source();
    }
    message
}

/// Ends with the exit code for mistakes in the settings, before anything was written.
fn refuse(paths: &Paths, message: &str) -> ExitCode {
    complain(message);
    message::leave(paths.root(), message);
    ExitCode::from(EXIT_USAGE)
}

fn fail(message: &str) -> ExitCode {
    complain(message);
    message::leave(Path::new("/"), message);
    ExitCode::FAILURE
}
