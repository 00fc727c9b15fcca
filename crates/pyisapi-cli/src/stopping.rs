//! Being asked to stop: Ctrl-C, or SIGTERM on Unix. The first time means gracefully, the second time now.

use std::pin::pin;

use tokio::sync::oneshot;

use crate::error::CliError;

/// The signals that mean "stop", received from the moment this exists.
pub struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Starts to receive them.
    pub fn receive() -> Result<Self, CliError> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
            let terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
            Ok(Self { interrupt, terminate })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await.ok();
    }

    /// Runs what `start` makes and that has `grace` seconds to stop; tells it at the first signal, and gives it up at the second.
    pub async fn run_until_asked_twice<F: Future<Output = ()>>(
        &mut self,
        grace: u64,
        start: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) {
        let (ask, asked) = oneshot::channel();
        let mut running = pin!(start(asked));
        tokio::select! {
            () = &mut running => return,
            () = self.next() => {}
        }
        tracing::info!("stopping: unfinished requests have {grace} s; ask again to stop at once");
        // The receiver is gone only when `running` has ended.
        ask.send(()).ok();
        tokio::select! {
            () = &mut running => {}
            () = self.next() => tracing::warn!("stopping at once: unfinished requests are cut"),
        }
    }
}
