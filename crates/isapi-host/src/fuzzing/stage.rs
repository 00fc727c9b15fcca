//! A server without a network: one host for the whole process, whose extensions are functions of this crate, and whose
//! connections are played one at a time.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

use isapi_config::{
    Application, Authentication, ErrorAnswer, ErrorPage, Handler, HandlerModule, RequestLimits, Site, VirtualDirectory,
};
use rustix::fs::{MemfdFlags, memfd_create};

use super::books::Success;
use super::filters::denying;
use super::wire::{Played, Script, Wire};
use super::{echo, module, plain};
use crate::authentication::Users;
use crate::connection::{self, Peers};
use crate::connections::Existence;
use crate::executor::ExecutorOptions;
use crate::extension::Extension;
use crate::extension::sessions::SESSIONS;
use crate::host::Host;
use crate::lock::LockAnyway;
use crate::options::{ServerOptions, Timeouts};
use crate::pipeline::Chain;

/// How long one connection may take, with the sessions that it began.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a silent client is waited for.
const PATIENCE: Duration = Duration::from_millis(8);

/// See the module.
pub(super) struct Stage {
    host: Arc<Host>,
}

/// Held while one of the stages is used: the modules are the same on both.
static TURN: Mutex<()> = Mutex::new(());

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    end_the_process_at_a_panic();
    Stage::new(ServerOptions::new(site()))
});

/// That of the target "filters": clients may say who they are.
static FILTERED: LazyLock<Stage> = LazyLock::new(|| {
    end_the_process_at_a_panic();
    Stage::new(filtered_options())
});

/// Lets `act` have the stage for itself.
pub(super) fn play(act: impl FnOnce(&Stage)) {
    let _turn = TURN.lock_anyway();
    act(&STAGE);
}

/// Lets `act` have the stage of the target "filters" for itself.
pub(super) fn play_filtered(act: impl FnOnce(&Stage)) {
    let _turn = TURN.lock_anyway();
    act(&FILTERED);
}

/// The fence would hide a panic of the host's, and a thread of the executor survives one.
fn end_the_process_at_a_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        // Test harnesses keep what goes through `eprintln`. Nobody is left to hear of a failure.
        let _ = writeln!(std::io::stderr(), "{panic}");
        process::abort();
    }));
}

/// The folder of the site's files.
fn root() -> PathBuf {
    part_of_repository("site")
}

fn part_of_repository(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name);
    place.canonicalize().expect("it is part of the repository")
}

/// The length of [`FILE`], unless a module has made it shorter.
pub(super) const FILE_LENGTH: u64 = 300_000;

/// A file that modules send.
pub(super) static FILE: LazyLock<File> = LazyLock::new(|| {
    let file = memfd_create("file", MemfdFlags::CLOEXEC).expect("the system has files in memory");
    File::from(file)
});

/// A module has made the file shorter since it was restored.
static SHRUNK: AtomicBool = AtomicBool::new(false);

/// A folder, which modules may take for a file.
pub(super) static FOLDER: LazyLock<File> = LazyLock::new(|| File::open(root()).expect("it is there"));

/// Gives the file its length back.
pub(super) fn restore_file() {
    if FILE.metadata().is_ok_and(|found| found.len() != FILE_LENGTH) {
        FILE.write_all_at(&[b'F'; FILE_LENGTH as usize], 0).expect("memory suffices");
    }
    SHRUNK.store(false, Ordering::SeqCst);
}

/// Makes the file shorter, if it is longer.
pub(super) fn shrink_file(length: u64) {
    if length < FILE_LENGTH {
        FILE.set_len(length).expect("a file in memory can be cut");
        SHRUNK.store(true, Ordering::SeqCst);
    }
}

/// What a sending of `total` bytes completes with, as long as the file has its length.
pub(super) fn sent(total: u64) -> Success {
    if SHRUNK.load(Ordering::SeqCst) { Success::Unknown } else { Success::Sent(total) }
}

fn extensions() -> [Extension; 4] {
    [
        Extension::of_function(Path::new("/denying"), denying::proc),
        Extension::of_function(Path::new("/echo"), echo::proc),
        Extension::of_function(Path::new("/calls"), module::proc),
        Extension::of_function(Path::new("/plain"), plain::proc),
    ]
}

fn isapi(name: &str, path: &str, library: &str) -> Handler {
    let module = HandlerModule::Isapi { script_processor: Some(library.into()) };
    Handler::new(name, path, "*", module).expect("a valid handler")
}

fn site() -> Site {
    site_with(isapi("calls", "calls", "/calls"))
}

/// Filters lead requests anywhere, but not to a module that has no program.
fn filtered_options() -> ServerOptions {
    let authentication = Authentication { anonymous: true, basic_realm: Some("fuzz".to_owned()) };
    let site = site_with(isapi("denying", "denied", "/denying")).with_authentication(authentication);
    let users = Users::read(&part_of_repository("users")).expect("a valid file");
    ServerOptions { users, ..ServerOptions::new(site) }
}

/// A site of the other extensions, of files, and of one more.
fn site_with(other: Handler) -> Site {
    let directory = || vec![VirtualDirectory::new("/", root()).expect("an absolute path")];
    let application = |path: &str, handlers| Application::new(path, directory(), handlers).expect("valid");
    let files = Handler::new("files", "*", "GET,HEAD", HandlerModule::StaticFile).expect("a valid handler");
    let main = vec![
        other,
        isapi("plain", "plain", "/plain"),
        isapi("app", "*.app", "/echo"),
        isapi("cgi", "*.cgi", "/echo").with_path_info(true),
        files,
    ];
    let all = application("/all", vec![isapi("all", "*", "/echo")]);
    let main = application("/", main).with_default_documents(vec!["index.html".to_owned()]);
    let limits = RequestLimits { max_allowed_content_length: 200_000, ..RequestLimits::default() };
    let site = Site::new(1, "fuzz", vec![main, all]).expect("a valid site").with_limits(limits);
    site.with_error_pages(error_pages()).expect("each status has one page")
}

fn error_pages() -> Vec<ErrorPage> {
    let answers = [
        (404, ErrorAnswer::File(root().join("page.html"))),
        (403, ErrorAnswer::Redirect("/elsewhere".to_owned())),
        (500, ErrorAnswer::File(root().join("missing.html"))),
    ];
    answers.map(|(status, answer)| ErrorPage::new(status, None, answer).expect("a valid page")).into()
}

impl Stage {
    fn new(options: ServerOptions) -> Self {
        let timeouts = Timeouts { body_idle: PATIENCE, send_idle: LIMIT, ..Timeouts::default() };
        let executor = ExecutorOptions { max_threads: 8, ..ExecutorOptions::default() };
        let options = ServerOptions { timeouts, executor, ..options };
        let host = Arc::new(Host::new(options).expect("the system has room for event loops"));
        for extension in extensions() {
            host.extensions.enter(extension);
        }
        host.executor.start();
        Stage { host }
    }

    /// Plays a connection to its end, and waits for all sessions that it began.
    ///
    /// # Panics
    /// When it does not end, or a session stays in the table.
    pub(super) fn serve(&self, script: Script) -> Played {
        self.serve_past(script, None)
    }

    /// As [`Stage::serve`], past these filters.
    pub(super) fn serve_past(&self, script: Script, filters: Option<&Arc<Chain>>) -> Played {
        let filters = filters.cloned();
        let existence = Existence::new(&self.host);
        let link = Arc::clone(&existence.link);
        let (wire, tape) = Wire::new(script, Arc::clone(&link));
        let (over, ended) = mpsc::sync_channel(1);
        let host = Arc::clone(&self.host);
        self.host.executor.next_loop().handle().spawn(async move {
            let address = "192.0.2.1:80".parse().expect("an address");
            let peers = Peers { local: address, remote: address };
            match filters {
                None => connection::serve(wire, peers, existence).await,
                Some(chain) => connection::serve_filtered(wire, peers, &existence, &chain).await,
            }
            let left = host.live.wait_for_none(LIMIT).await;
            // Whoever waits for it panics when it comes too late.
            let _ = over.send(left);
        });
        let left = ended.recv_timeout(LIMIT + Duration::from_secs(5));
        if left != Ok(true) {
            let (request, methods) = (link.is_in_request(), link.methods.lock_anyway());
            let client = tape.lock_anyway().describe();
            let sessions = self.sessions();
            panic!("no end: {sessions:?} {methods:?}, in a request: {request}, asked: {}; {client}", link.is_closing());
        }
        assert!(self.sessions().is_empty(), "sessions stay in the table: {:?}", self.sessions());
        let received = tape.lock_anyway().take_received();
        let methods = std::mem::take(&mut *link.methods.lock_anyway());
        Played { received, methods }
    }

    fn sessions(&self) -> Vec<String> {
        let sessions = SESSIONS.select(|session| Arc::ptr_eq(session.host(), &self.host));
        sessions.iter().map(|session| session.describe()).collect()
    }
}
