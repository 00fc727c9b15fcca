//! A module that does what a program says, in HttpExtensionProc, on a thread of its own and in completion callbacks,
//! and sees to it that the host keeps its side: each operation that it accepted is completed once, and the memory of an
//! operation is the module's again then, and is freed.
//!
//! Whatever the program leaves undone at the end, the module does: DONE_WITH_SESSION, once nothing is under way.
#![expect(unsafe_code, reason = "is called with a control block and with pointers of its own")]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Condvar, LazyLock, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use isapi_abi::httpext::{self as hse, EXTENSION_CONTROL_BLOCK};

use super::books::{Books, Pending};
use super::calls::{Called, Calls};
use super::operations::Operation;
use super::program::Program;
use super::stage;
use super::wire::Played;
use crate::lock::{LockAnyway, wait_at_most};

/// How long a module's threads may take when its sessions have ended.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a program waits for a completion, at most.
const MOMENT: Duration = Duration::from_millis(1);

/// What is being played: the program, and the sessions that it has had.
static RUN: Mutex<Option<Run>> = Mutex::new(None);

struct Run {
    program: Arc<Program>,
    /// Kept to the end, since callbacks get their addresses.
    modules: Vec<Arc<Module>>,
}

/// The module's own thread.
static THREAD: LazyLock<mpsc::Sender<Box<dyn FnOnce() + Send>>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
    thread::spawn(move || jobs.into_iter().for_each(|job| job()));
    sender
});

/// One session, from the module's side.
pub(super) struct Module {
    pub(super) calls: Calls,
    block: usize,
    program: Arc<Program>,
    pub(super) books: Mutex<Books>,
    changed: Condvar,
    /// Held while an operation is being started, so that it is known to which one a completion belongs.
    pub(super) starting: Mutex<()>,
}

/// Plays `program` while `serve` serves its client.
///
/// # Panics
/// When the host owes a completion at the end.
pub(super) fn run(program: &Arc<Program>, serve: impl FnOnce() -> Played) -> Played {
    stage::restore_file();
    *RUN.lock_anyway() = Some(Run { program: Arc::clone(program), modules: Vec::new() });
    let played = serve();
    let run = RUN.lock_anyway().take().expect("only this function takes it");
    for module in &run.modules {
        module.wait_for_threads();
        module.books.lock_anyway().check_at_end();
    }
    played
}

/// `HttpExtensionProc`.
pub(super) unsafe extern "system" fn proc(block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
    let module = {
        let mut run = RUN.lock_anyway();
        let run = run.as_mut().expect("no session outlives its run");
        // SAFETY: the host gives a valid block.
        let module = Arc::new(unsafe { Module::new(block, Arc::clone(&run.program)) });
        run.modules.push(Arc::clone(&module));
        module
    };
    // SAFETY: these two members are the module's until it is done.
    unsafe {
        (*block).dwHttpStatusCode = module.program.logged_status;
        // Without a NUL at its end.
        (*block).lpszLogData = [b'l'.cast_signed(); 80];
    }
    module.perform(&module.program.inside);
    module.books.lock_anyway().returns(module.program.returned == hse::HSE_STATUS_PENDING);
    module.leave();
    module.program.returned
}

/// The completion callback.
pub(super) unsafe extern "system" fn completed(
    block: *mut EXTENSION_CONTROL_BLOCK,
    context: *mut c_void,
    bytes: u32,
    error: u32,
) {
    // SAFETY: the context is always a module, and modules are kept to the end of the run.
    let module = unsafe { &*context.cast_const().cast::<Module>() };
    assert_eq!(block.addr(), module.block, "a completion with the block of another request");
    // SAFETY: the host keeps the block until this returns.
    assert_eq!(unsafe { (*block).ConnID }, module.calls.conn);
    let part = module.books.lock_anyway().complete(bytes, error);
    module.changed.notify_all();
    let parts = module.program.completions.split_inclusive(|step| matches!(step, Operation::Stop));
    if let Some(part) = parts.into_iter().nth(part) {
        module.perform(part);
    }
    module.leave();
}

impl Module {
    /// # Safety
    /// * The block is valid.
    unsafe fn new(block: *mut EXTENSION_CONTROL_BLOCK, program: Arc<Program>) -> Self {
        // SAFETY: the caller vouches for it.
        let calls = unsafe { Calls::of(block) };
        let (books, changed, starting) = (Mutex::default(), Condvar::new(), Mutex::new(()));
        Module { calls, block: block.addr(), program, books, changed, starting }
    }

    /// The context that completions come back with.
    pub(super) fn context(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    fn perform(&self, steps: &[Operation]) {
        for step in steps.iter().take_while(|step| !matches!(step, Operation::Stop)) {
            self.step(step);
        }
    }

    /// Lets the module's own thread do its part of the program, once.
    pub(super) fn start_thread(&self) {
        if !self.books.lock_anyway().starts_thread() {
            return;
        }
        let address = self.context().addr();
        let job = move || {
            // SAFETY: modules are kept until their threads have come to their end.
            let module = unsafe { &*std::ptr::with_exposed_provenance::<Module>(address) };
            module.perform(&module.program.beside);
            module.leave();
        };
        self.context().expose_provenance();
        THREAD.send(Box::new(job)).expect("the thread lives as long as the process");
    }

    /// Something of the module has come to its end; the last ends the session.
    fn leave(&self) {
        let ends = self.books.lock_anyway().leave();
        if ends {
            // SAFETY: no status is given.
            let done = unsafe { self.calls.ask(hse::HSE_REQ_DONE_WITH_SESSION, null_mut()) };
            assert_eq!(done, Ok(()), "the first DONE_WITH_SESSION is refused");
        }
        // Behind the last call, and under the lock, since whoever waits for the end gives this module up.
        let mut books = self.books.lock_anyway();
        books.users -= 1;
        self.changed.notify_all();
    }

    /// Starts an operation by `call`, with what is kept for it until its completion.
    pub(super) fn start(&self, pending: Pending, call: impl FnOnce() -> Called) {
        let _starting = self.starting.lock_anyway();
        self.books.lock_anyway().starts(pending);
        let answer = call();
        let refused = self.books.lock_anyway().started(answer.is_ok());
        drop(refused);
    }

    /// Waits a moment until nothing is outstanding.
    pub(super) fn await_completion(&self) {
        let books = self.books.lock_anyway();
        if books.awaits() {
            drop(wait_at_most(&self.changed, books, MOMENT));
        }
    }

    fn wait_for_threads(&self) {
        let mut books = self.books.lock_anyway();
        while books.users > 0 {
            let (next, timed_out) = wait_at_most(&self.changed, books, LIMIT);
            books = next;
            assert!(!timed_out, "a thread of the module does not end");
        }
    }
}
