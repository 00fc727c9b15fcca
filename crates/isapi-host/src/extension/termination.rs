//! The end of all extensions: TerminateExtension of each, at the same time, within one limit.
//!
//! Each runs on a thread of its own, since threads of the executor may be stuck in handlers that never return. What
//! has not returned when the time is up is left to the end of the process.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use isapi_abi::fence::fence;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::library::Extension;
use crate::host::Host;
use crate::repeated;

/// Tells the extensions of a host that the server ends; together they get at most `limit`.
pub(crate) async fn terminate_all(host: &Host, limit: Duration) {
    let deadline = Instant::now() + limit;
    let loaded = host.extensions.loaded();
    let started: Vec<_> = loaded.into_iter().map(|extension| (start(&extension), extension)).collect();
    for (ended, extension) in started {
        if timeout_at(deadline, ended).await.is_err() {
            let path = extension.path().display();
            tracing::error!("ISAPI0324 TerminateExtension of {path} did not return within {} s", limit.as_secs());
        }
    }
}

/// Starts the end of one extension; the receiver hears of it when it is over.
fn start(extension: &Arc<Extension>) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    let job = Arc::clone(extension);
    let end = move || {
        fence((), || job.terminate());
        // The receiver may have stopped waiting.
        let _ = done.send(());
    };
    if let Err(error) = thread::Builder::new().name("isapi-end".to_owned()).spawn(end) {
        repeated::warn("ISAPI0313", || format!("ISAPI0313 cannot start a thread for extensions: {error}"));
    }
    ended
}
