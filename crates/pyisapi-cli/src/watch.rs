//! `--reload`: a parent process that keeps the listening socket and restarts the server on changes.
//!
//! Python cannot be started twice in one process, so the server is a child. The socket stays open in the
//! parent: while no child runs, connections wait instead of being refused.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::address;
use crate::error::CliError;
use crate::placing::is_python;
use crate::serve::ServeArguments;
use crate::stand_in;
use crate::stopping::StopSignals;

/// Editors write a file in several steps; a restart waits until this long nothing more has changed.
const SETTLE: Duration = Duration::from_millis(150);

/// How long requests may hold up a restart.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the parent woke up.
enum Wake {
    Stop,
    Changed(PathBuf),
    Exited(String),
}

/// What a restart is for: Python files below the folders of what is served, and the libraries named. Other
/// libraries are left alone, because the server itself puts loaders there.
struct Watched {
    folders: BTreeSet<PathBuf>,
    libraries: BTreeSet<PathBuf>,
}

impl Watched {
    fn of(arguments: &ServeArguments) -> Result<Self, CliError> {
        let (mut folders, mut libraries) = (BTreeSet::new(), BTreeSet::new());
        let scripts = arguments.mounts()?.into_iter().map(|mount| mount.script).chain(arguments.filters()?);
        for script in scripts {
            let served = std::fs::canonicalize(&script).map_err(|error| CliError::script(script, error))?;
            folders.insert(served.parent().unwrap_or(Path::new("/")).to_owned());
            if !is_python(&served) {
                libraries.insert(served);
            }
        }
        Ok(Self { folders, libraries })
    }

    /// The first path of an event that changes the contents of what counts.
    fn changed(&self, event: notify::Event) -> Option<PathBuf> {
        if matches!(event.kind, EventKind::Access(_)) {
            return None;
        }
        event.paths.into_iter().find(|path| is_python(path) || self.libraries.contains(path))
    }
}

/// Runs the server as a child and restarts it whenever a script changes, until asked to stop.
#[cfg(unix)]
pub fn serve_and_reload(arguments: &ServeArguments) -> Result<ExitCode, CliError> {
    let watched = Watched::of(arguments)?;
    let listener = address::bind(&arguments.host, arguments.port)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Spawn)?;
    runtime.block_on(supervise(&listener, watched))
}

#[cfg(not(unix))]
pub fn serve_and_reload(arguments: &ServeArguments) -> Result<ExitCode, CliError> {
    let _ = arguments;
    Err(CliError::Spawn(std::io::Error::new(std::io::ErrorKind::Unsupported, "--reload needs Unix in this version")))
}

async fn supervise(listener: &TcpListener, watched: Watched) -> Result<ExitCode, CliError> {
    let (sender, mut changes) = unbounded_channel();
    let folders = watched.folders.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let changed = event.ok().and_then(|event| watched.changed(event));
        // The receiver is gone only when the process is about to end.
        changed.map(|path| sender.send(path).ok());
    })?;
    for folder in &folders {
        watcher.watch(folder, RecursiveMode::Recursive)?;
    }
    let mut stop = StopSignals::receive()?;
    let mut child = Some(spawn(listener)?);
    loop {
        let wake = tokio::select! {
            () = stop.next() => Wake::Stop,
            Some(path) = changes.recv() => Wake::Changed(path),
            status = exit_of(listener, &mut child) => Wake::Exited(status?),
        };
        match wake {
            Wake::Stop => {
                end(child).await;
                return Ok(ExitCode::SUCCESS);
            }
            Wake::Exited(status) => {
                child = None;
                tracing::warn!("the server has ended ({status}); it starts again when a script changes");
            }
            Wake::Changed(path) => {
                settle(&mut changes).await;
                tracing::info!("{} has changed: restarting", path.display());
                end(child).await;
                child = Some(spawn(listener)?);
            }
        }
    }
}

async fn settle(changes: &mut UnboundedReceiver<PathBuf>) {
    while let Ok(Some(_)) = timeout(SETTLE, changes.recv()).await {}
}

/// The same command line without `--reload`, with the socket handed down.
fn spawn(listener: &TcpListener) -> Result<Child, CliError> {
    let (variable, value) = address::hand_down(listener)?;
    let program = std::env::current_exe().map_err(CliError::Spawn)?;
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--reload");
    Command::new(program).args(arguments).env(variable, value).kill_on_drop(true).spawn().map_err(CliError::Spawn)
}

/// Ends when the child does, with how it ended; while there is none, answers in its stead.
async fn exit_of(listener: &TcpListener, child: &mut Option<Child>) -> Result<String, CliError> {
    match child {
        Some(child) => child.wait().await.map(|status| status.to_string()).map_err(CliError::Spawn),
        None => stand_in::answer(listener).await.map(|()| String::new()),
    }
}

/// Asks the child to stop; once more, which means at once, when its requests take too long for a developer; and
/// ends it when even that is not heard.
async fn end(child: Option<Child>) {
    let Some(mut child) = child else { return };
    terminate(&child);
    if timeout(PATIENCE, child.wait()).await.is_ok() {
        return;
    }
    terminate(&child);
    if timeout(PATIENCE, child.wait()).await.is_err()
        && let Err(error) = child.kill().await
    {
        tracing::error!("the server process could not be ended: {error}");
    }
}

fn terminate(child: &Child) {
    let process = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(process) = process {
        // It may have ended by itself in this moment.
        rustix::process::kill_process(process, rustix::process::Signal::TERM).ok();
    }
}
