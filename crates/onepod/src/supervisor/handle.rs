//! What other parts of the program may ask of the supervisor while it runs, and before.
//!
//! Requests wait in a channel until the supervisor takes them. What follows from a request is decided there.

use tokio::sync::{mpsc, oneshot};

/// Asks the supervisor for something. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
}

/// The requests as the supervisor takes them.
#[derive(Debug)]
pub struct Commands {
    commands: mpsc::UnboundedReceiver<Command>,
}

/// Where the answer to a request goes.
pub(crate) type Reply = oneshot::Sender<Result<(), CommandError>>;

/// One request.
#[derive(Debug)]
pub(crate) enum Command {
    Restart { name: String, reply: Reply },
    RunTask { name: String, reply: Reply },
    Leader(bool),
    Fence(bool),
    BootstrapComplete,
    ShutDown(String),
}

/// Why a request was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// services.toml has no such service, task or timer.
    #[error("there is no {0:?}; `onepod status` lists the names")]
    Unknown(String),
    /// It is not of the kind that can do this.
    #[error("{name} is a {kind}: {instead}")]
    Kind {
        /// Which.
        name: String,
        /// What it is.
        kind: &'static str,
        /// What can be done with it.
        instead: &'static str,
    },
    /// It stands where nothing can be done with it.
    #[error("{name} is {state}")]
    State {
        /// Which.
        name: String,
        /// Where it stands.
        state: &'static str,
    },
    /// The run that was asked for has failed.
    #[error("{name}: {cause}")]
    Failed {
        /// Which.
        name: String,
        /// Why.
        cause: String,
    },
    /// The pod stops.
    #[error("the pod is stopping")]
    Stopping,
}

/// A handle and the requests that come through it and its clones.
#[must_use]
pub fn channel() -> (Handle, Commands) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Handle { commands: sender }, Commands { commands: receiver })
}

impl Handle {
    /// Stops one service in order and starts it again at once; what comes after it stays. Resolves when its successor
    /// runs.
    pub async fn restart(&self, name: &str) -> Result<(), CommandError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Restart { name, reply }).await
    }

    /// Has a task run again, or a timer run now. Resolves when that run has ended; a task that fails is tried again
    /// all the same.
    pub async fn run_task(&self, name: &str) -> Result<(), CommandError> {
        let name = name.to_owned();
        self.ask(|reply| Command::RunTask { name, reply }).await
    }

    /// Says whether this front-end leads its zone. Without a word it does.
    pub fn set_leader(&self, leads: bool) {
        // Nobody listens any more: then nothing is supervised any more, here and below.
        let _ = self.commands.send(Command::Leader(leads));
    }

    /// Says whether this front-end cannot renew the lease of its database: what writes to it is killed at once then.
    pub fn set_fenced(&self, fenced: bool) {
        let _ = self.commands.send(Command::Fence(fenced));
    }

    /// Says that oned's first start on its database is complete.
    pub fn set_bootstrap_complete(&self) {
        let _ = self.commands.send(Command::BootstrapComplete);
    }

    /// Stops everything in order and ends the pod as failed, with this reason.
    pub fn shut_down(&self, reason: String) {
        let _ = self.commands.send(Command::ShutDown(reason));
    }

    async fn ask(&self, command: impl FnOnce(Reply) -> Command) -> Result<(), CommandError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(command(reply));
        answer.await.unwrap_or(Err(CommandError::Stopping))
    }
}

impl Commands {
    /// Waits for the next request; for ever once every handle is gone.
    pub(super) async fn next(&mut self) -> Command {
        match self.commands.recv().await {
            Some(command) => command,
            None => std::future::pending().await,
        }
    }

    /// The next request, if there is one already.
    pub(crate) fn take(&mut self) -> Option<Command> {
        self.commands.try_recv().ok()
    }
}
