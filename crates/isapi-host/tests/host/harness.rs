//! A server in its own runtime, a client that shows what is on the wire, and the compiler for probes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use isapi_config::{Application, Handler, HandlerModule, RequestLimits, Site, VirtualDirectory};
use isapi_host::{Server, ServerOptions};
use tokio::sync::oneshot;

/// How long a test waits for anything at all.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A new empty folder below the target directory.
pub fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("host-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the target directory is writable");
    folder
}

/// Compiles a probe with these preprocessor definitions.
pub fn compile(source: &str, definitions: &[&str]) -> PathBuf {
    let library = folder().join(format!("_{source}.so"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-pthread", "-O1", "-Wall", "-Werror"])
        .args(definitions.iter().map(|definition| format!("-D{definition}")))
        .arg("-I")
        .arg(here.join("../isapi-abi/include"))
        .arg("-o")
        .arg(&library)
        .arg(here.join("tests/host/probe").join(format!("{source}.c")))
        .status();
    assert!(status.expect("a C compiler is needed").success(), "{source}.c does not compile");
    library
}

/// The big probe, a copy for each caller, since what a library remembers is for the whole process.
pub fn probe() -> PathBuf {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    let copy = folder().join("_probe.so");
    fs::copy(COMPILED.get_or_init(|| compile("probe", &[])), &copy).expect("the folder is writable");
    copy
}

/// Another probe, a copy as well.
pub fn probe_of(source: &'static str) -> PathBuf {
    static COMPILED: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = folder().join(format!("_{source}.so"));
    fs::copy(compiled.entry(source).or_insert_with(|| compile(source, &[])), &copy).expect("the folder is writable");
    copy
}

/// A site whose only application is `library` as a wildcard map over an empty folder.
pub fn site(library: &Path) -> Site {
    site_of(vec![extension("probe", "*", library)], &folder())
}

/// A handler that is an extension.
pub fn extension(name: &str, path: &str, library: &Path) -> Handler {
    let module = HandlerModule::Isapi { script_processor: Some(library.to_owned()) };
    Handler::new(name, path, "*", module).expect("a valid handler")
}

/// A site with these handlers over `root`.
pub fn site_of(handlers: Vec<Handler>, root: &Path) -> Site {
    let directory = VirtualDirectory::new("/", root).expect("an absolute path");
    let application = Application::new("/", vec![directory], handlers).expect("a valid application");
    let application = application.with_default_documents(vec!["index.html".to_owned()]);
    Site::new(1, "test", vec![application]).expect("a valid site")
}

/// A running server. Dropping it stops it and waits for its end.
pub struct Running {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The probe as a wildcard map.
    pub fn probe() -> Running {
        Running::start(ServerOptions::new(site(&probe())))
    }

    /// Another probe as a wildcard map.
    pub fn of(source: &'static str) -> Running {
        Running::start(ServerOptions::new(site(&probe_of(source))))
    }

    /// The probe, with other limits.
    pub fn limited(limits: RequestLimits) -> Running {
        Running::start(ServerOptions::new(site(&probe()).with_limits(limits)))
    }

    pub fn start(mut options: ServerOptions) -> Running {
        options.grace = options.grace.min(Duration::from_secs(5));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let server = runtime.block_on(async { Server::bind(options, address) }).expect("a free port");
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(server.run(async {
                let _ = stopped.await;
            }));
        });
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks the server to stop; does not wait.
    pub fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the server's end after `ask_to_stop`.
    pub fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a valid time-out");
        stream.set_write_timeout(Some(DEADLINE)).expect("a valid time-out");
        Client { reader: BufReader::new(stream) }
    }

    /// One GET of `/?behaviour` on a connection of its own.
    pub fn get(&self, behaviour: &str) -> Reply {
        self.connect().get(behaviour)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ask_to_stop();
        if !std::thread::panicking() {
            self.wait();
        }
    }
}

/// One connection.
pub struct Client {
    pub reader: BufReader<TcpStream>,
}

/// A response as it came.
#[derive(Debug)]
pub struct Reply {
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    /// Without framing.
    pub body: Vec<u8>,
    /// The sizes of the chunks, if there were any.
    pub chunks: Vec<usize>,
    /// The body ended as its framing says.
    pub complete: bool,
}

impl Client {
    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the server reads");
    }

    pub fn get(&mut self, behaviour: &str) -> Reply {
        self.send(format!("GET /?{behaviour} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes());
        self.reply()
    }

    /// A GET with further header lines.
    pub fn get_with(&mut self, behaviour: &str, headers: &str) -> Reply {
        self.send(format!("GET /?{behaviour} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes());
        self.reply()
    }

    pub fn post(&mut self, behaviour: &str, body: &[u8]) -> Reply {
        self.send(
            format!("POST /?{behaviour} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
        );
        self.send(body);
        self.reply()
    }

    /// Reads one response to anything but HEAD.
    pub fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        self.read_body(&mut reply);
        reply
    }

    /// Reads the head of a response.
    pub fn head(&mut self) -> Reply {
        let status_line = self.line().expect("a response");
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line().expect("the rest of the head").split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
        }
        Reply { status_line, headers, body: Vec::new(), chunks: Vec::new(), complete: false }
    }

    /// One line without its end; `None` when the connection has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let count = self.reader.read_until(b'\n', &mut line).ok()?;
        (count > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads the body behind a head.
    pub fn read_body(&mut self, reply: &mut Reply) {
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.complete = self.read_chunks(reply).is_some();
        } else if let Some(length) = reply.header("content-length").map(|length| length.parse().expect("a number")) {
            let read = (&mut self.reader).take(length).read_to_end(&mut reply.body);
            reply.complete = read.is_ok() && reply.body.len() as u64 == length;
        } else if !reply.status_line.contains(" 204 ") && !reply.status_line.contains(" 304 ") {
            reply.complete = self.reader.read_to_end(&mut reply.body).is_ok();
        } else {
            reply.complete = true;
        }
    }

    fn read_chunks(&mut self, reply: &mut Reply) -> Option<()> {
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).ok()?;
            let mut chunk = vec![0; size];
            self.reader.read_exact(&mut chunk).ok()?;
            self.line()?;
            if size == 0 {
                return Some(());
            }
            reply.chunks.push(size);
            reply.body.extend(chunk);
        }
    }

    /// Whether the connection is closed; one that is `kept` serves another request.
    pub fn is_closed_soon(&mut self, kept: bool) -> bool {
        if kept { self.get("again").status() == 0 } else { self.is_closed() }
    }

    /// Whether the server has closed the connection, without another byte.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        // A reset is an end as well; silence is none.
        let silent = |error: io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        !self.reader.read_to_end(&mut rest).is_err_and(silent) && rest.is_empty()
    }
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
