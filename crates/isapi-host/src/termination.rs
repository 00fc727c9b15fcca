//! The end of all libraries: TerminateExtension and TerminateFilter of each, at the same time; each kind gets its limit.
//!
//! Each runs on a thread of its own, since threads of the executor may be stuck in handlers that never return. What
//! has not returned when the time is up is left to the end of the process.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use isapi_abi::fence::fence;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::host::Host;
use crate::repeated;

/// How long calls of filters may go on when there are no requests any more.
const FOR_FILTERS: Duration = Duration::from_secs(2);

/// What is to be called.
struct End {
    /// The entry point's name.
    name: &'static str,
    library: PathBuf,
    call: Box<dyn FnOnce() + Send>,
}

/// Tells the libraries of a host that the server ends: extensions first, then filters, when
/// none of these is called any more. Each kind gets at most `limit`.
pub(crate) async fn terminate_all(host: &Host, limit: Duration) {
    let extensions = host.extensions.loaded().into_iter().map(|extension| End {
        name: "TerminateExtension",
        library: extension.path().to_owned(),
        call: Box::new(move || extension.terminate()),
    });
    end(extensions.collect(), limit).await;
    let Some(chain) = host.filters() else { return };
    if !chain.close(FOR_FILTERS).await {
        return tracing::error!(
            "ISAPI0324 TerminateFilter is not called: a filter has not returned from a notification, even {} s after the \
             last request",
            FOR_FILTERS.as_secs()
        );
    }
    let filters = chain.filters().to_vec();
    let filters = filters.into_iter().map(|filter| End {
        name: "TerminateFilter",
        library: filter.path().to_owned(),
        call: Box::new({
            let filter = Arc::clone(&filter);
            move || filter.terminate()
        }),
    });
    end(filters.collect(), limit).await;
}

async fn end(ends: Vec<End>, limit: Duration) {
    let deadline = Instant::now() + limit;
    let started: Vec<_> = ends.into_iter().map(|end| (end.name, end.library.clone(), start(end))).collect();
    for (name, library, ended) in started {
        if timeout_at(deadline, ended).await.is_err() {
            let library = library.display();
            tracing::error!("ISAPI0324 {name} of {library} did not return within {} s", limit.as_secs());
        }
    }
}

/// Starts one end; the receiver hears of it when it is over.
fn start(end: End) -> oneshot::Receiver<()> {
    let (done, ended) = oneshot::channel();
    let run = move || {
        fence((), end.call);
        // The receiver may have stopped waiting.
        let _ = done.send(());
    };
    if let Err(error) = thread::Builder::new().name("isapi-end".to_owned()).spawn(run) {
        repeated::warn("ISAPI0313", || format!("ISAPI0313 cannot start a thread for extensions: {error}"));
    }
    ended
}
