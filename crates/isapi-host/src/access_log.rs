//! The access log: one W3C extended line for each request, and an event for `tracing`.
//!
//! An [`AccessRecord`] is filled while the request goes on and writes itself when its last holder lets go: the
//! response's body, and the session if there is one, since an extension may add to the line until it is done. Lines
//! are written by a thread of their own, so that a slow disk does not hold up the network.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvError, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::header::{self, HeaderName};
use jiff::Timestamp;

use crate::connection::Peers;
use crate::error::HostError;
use crate::exchange::RequestHead;
use crate::host::Host;
use crate::lock::LockAnyway;
use crate::pipeline::FilteredRequest;
use crate::server_variables::SERVER_SOFTWARE;

/// The fields of a line, in order.
const FIELDS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
                      sc-status sc-substatus sc-win32-status time-taken";
/// Lines that may wait for the disk; more are dropped.
const MAX_WAITING: usize = 8192;

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// To this file, which is appended to.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

/// The writing thread.
pub(crate) struct AccessLog {
    lines: Mutex<Option<SyncSender<String>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl AccessLog {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread cannot be started.
    pub(crate) fn open(target: &AccessLogTarget) -> Result<Self, HostError> {
        let path = match target {
            AccessLogTarget::File(path) => path.clone(),
            AccessLogTarget::Stdout => PathBuf::from("standard output"),
        };
        let cannot_log = |source| HostError::CannotLog { path: path.clone(), source };
        let output: Box<dyn Write + Send> = match target {
            AccessLogTarget::File(path) => {
                Box::new(OpenOptions::new().create(true).append(true).open(path).map_err(cannot_log)?)
            }
            AccessLogTarget::Stdout => Box::new(io::stdout()),
        };
        let (sender, receiver) = mpsc::sync_channel(MAX_WAITING);
        let writer = thread::Builder::new().name("access-log".to_owned()).spawn(move || write_lines(output, &receiver));
        let writer = writer.map_err(cannot_log)?;
        Ok(AccessLog { lines: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) })
    }

    fn line(&self, line: String) {
        let lines = self.lines.lock_anyway();
        if lines.as_ref().is_some_and(|lines| lines.try_send(line).is_err()) {
            tracing::warn!("ISAPI0318 the access log cannot keep up; a line is lost");
        }
    }

    /// Writes what waits and ends the thread.
    pub(crate) fn close(&self) {
        drop(self.lines.lock_anyway().take());
        if let Some(writer) = self.writer.lock_anyway().take() {
            // It only panics if the standard library does.
            let _ = writer.join();
        }
    }
}

/// The life of the writing thread: writes what is there, then flushes, then waits.
fn write_lines(output: Box<dyn Write + Send>, lines: &Receiver<String>) {
    let mut output = Output { buffer: BufWriter::new(output), failing: false };
    let date = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S");
    let head = format!("#Software: {SERVER_SOFTWARE}\n#Version: 1.0\n#Date: {date}\n#Fields: {FIELDS}\n");
    let mut next = Ok(head);
    while let Ok(line) = next {
        output.write(&line);
        next = match lines.try_recv() {
            Err(TryRecvError::Empty) => {
                output.flush();
                lines.recv()
            }
            Ok(line) => Ok(line),
            Err(TryRecvError::Disconnected) => Err(RecvError),
        };
    }
    output.flush();
}

/// Where lines are written, and whether that works.
struct Output<W: Write> {
    buffer: BufWriter<W>,
    /// The last attempt to get lines out failed, which has been reported.
    failing: bool,
}

impl<W: Write> Output<W> {
    fn write(&mut self, line: &str) {
        if let Err(error) = self.buffer.write_all(line.as_bytes()) {
            self.failed(&error);
        }
    }

    fn flush(&mut self) {
        match self.buffer.flush() {
            Ok(()) => self.failing = false,
            Err(error) => self.failed(&error),
        }
    }

    /// Reports the first failure of a run; until lines get out again, the others say nothing new.
    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!("ISAPI0319 cannot write the access log: {error}");
        }
    }
}

/// The line of one request, in the making.
pub(crate) struct AccessRecord {
    host: Arc<Host>,
    /// Not set for a head that could not be read, or that filters have not let through yet.
    head: OnceLock<Arc<RequestHead>>,
    peers: Peers,
    started: Instant,
    state: Mutex<Ending>,
    kind: Kind,
}

/// What becomes of a record.
enum Kind {
    /// It is written.
    Own,
    /// Nothing: it belongs to a child request, which is a part of another.
    Child,
    /// It goes past the filters first.
    Filtered(Arc<FilteredRequest>),
}

/// How it ended.
#[derive(Default)]
struct Ending {
    status: u16,
    sub_status: u16,
    bytes: u64,
    /// The response went out whole.
    complete: bool,
    taken: Option<Duration>,
    /// What the extension added to the query field.
    added: Vec<u8>,
}

/// The most bytes that an extension can add to a line.
const MAX_ADDED: usize = 4096;
/// `ERROR_NETNAME_DELETED`: what IIS logs when the client went away.
const CLIENT_GONE: u32 = 64;

impl AccessRecord {
    fn begin(host: &Arc<Host>, head: Option<&Arc<RequestHead>>, peers: Peers, kind: Kind) -> Arc<Self> {
        let head = head.map_or_else(OnceLock::new, |head| OnceLock::from(Arc::clone(head)));
        let (host, started, state) = (Arc::clone(host), Instant::now(), Mutex::default());
        Arc::new(AccessRecord { host, head, peers, started, state, kind })
    }

    /// The record of a request that has just come; `None` when nobody wants it.
    pub(crate) fn new(host: &Arc<Host>, head: Option<&Arc<RequestHead>>, peers: Peers) -> Option<Arc<Self>> {
        is_wanted(host).then(|| AccessRecord::begin(host, head, peers, Kind::Own))
    }

    /// The record of a child request: it is for whoever passes the response on, and gets no line.
    pub(crate) fn of_child(host: &Arc<Host>, peers: Peers) -> Arc<Self> {
        AccessRecord::begin(host, None, peers, Kind::Child)
    }

    /// The record of a request that filters see. When it is dropped, the request is over for them.
    pub(crate) fn of_filtered(request: &Arc<FilteredRequest>) -> Arc<Self> {
        let session = request.session();
        AccessRecord::begin(session.host(), None, session.peers(), Kind::Filtered(Arc::clone(request)))
    }

    /// The head, as filters have left it.
    pub(crate) fn set_head(&self, head: &Arc<RequestHead>) {
        // Said once, when the filters have seen it.
        let _ = self.head.set(Arc::clone(head));
    }

    /// Status and sub-status so far, and what has been added to the query field since this was last asked.
    pub(crate) fn take_outcome(&self) -> (u16, u16, Vec<u8>) {
        let mut state = self.state.lock_anyway();
        (state.status, state.sub_status, std::mem::take(&mut state.added))
    }

    /// Notes the status that goes to the client.
    pub(crate) fn status(&self, status: u16) {
        self.state.lock_anyway().status = status;
    }

    /// Notes the sub-status, the 14 of 404.14, which only the log shows.
    pub(crate) fn sub_status(&self, sub_status: u16) {
        self.state.lock_anyway().sub_status = sub_status;
    }

    /// Notes the end of the response: how many bytes of body went out, and whether that was all.
    pub(crate) fn ended(&self, bytes: u64, complete: bool) {
        let mut state = self.state.lock_anyway();
        (state.bytes, state.complete, state.taken) = (bytes, complete, Some(self.started.elapsed()));
    }

    /// Adds to the query field.
    pub(crate) fn append(&self, text: &[u8]) {
        let mut state = self.state.lock_anyway();
        let room = MAX_ADDED.saturating_sub(state.added.len());
        state.added.extend_from_slice(&text[..text.len().min(room)]);
    }

    fn entry(&self, ending: &Ending) -> LogEntry {
        let early = match (self.head.get(), &self.kind) {
            (None, Kind::Filtered(request)) => Some(request.head_for_log()),
            _ => None,
        };
        let head = self.head.get().or(early.as_ref());
        let header = |name: HeaderName| {
            let value = head.and_then(|head| head.headers.get(name));
            value.map_or_else(String::new, |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let query = head.and_then(|head| head.uri.query()).unwrap_or_default();
        let user = match &self.kind {
            Kind::Filtered(request) => request.user(),
            Kind::Own | Kind::Child => String::new(),
        };
        LogEntry {
            client: self.peers.remote.ip().to_canonical().to_string(),
            user,
            server: self.peers.local.ip().to_canonical().to_string(),
            method: head.map_or_else(String::new, |head| head.method.as_str().to_owned()),
            path: head.map_or_else(String::new, |head| head.uri.path().to_owned()),
            query: format!("{query}{}", String::from_utf8_lossy(&ending.added)),
            port: self.peers.local.port(),
            user_agent: header(header::USER_AGENT),
            referer: header(header::REFERER),
            status: ending.status,
            sub_status: ending.sub_status,
            win32_status: if ending.complete { 0 } else { CLIENT_GONE },
            bytes_sent: ending.bytes,
            bytes_received: header(header::CONTENT_LENGTH).parse().unwrap_or(0),
            taken: ending.taken.unwrap_or_else(|| self.started.elapsed()),
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        let ending = std::mem::take(&mut *self.state.lock_anyway());
        match &self.kind {
            Kind::Child => {}
            Kind::Own => self.entry(&ending).write(&self.host),
            Kind::Filtered(request) => {
                let entry = (is_wanted(&self.host) || request.wants_entry()).then(|| self.entry(&ending));
                Arc::clone(request).end(entry);
            }
        }
    }
}

/// Whether anybody reads the log.
fn is_wanted(host: &Host) -> bool {
    host.access_log.is_some() || tracing::enabled!(target: "access", tracing::Level::INFO)
}

/// What is known of a request when it is over.
#[derive(Clone)]
pub(crate) struct LogEntry {
    client: String,
    user: String,
    server: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    port: u16,
    user_agent: String,
    referer: String,
    pub(crate) status: u16,
    sub_status: u16,
    pub(crate) win32_status: u32,
    /// Bytes of the response's body.
    pub(crate) bytes_sent: u64,
    /// Bytes of the request's body, as far as they were announced.
    pub(crate) bytes_received: u64,
    pub(crate) taken: Duration,
}

impl LogEntry {
    /// What filters may change: client, user, server, method, path and query.
    pub(crate) fn texts(&self) -> [&str; 6] {
        [&self.client, &self.user, &self.server, &self.method, &self.path, &self.query]
    }

    /// Sets what [`LogEntry::texts`] gives.
    pub(crate) fn set_texts(&mut self, texts: [String; 6]) {
        [self.client, self.user, self.server, self.method, self.path, self.query] = texts;
    }

    /// Writes it to the log and to `tracing`.
    pub(crate) fn write(&self, host: &Host) {
        tracing::info!(
            target: "access",
            method = %self.method.escape_debug(),
            path = %self.path.escape_debug(),
            status = self.status,
            bytes = self.bytes_sent,
            milliseconds = u64::try_from(self.taken.as_millis()).unwrap_or(u64::MAX),
        );
        if let Some(log) = &host.access_log {
            log.line(self.line());
        }
    }

    fn line(&self) -> String {
        format!(
            "{} {} {} {} {} {} {} {} {} {} {} {} {} {}\n",
            Timestamp::now().strftime("%Y-%m-%d %H:%M:%S"),
            field(&self.server),
            field(&self.method),
            field(&self.path),
            field(&self.query),
            self.port,
            field(&self.user),
            field(&self.client),
            field(&self.user_agent),
            field(&self.referer),
            self.status,
            self.sub_status,
            self.win32_status,
            self.taken.as_millis(),
        )
    }
}

/// A value fit for a field: blanks as `+`, nothing as `-`, control characters as `?`.
fn field(value: &str) -> String {
    if value.is_empty() {
        return "-".to_owned();
    }
    let harmless = |character: char| match character {
        ' ' => '+',
        character if character.is_control() => '?',
        character => character,
    };
    value.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full for a while.
    struct Disk {
        full: bool,
        written: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failed_write_is_noticed_until_lines_get_out_again() {
        let disk = Disk { full: true, written: Vec::new() };
        let mut output = Output { buffer: BufWriter::with_capacity(4, disk), failing: false };
        output.write("a line longer than the buffer\n");
        assert!(output.failing);
        output.write("b\n");
        assert!(output.failing, "what is only buffered has not got out");
        output.buffer.get_mut().full = false;
        output.flush();
        assert!(!output.failing && output.buffer.get_ref().written == b"b\n");
    }

    #[test]
    fn a_field_is_one_word_of_harmless_characters() {
        assert_eq!(field(""), "-");
        assert_eq!(field("Mozilla/5.0 (X11)"), "Mozilla/5.0+(X11)");
        assert_eq!(field("a\r\nb\u{1b}[1m"), "a??b?[1m");
    }
}
