//! The extensions of a server: each library is loaded once, by the first request that needs it.
//!
//! Requests that come meanwhile wait for the same load, which goes on when the one that started it goes away. A
//! failure is remembered for a moment, so that a broken library is not tried once a request. The map is touched by
//! I/O tasks; loading itself runs on a thread of the executor.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::library::Extension;
use crate::error::HostError;
use crate::executor::Executor;
use crate::lock::LockAnyway;

/// How long a failure is answered without trying again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// All libraries asked for so far.
#[derive(Default)]
pub(crate) struct Registry {
    entries: Mutex<HashMap<PathBuf, Arc<Entry>>>,
}

#[derive(Default)]
struct Entry {
    loaded: OnceLock<Arc<Extension>>,
    /// Held while one task loads; the last failure and when it was.
    attempt: tokio::sync::Mutex<Option<(Instant, Arc<HostError>)>>,
}

impl Registry {
    /// The extension in the file `path`, loaded now if need be.
    ///
    /// # Errors
    /// When it cannot be loaded, now or a moment ago.
    pub(crate) async fn get(&self, path: &Path, executor: &Arc<Executor>) -> Result<Arc<Extension>, Arc<HostError>> {
        let entry = self.entry(path);
        if let Some(extension) = entry.loaded.get() {
            return Ok(Arc::clone(extension));
        }
        let (path, executor) = (path.to_owned(), Arc::clone(executor));
        // A task of its own: the request that waits may be dropped, the load must not be.
        let attempt = tokio::spawn(async move { entry.load(path, &executor).await });
        attempt.await.unwrap_or_else(|_| Err(Arc::new(HostError::Stopping)))
    }

    fn entry(&self, path: &Path) -> Arc<Entry> {
        let mut entries = self.entries.lock_anyway();
        if let Some(entry) = entries.get(path) {
            return Arc::clone(entry);
        }
        let entry = Arc::new(Entry::default());
        entries.insert(path.to_owned(), Arc::clone(&entry));
        entry
    }

    /// Enters an extension that needs no loading.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn enter(&self, extension: Extension) {
        self.entry(extension.path()).loaded.get_or_init(|| Arc::new(extension));
    }

    /// Those that are loaded.
    pub(crate) fn loaded(&self) -> Vec<Arc<Extension>> {
        self.entries.lock_anyway().values().filter_map(|entry| entry.loaded.get().cloned()).collect()
    }
}

impl Entry {
    async fn load(&self, path: PathBuf, executor: &Executor) -> Result<Arc<Extension>, Arc<HostError>> {
        let mut attempt = self.attempt.lock().await;
        if let Some(extension) = self.loaded.get() {
            return Ok(Arc::clone(extension));
        }
        if let Some((when, error)) = attempt.as_ref().filter(|(when, _)| when.elapsed() < RETRY_AFTER) {
            tracing::debug!("not tried again {:?} after it failed", when.elapsed());
            return Err(Arc::clone(error));
        }
        match load_on_thread(path, executor).await {
            Ok(extension) => Ok(Arc::clone(self.loaded.get_or_init(|| Arc::new(extension)))),
            Err(HostError::Busy) => Err(Arc::new(HostError::Busy)),
            Err(error) => {
                tracing::error!("{error}");
                let error = Arc::new(error);
                *attempt = Some((Instant::now(), Arc::clone(&error)));
                Err(error)
            }
        }
    }
}

async fn load_on_thread(path: PathBuf, executor: &Executor) -> Result<Extension, HostError> {
    let (sender, receiver) = oneshot::channel();
    let job = move || {
        // The receiver is a task that waits for exactly this.
        let _ = sender.send(Extension::load(&path));
    };
    executor.run_apart(job).map_err(|_| HostError::Busy)?;
    receiver.await.unwrap_or(Err(HostError::Stopping))
}
