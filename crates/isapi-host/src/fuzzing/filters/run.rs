//! What is being played: a program's filters, what they have been notified of, and what they keep.
#![expect(unsafe_code, reason = "is called with a filter's context, and reads what it points to")]

use std::ffi::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, mpsc};
use std::thread::{self, ThreadId};

use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, SF_STATUS_REQ_NEXT_NOTIFICATION};

use super::super::calls::Called;
use super::super::memory::Memory;
use super::super::wire::Played;
use super::calls::{Calls, HeaderCalls};
use super::perform::Visit;
use super::program::{MAX_FILTERS, NOTIFICATIONS, Program};
use super::record::Record;
use crate::lock::LockAnyway;
use crate::pipeline::{Chain, Filter};

/// What is being played.
static RUN: Mutex<Option<Arc<Run>>> = Mutex::new(None);

/// The functions of the structs with headers, once one of them has come.
pub(super) static HEADERS: OnceLock<HeaderCalls> = OnceLock::new();

/// The filters' own thread.
static THREAD: LazyLock<mpsc::Sender<Box<dyn FnOnce() + Send>>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
    thread::spawn(move || {
        // It is set here and nowhere else.
        let _ = OWN_THREAD.set(thread::current().id());
        jobs.into_iter().for_each(|job| job());
    });
    sender
});
static OWN_THREAD: OnceLock<ThreadId> = OnceLock::new();

/// See the module.
pub(super) struct Run {
    program: Program,
    seats: [Mutex<Seat>; MAX_FILTERS],
    /// The thread of each notification that has not returned. Of one connection it is always the same, but for what
    /// the filters' own thread has caused.
    inside: Mutex<Vec<ThreadId>>,
    /// Lent to the host for longer than a call.
    kept: Mutex<Vec<Memory>>,
    /// Filters have changed the bytes on the wire themselves, or added some.
    disturbed: AtomicBool,
}

/// One filter.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) record: Record,
    calls: Option<Calls>,
    /// How many of its notifications have not returned.
    depth: usize,
    /// How often it has been notified, by the numbers of [`NOTIFICATIONS`].
    visits: [usize; NOTIFICATIONS.len()],
    /// What it has put into `pFilterContext`: the address, and how many bytes are there.
    pub(super) remembered: (usize, u32),
}

/// Plays `program` while `serve` serves its client past this chain; says whether the wire is what the host made it.
///
/// # Panics
/// When the host breaks its promises to a filter.
pub(in crate::fuzzing) fn run(program: Program, serve: impl FnOnce(&Program, &Arc<Chain>) -> Played) -> (Played, bool) {
    let run = Arc::new(Run {
        program,
        seats: Default::default(),
        inside: Mutex::default(),
        kept: Mutex::default(),
        disturbed: AtomicBool::new(false),
    });
    *RUN.lock_anyway() = Some(Arc::clone(&run));
    let procs = [proc::<0>, proc::<1>, proc::<2>];
    let filters = procs.into_iter().zip(&run.program.flags).enumerate().map(|(position, (proc, flags))| {
        Arc::new(Filter::of_function(Path::new(&format!("/filter-{position}")), proc, *flags))
    });
    let chain = Arc::new(Chain::of(filters.collect()));
    let played = serve(&run.program, &chain);
    wait_for_thread();
    RUN.lock_anyway().take();
    for (seat, flags) in run.seats.iter().zip(&run.program.flags) {
        let seat = seat.lock_anyway();
        seat.record.check_at_end(*flags, played.methods.len());
        seat.calls.iter().for_each(Calls::expect_refusal);
    }
    (played, !run.disturbed.load(Ordering::SeqCst))
}

/// `HttpFilterProc` of the filter at a position.
unsafe extern "system" fn proc<const POSITION: usize>(
    context: *mut HTTP_FILTER_CONTEXT,
    notification: u32,
    data: *mut c_void,
) -> u32 {
    let run = RUN.lock_anyway().clone().expect("no connection outlives its run");
    // SAFETY: the host gives a valid context, and what the notification brings.
    unsafe { run.notified(POSITION, context, notification, data) }
}

/// Waits until the filters' own thread has done what it was told.
fn wait_for_thread() {
    let (sender, receiver) = mpsc::sync_channel(1);
    let job = move || {
        let _ = sender.send(());
    };
    THREAD.send(Box::new(job)).expect("the thread lives as long as the process");
    receiver.recv().expect("the job is done");
}

impl Run {
    /// # Safety
    /// * The context is valid, and `data` is what `notification` brings.
    unsafe fn notified(
        &self,
        position: usize,
        context: *mut HTTP_FILTER_CONTEXT,
        notification: u32,
        data: *mut c_void,
    ) -> u32 {
        let number = NOTIFICATIONS.iter().position(|known| *known == notification).expect("a notification that exists");
        // SAFETY: the caller vouches for the context.
        let calls = unsafe { Calls::of(context) };
        self.enter();
        let visit_number = self.seats[position].lock_anyway().enter(calls, notification, self.program.flags[position]);
        // SAFETY: the caller vouches for both.
        unsafe { self.seats[position].lock_anyway().check_remembered(context) };
        // SAFETY: as above.
        let visit = unsafe { Visit::new(self, position, notification, calls, data) };
        let steps = self.program.part(position, number, visit_number);
        let returned = steps.into_iter().find_map(|step| visit.step(step));
        self.seats[position].lock_anyway().depth -= 1;
        self.leave();
        let (status, error) = returned.unwrap_or((SF_STATUS_REQ_NEXT_NOTIFICATION, 0));
        errno::set_errno(errno::Errno(error));
        status
    }

    /// One of the filters is notified.
    fn enter(&self) {
        let (mut inside, present) = (self.inside.lock_anyway(), thread::current().id());
        let own = OWN_THREAD.get();
        inside.push(present);
        let mut hosts = inside.iter().filter(|thread| own != Some(*thread));
        let first = hosts.next();
        assert!(hosts.all(|thread| Some(thread) == first), "two events of one connection at once");
    }

    /// The notification that came last on this thread has been dealt with.
    fn leave(&self) {
        let (mut inside, present) = (self.inside.lock_anyway(), thread::current().id());
        let place = inside.iter().rposition(|thread| *thread == present).expect("it has entered");
        inside.remove(place);
    }

    /// What is known of the filter at `position`.
    pub(super) fn seat(&self, position: usize) -> &Mutex<Seat> {
        &self.seats[position]
    }

    /// The context of a filter that is not being notified, if this one is not and has been.
    pub(super) fn context_of_idle(&self, position: usize) -> Option<Calls> {
        let seat = self.seats.get(position)?.lock_anyway();
        seat.calls.filter(|_| seat.depth == 0)
    }

    /// Keeps memory to the end.
    pub(super) fn keep(&self, memory: Memory) {
        self.kept.lock_anyway().push(memory);
    }

    /// The wire is no longer the host's alone.
    pub(super) fn disturb(&self) {
        self.disturbed.store(true, Ordering::SeqCst);
    }

    /// Calls something on the filters' own thread. Whether that is in time is anybody's guess.
    pub(super) fn beside(&self, calls: Calls, which: u8) {
        if which & 3 == 3 {
            self.disturb();
        }
        let job = move || {
            let text = Memory::text(if which & 1 == 0 { b"X-Beside: yes" } else { b"ALL_HTTP" });
            let _: Called = match which & 3 {
                0 => calls.add_lines(Some(&text)),
                1 => calls.variable(Some(&text), None, Some(&mut 0)),
                2 => {
                    if calls.allocate(16).is_null() {
                        Err(0)
                    } else {
                        Ok(())
                    }
                }
                _ => calls.write(Some(&text), true),
            };
        };
        THREAD.send(Box::new(job)).expect("the thread lives as long as the process");
    }
}

impl Seat {
    /// Its filter is notified, for the time that is returned, from 0 on.
    fn enter(&mut self, calls: Calls, notification: u32, flags: u32) -> usize {
        let before = self.calls.replace(calls);
        assert!(before.is_none_or(|before| before.context == calls.context), "a connection has a second context");
        self.record.note(notification, flags);
        self.depth += 1;
        let number = NOTIFICATIONS.iter().position(|known| *known == notification).expect("it exists");
        self.visits[number] += 1;
        self.visits[number] - 1
    }

    /// Checks that what the filter put into its context is still there.
    ///
    /// # Safety
    /// * The context is valid.
    unsafe fn check_remembered(&self, context: *mut HTTP_FILTER_CONTEXT) {
        // SAFETY: the caller vouches for it.
        let present = unsafe { (*context).pFilterContext }.cast::<u8>();
        let (address, size) = self.remembered;
        assert_eq!(present.addr(), address, "the filter's own member of its context has changed");
        if address != 0 && size > 0 {
            // SAFETY: the host keeps what this member points to.
            let ends = unsafe { (*present, *present.add(size as usize - 1)) };
            assert_eq!(ends, (1, 1), "memory that a filter points to has changed");
        }
    }
}
