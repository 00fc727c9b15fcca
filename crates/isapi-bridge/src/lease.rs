//! The server's request as the bridge holds it: a lease on an `EXTENSION_CONTROL_BLOCK`.
//!
//! The server owns the block and may recycle it as soon as the request ends. A [`Lease`] is made when
//! `HttpExtensionProc` is called and ends once: by `DONE_WITH_SESSION`, or when the entry point returns
//! anything but pending. All Python objects of a request share it. Whoever uses the block enters the lease
//! first, so a thread that is inside a server call when another ends the request finishes its call before
//! the server hears of the end; whoever comes later gets [`CallError::Expired`].
//!
//! Any thread may call; none of the methods needs the interpreter, and those that call the server may block.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_REQ_DONE_WITH_SESSION, HSE_STATUS_ERROR};

use pyo3::Python;

use crate::attach::attach;
use crate::failure::{FORGOTTEN, Failure};
use crate::never_waits::{Server, never_waits};
use crate::operation::Slot;
use crate::server_calls::{StringMember, support};

/// Why a call to the server gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// The request has ended; the server was not asked.
    Expired,
    /// The server refused, with this Win32 error.
    Win32(u32),
}

/// The life of a request. `inside` counts the threads within a server call.
enum Life {
    Open {
        inside: usize,
    },
    /// Ended while threads were inside; the last to leave forwards `done` to the server.
    Closing {
        inside: usize,
        done: Option<u32>,
    },
    Closed,
}

/// Leases that exist.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// How many requests some Python object still holds, finished ones included: what a leak would let grow.
pub fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// See the module.
pub struct Lease {
    pub(crate) block: *mut EXTENSION_CONTROL_BLOCK,
    /// The server has promised that short calls never wait.
    pub never_waits: bool,
    life: Mutex<Life>,
    /// Somebody waits for `all_left`. Changed and read under the lock of `life`.
    retiring: AtomicBool,
    all_left: Condvar,
    /// A response head or body went out: no error page can follow.
    pub(crate) answered: AtomicBool,
    /// Body bytes that `ReadClient` has delivered so far.
    pub body_read: AtomicU64,
    /// Body bytes that came before a failure of `ReadClient`: the next call delivers them.
    pub kept: Mutex<Vec<u8>>,
    /// Held while one of the block's two writable members is set.
    pub(crate) members: Mutex<()>,
    /// The outstanding asynchronous operation, and whom `IOCompletion` wants to be called.
    pub operations: Slot,
}

// SAFETY: `block` is used only inside the lease (`enter`), where the contract keeps it valid on any thread.
unsafe impl Send for Lease {}
// SAFETY: as above; the server's callbacks may be called from any thread.
unsafe impl Sync for Lease {}

/// What leaving comes to.
enum Step {
    /// Nothing more to do.
    Left,
    /// The lease is to be closed now, with this status for the server if it has not been told.
    Last(Option<u32>),
}

/// Proof that the request is alive, for as long as it exists. Not to be dropped with the interpreter held: the
/// last one out tells the server.
pub struct Entered<'a>(pub(crate) &'a Lease);

/// As [`Entered`], for a moment's look with the interpreter held.
pub struct Attached<'a, 'py> {
    entered: ManuallyDrop<Entered<'a>>,
    py: Python<'py>,
}

impl<'a> Deref for Attached<'a, '_> {
    type Target = Entered<'a>;

    fn deref(&self) -> &Entered<'a> {
        &self.entered
    }
}

impl Drop for Attached<'_, '_> {
    fn drop(&mut self) {
        let lease = self.entered.0;
        if let Step::Last(done) = lease.step_out() {
            // Whoever asked for the end has long returned; the server's refusal has nobody to go to.
            self.py.detach(|| lease.close(done)).ok();
        }
    }
}

impl Lease {
    /// Takes a lease on the request behind `block`.
    ///
    /// # Safety
    /// - `block` points to a control block whose callbacks are all set.
    /// - It stays valid until the server has been told `DONE_WITH_SESSION`, or until [`Lease::retire`] returns.
    pub unsafe fn new(block: *mut EXTENSION_CONTROL_BLOCK) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self {
            block,
            // SAFETY: the caller says that the block is alive.
            never_waits: unsafe { never_waits(block) },
            retiring: AtomicBool::new(false),
            life: Mutex::new(Life::Open { inside: 0 }),
            all_left: Condvar::new(),
            answered: AtomicBool::new(false),
            body_read: AtomicU64::new(0),
            kept: Mutex::default(),
            members: Mutex::new(()),
            operations: Slot::default(),
        }
    }

    /// The server, when it has promised that short calls never wait.
    pub fn server(&self, py: Python<'_>) -> Option<Server> {
        let entered = self.enter_attached(py).ok().filter(|_| self.never_waits)?;
        // SAFETY: `entered` keeps the block alive.
        unsafe { Server::of(entered.block()) }
    }

    /// Keeps the request alive while the result exists.
    pub fn enter(&self) -> Result<Entered<'_>, CallError> {
        match &mut *self.life() {
            Life::Open { inside } => {
                *inside += 1;
                Ok(Entered(self))
            }
            Life::Closing { .. } | Life::Closed => Err(CallError::Expired),
        }
    }

    /// As [`Lease::enter`], for a moment's look with the interpreter held.
    pub fn enter_attached<'py>(&self, py: Python<'py>) -> Result<Attached<'_, 'py>, CallError> {
        Ok(Attached { entered: ManuallyDrop::new(self.enter()?), py })
    }

    /// Whether the request has ended.
    pub fn is_done(&self) -> bool {
        !matches!(*self.life(), Life::Open { .. })
    }

    /// Whether a response head or body went out.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the request by `DONE_WITH_SESSION`. With threads inside, the last of them tells the server.
    ///
    /// # Errors
    /// When the request has ended before, or the server refuses; not when another thread tells it later.
    pub fn finish(&self, status: u32) -> Result<(), CallError> {
        {
            let mut life = self.life();
            let Life::Open { inside } = *life else { return Err(CallError::Expired) };
            // This thread counts as inside until the server has answered, so that `retire` waits for it.
            *life = Life::Closing { inside: inside + 1, done: Some(status) };
        }
        match self.step_out() {
            Step::Last(done) => self.close(done),
            Step::Left => Ok(()),
        }
    }

    /// Ends the lease because the entry point returns; waits for threads that are inside.
    pub fn retire(&self) {
        let mut life = self.life();
        if let Life::Open { inside } = *life {
            *life = if inside == 0 { Life::Closed } else { Life::Closing { inside, done: None } };
        }
        while matches!(*life, Life::Closing { .. }) {
            self.retiring.store(true, Ordering::Relaxed);
            life = self.all_left.wait(life).unwrap_or_else(PoisonError::into_inner);
        }
        drop(life);
        self.operations.end();
    }

    /// One thread leaves. The last one out of a closing lease stays counted until it has called `close`.
    fn step_out(&self) -> Step {
        match &mut *self.life() {
            Life::Open { inside } => *inside -= 1,
            Life::Closing { inside, .. } if *inside > 1 => *inside -= 1,
            Life::Closing { done, .. } => return Step::Last(done.take()),
            Life::Closed => {}
        }
        Step::Left
    }

    /// Tells the server of the end if that is due, and closes the lease. May block.
    fn close(&self, done: Option<u32>) -> Result<(), CallError> {
        let outcome = done.map_or(Ok(()), |status| self.forward_done(status));
        let mut life = self.life();
        *life = Life::Closed;
        // A signal is a system call, so it is spared when nobody waits.
        if self.retiring.load(Ordering::Relaxed) {
            self.all_left.notify_all();
        }
        outcome
    }

    fn forward_done(&self, mut status: u32) -> Result<(), CallError> {
        self.operations.end();
        let status = ptr::from_mut(&mut status).cast();
        // SAFETY: this thread still counts as inside, so the block is the request's until the server is told here.
        unsafe { support(self.block, HSE_REQ_DONE_WITH_SESSION, status, ptr::null_mut(), ptr::null_mut()) }
    }

    /// Ends a pending request that nothing is left to end: its last Python object is gone.
    fn end_forgotten(&self) {
        attach(|py| {
            let path = self.enter().map(|entered| {
                let entered = ManuallyDrop::new(entered);
                String::from_utf8_lossy(entered.string(StringMember::PathInfo)).into_owned()
            });
            let what = format!("the request for {} was forgotten", path.unwrap_or_default());
            Failure::new(FORGOTTEN, what + ": nothing is left that could call its DoneWithSession", None).report(py);
            py.detach(|| self.close(Some(HSE_STATUS_ERROR))).ok();
        });
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if matches!(*self.life(), Life::Open { .. }) {
            self.end_forgotten();
        }
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Step::Last(done) = self.0.step_out() {
            // Whoever asked for the end has long returned; the server's refusal has nobody to go to.
            self.0.close(done).ok();
        }
    }
}
