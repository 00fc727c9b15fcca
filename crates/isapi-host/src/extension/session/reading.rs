//! The request's body in a session: ReadClient on the extension's thread, ASYNC_READ_CLIENT by a task of the host's
//! runtime. One of them at a time: a task takes the body with it and brings it back before its completion is told.
#![expect(unsafe_code, reason = "an asynchronous read fills memory that the module lends")]

use std::mem::{self, MaybeUninit};
use std::sync::{Arc, TryLockError};

use tokio::sync::oneshot;

use super::Session;
use crate::extension::completion::{Operation, Ticket};
use crate::extension::lent::LentRoom;
use crate::extension::request_body::RequestBody;
use crate::lock::LockAnyway;
use crate::win32::Win32Error;

/// Where the body is.
pub(super) enum BodyPlace {
    Here(RequestBody),
    /// With the task of an asynchronous read.
    Away,
    /// Nobody may read it any more.
    Ended,
}

impl Session {
    /// The next bytes of the body; see [`RequestBody::read`].
    ///
    /// # Errors
    /// As there, and 87 while an asynchronous read is outstanding.
    pub(crate) fn read(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<usize, Win32Error> {
        match &mut *self.body.lock_anyway() {
            BodyPlace::Here(body) => body.read(buffer, self.runtime()?),
            BodyPlace::Away | BodyPlace::Ended => Err(Win32Error::INVALID_PARAMETER),
        }
    }

    /// Starts to read the next bytes of the body into `room`; the completion tells how many, none at the end.
    ///
    /// # Errors
    /// 87 when there is no callback, another operation is outstanding, or another thread is inside ReadClient.
    ///
    /// # Safety
    /// * The room is valid, and left alone by the module, until the completion.
    pub(crate) unsafe fn read_async(self: &Arc<Self>, room: LentRoom) -> Result<(), Win32Error> {
        let (stop, stopped) = oneshot::channel();
        let ticket = self.begin(Operation { stop: Some(stop), ..Operation::default() })?;
        let body = match self.take_body() {
            Ok(body) => body,
            Err(error) => return self.withdraw(ticket, error),
        };
        let reading = Reading { session: Arc::clone(self), body: Some(body), ticket };
        // A runtime that shuts down drops the task instead of running it; the body goes back then, too.
        self.runtime()?.spawn(reading.run(room, stopped));
        Ok(())
    }

    pub(super) fn take_body(&self) -> Result<RequestBody, Win32Error> {
        let mut place = match self.body.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread reads.
            Err(TryLockError::WouldBlock) => return Err(Win32Error::INVALID_PARAMETER),
        };
        match mem::replace(&mut *place, BodyPlace::Away) {
            BodyPlace::Here(body) => Ok(body),
            other => {
                *place = other;
                Err(Win32Error::INVALID_PARAMETER)
            }
        }
    }

    pub(super) fn bring_body_back(&self, body: RequestBody) {
        let mut place = self.body.lock_anyway();
        if matches!(*place, BodyPlace::Away) {
            *place = BodyPlace::Here(body);
        }
    }

    /// Gives the body up. A reader on another thread keeps it a little longer; it is then dropped with the session.
    pub(super) fn end_body(&self) {
        if let Ok(mut place) = self.body.try_lock() {
            *place = BodyPlace::Ended;
        }
    }
}

/// One asynchronous read on its way. Dropping it brings the body back.
struct Reading {
    session: Arc<Session>,
    body: Option<RequestBody>,
    ticket: Ticket,
}

impl Reading {
    /// Waits for bytes, or for being asked to stop, and completes the operation.
    async fn run(mut self, mut room: LentRoom, stopped: oneshot::Receiver<Win32Error>) {
        let Some(body) = &mut self.body else { return };
        let result = tokio::select! {
            // So that no byte is taken from the body for an operation that has been cancelled.
            biased;
            asked = stopped => match asked {
                Ok(error) => Err(error),
                // The operation is no longer in the books.
                Err(_) => return,
            },
            ready = body.wait_for_bytes() => ready,
        };
        let settled = self.session.settle(self.ticket, || {
            result?;
            // SAFETY: the operation is outstanding, and cannot end before this closure does.
            Ok(body.take(unsafe { room.room() }))
        });
        let (session, ticket) = (Arc::clone(&self.session), self.ticket);
        drop(self);
        if let Some(result) = settled {
            session.complete(ticket, result.map(|count| u32::try_from(count).unwrap_or(u32::MAX)));
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.session.bring_body_back(body);
        }
    }
}
