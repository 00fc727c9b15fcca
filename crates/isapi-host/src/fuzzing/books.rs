//! What a module knows of its operations: which are under way, what was lent to them, and how many completions the host
//! owes.

use isapi_abi::win32;

use super::memory::Memory;
use super::program::is_part_of_body;

/// What was lent to an operation, and how it may end.
#[derive(Debug)]
pub(super) struct Pending {
    /// What the host uses until the completion. For a read, the room comes first.
    pub(super) lent: Vec<Memory>,
    pub(super) success: Success,
    /// It reports to a callback of its own.
    pub(super) own_callback: bool,
    /// The callback was unregistered while it was under way, so that its completion may stay away.
    unsure: bool,
}

/// What a completion without an error says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Success {
    /// So many bytes were sent.
    Sent(u64),
    /// Bytes were read into the room, at most all of it.
    Read,
    /// Any number of bytes.
    Unknown,
}

impl Pending {
    pub(super) fn new(success: Success, lent: Vec<Memory>) -> Self {
        Pending { lent, success, own_callback: false, unsure: false }
    }

    fn check(&self, bytes: u32, error: u32) {
        if error != win32::ERROR_SUCCESS {
            assert_eq!(bytes, 0, "an operation that failed with {error} has bytes");
            return;
        }
        match self.success {
            Success::Sent(total) => assert_eq!(u64::from(bytes), total, "not all bytes were sent"),
            Success::Read => {
                let read = &self.lent[0].bytes()[..bytes as usize];
                assert!(is_part_of_body(read), "bytes that are not the body's");
            }
            Success::Unknown => {}
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Books {
    /// The operation whose start has not returned.
    in_start: Option<Pending>,
    outstanding: Option<Pending>,
    /// Lent to operations that cannot be told from others, or whose completion may stay away: kept to the end.
    kept: Vec<Pending>,
    registered: bool,
    accepted: usize,
    completed: usize,
    /// Accepted, and perhaps never to be completed.
    unsure: usize,
    /// Parts of the program that are being done; the module is used until there is none.
    pub(super) users: usize,
    /// Those of them that have not come to their end.
    running: usize,
    thread_started: bool,
    /// HttpExtensionProc returns, or has returned, PENDING.
    pending: bool,
    done: bool,
}

impl Default for Books {
    /// HttpExtensionProc runs.
    fn default() -> Self {
        Books {
            in_start: None,
            outstanding: None,
            kept: Vec::new(),
            registered: false,
            accepted: 0,
            completed: 0,
            unsure: 0,
            users: 1,
            running: 1,
            thread_started: false,
            pending: false,
            done: false,
        }
    }
}

impl Books {
    /// An operation is about to be started.
    pub(super) fn starts(&mut self, mut pending: Pending) {
        pending.unsure = !self.registered && !pending.own_callback;
        self.in_start = Some(pending);
    }

    /// The start has returned. What is returned here is no longer lent.
    pub(super) fn started(&mut self, accepted: bool) -> Option<Pending> {
        let in_start = self.in_start.take();
        if !accepted {
            assert!(in_start.is_some(), "an operation was completed and then refused");
            return in_start;
        }
        self.accepted += 1;
        if let Some(pending) = in_start {
            self.unsure += usize::from(pending.unsure);
            let before = self.outstanding.replace(pending);
            if before.is_some() || !self.kept.is_empty() {
                // The end of the one before is on its way, or it has none: from now on, completions may be of either.
                self.kept.extend(before.into_iter().chain(self.outstanding.take()));
            }
        }
        None
    }

    /// A completion has come; says which of the module it is, from 0 on.
    pub(super) fn complete(&mut self, bytes: u32, error: u32) -> usize {
        self.users += 1;
        self.running += 1;
        self.completed += 1;
        if !self.kept.is_empty() {
            // It may be anyone's.
            return self.completed - 1;
        }
        // While another is being started, it may be that one's; what was outstanding is over nevertheless, or the other
        // would not have been accepted.
        let is_certain = self.outstanding.is_none() || self.in_start.is_none();
        let from_start = self.outstanding.is_none();
        let found = self.outstanding.take().or_else(|| self.in_start.take());
        let pending = found.expect("a completion comes for an operation");
        if is_certain {
            pending.check(bytes, error);
            self.unsure -= usize::from(pending.unsure && !from_start);
        }
        self.completed - 1
    }

    /// A callback has been registered, or none is about to be.
    pub(super) fn registers(&mut self, callback: bool) {
        self.registered = callback;
        if callback {
            return;
        }
        // Those that are kept may be over, which makes no difference.
        for pending in self.outstanding.iter_mut().chain(&mut self.kept).filter(|pending| !pending.own_callback) {
            self.unsure += usize::from(!std::mem::replace(&mut pending.unsure, true));
        }
    }

    /// Whether the module's thread is to be started now.
    pub(super) fn starts_thread(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.thread_started, true);
        self.users += usize::from(first);
        self.running += usize::from(first);
        first
    }

    /// HttpExtensionProc is about to return.
    pub(super) fn returns(&mut self, pending: bool) {
        self.pending = pending;
    }

    /// DONE_WITH_SESSION is about to be called.
    pub(super) fn is_done(&mut self) {
        self.done = true;
    }

    /// Whether a completion is due.
    pub(super) fn awaits(&self) -> bool {
        self.completed + self.unsure < self.accepted
    }

    /// A part of the program has come to its end; `true` when the module is to end the session now.
    pub(super) fn leave(&mut self) -> bool {
        self.running -= 1;
        self.pending && self.running == 0 && !self.awaits() && !std::mem::replace(&mut self.done, true)
    }

    /// Checks that every completion has come.
    pub(super) fn check_at_end(&self) {
        assert!(self.completed <= self.accepted, "completions without operations: {self:?}");
        assert!(!self.awaits(), "operations without completions: {self:?}");
    }
}
