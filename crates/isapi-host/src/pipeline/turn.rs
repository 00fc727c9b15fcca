//! Whose turn it is on a connection: filters are called one notification at a time, on native threads, for as long as
//! they may take.
//!
//! A stage of a request is a job that waits for its turn. One that does not end in time is given up: nobody waits for
//! it, no other gets the turn, and when it ends after all, what is owed to the filters is made good.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use tokio::sync::oneshot;

use super::net_session::NetSession;
use crate::executor;
use crate::lock::LockAnyway;

/// Filters cannot be asked: one has not returned in time, or there was no thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// A filter has not returned in time.
    Stuck,
    /// There is no thread for them.
    Busy,
}

impl NetSession {
    /// Whether a filter has not returned in time.
    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }

    /// Runs `work`, which notifies filters, on a native thread.
    ///
    /// # Errors
    /// When it takes longer than filters may, or one has before. It then goes on by itself.
    pub(super) async fn call<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Unasked> {
        let (job, result) = self.job(work)?;
        self.host().executor.go_on(self.chain().pace(), job);
        self.in_time(result).await
    }

    /// As [`NetSession::call`], for the first stage of a request.
    ///
    /// # Errors
    /// As there, and when too many requests wait already.
    pub(super) async fn call_first<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Unasked> {
        let (job, result) = self.job(work)?;
        self.host().executor.begin(self.chain().pace(), job).map_err(|_| Unasked::Busy)?;
        self.in_time(result).await
    }

    /// As [`NetSession::call`], for a native thread, which waits.
    ///
    /// # Errors
    /// As there.
    pub(super) fn call_and_wait<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Unasked> {
        let (job, result) = self.job(work)?;
        let event_loop = self.event_loop.as_ref().ok_or(Unasked::Busy)?;
        executor::about_to_block();
        event_loop.handle().spawn_blocking(job);
        let (sender, receiver) = std::sync::mpsc::channel();
        let session = Arc::clone(self);
        event_loop.handle().spawn(async move {
            // The thread waits for exactly this.
            let _ = sender.send(session.in_time(result).await);
        });
        receiver.recv().unwrap_or(Err(Unasked::Busy))
    }

    /// A job that runs `work` in turn, and what it will give.
    fn job<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<(impl FnOnce() + Send + 'static, oneshot::Receiver<R>), Unasked> {
        if self.is_stuck() {
            return Err(Unasked::Stuck);
        }
        let (sender, receiver) = oneshot::channel();
        let session = Arc::clone(self);
        let job = move || {
            let turn = session.wait_for_turn();
            if session.is_stuck() || session.is_over.load(Ordering::Acquire) {
                // Nobody waits for it any more.
                return;
            }
            let result = work();
            session.returned_late();
            drop(turn);
            // Whoever waited may have lost patience.
            let _ = sender.send(result);
        };
        Ok((job, receiver))
    }

    async fn in_time<R>(&self, result: oneshot::Receiver<R>) -> Result<R, Unasked> {
        match tokio::time::timeout(self.host().filter_limit, result).await {
            Ok(Ok(result)) => Ok(result),
            // Only a panic drops the other end, and has been reported.
            Ok(Err(_)) => Err(Unasked::Busy),
            Err(_) => Err(self.give_up()),
        }
    }

    fn wait_for_turn(&self) -> MutexGuard<'_, ()> {
        if let Ok(turn) = self.turn.try_lock() {
            return turn;
        }
        executor::about_to_block();
        self.turn.lock_anyway()
    }

    fn give_up(&self) -> Unasked {
        let limit = self.host().filter_limit.as_secs_f32();
        let Some((filter, notification, request)) = self.present() else {
            tracing::error!("ISAPI0337 no thread was free for the filters of a request for {limit} s");
            return Unasked::Busy;
        };
        if !self.is_stuck.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "ISAPI0337 the filter {filter} has not returned from {notification}{request} for {limit} s; its \
                 connection, from {}, is closed",
                self.peers().remote
            );
        }
        if let Some(link) = self.link() {
            link.close_behind_response();
        }
        Unasked::Stuck
    }

    /// Filters have returned; if one had been given up, what is owed to them is made good. Called in turn.
    fn returned_late(self: &Arc<Self>) {
        if self.is_stuck.swap(false, Ordering::AcqRel) && self.owes_end.load(Ordering::Acquire) {
            self.raise_end();
            self.leave();
        }
    }

    /// The filter that is being notified, of what, and for which request.
    fn present(&self) -> Option<(&str, &'static str, String)> {
        let mut contexts = self.contexts.iter().zip(self.chain().filters());
        contexts.find_map(|(context, filter)| {
            let visit = context.visit()?;
            let request =
                visit.request.as_ref().map_or_else(String::new, |request| format!(" for {}", request.describe()));
            Some((filter.name(), visit.notification.name(), request))
        })
    }
}
