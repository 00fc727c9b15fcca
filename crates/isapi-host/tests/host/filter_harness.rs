//! Servers with filters: the probe compiled for one thing each, and what the filters saw as text.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use isapi_config::{Authentication, Filter, Handler, HandlerModule, Site};
use isapi_host::{ServerOptions, Step, Trace, TraceSink, Users};

use crate::harness::{DEADLINE, Running, compile, extension, folder, probe, site_of};

/// Every notification there is.
pub const ALL: &str = "(SF_NOTIFY_READ_RAW_DATA|SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_AUTHENTICATION|SF_NOTIFY_URL_MAP|\
                       SF_NOTIFY_ACCESS_DENIED|SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_LOG|SF_NOTIFY_END_OF_NET_SESSION|\
                       SF_NOTIFY_END_OF_REQUEST|SF_NOTIFY_SEND_RESPONSE|SF_NOTIFY_AUTH_COMPLETE)";
/// All but raw data.
pub const HEADS: &str = "(SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_AUTHENTICATION|SF_NOTIFY_URL_MAP|SF_NOTIFY_ACCESS_DENIED|\
                         SF_NOTIFY_LOG|SF_NOTIFY_END_OF_NET_SESSION|SF_NOTIFY_END_OF_REQUEST|SF_NOTIFY_SEND_RESPONSE|\
                         SF_NOTIFY_AUTH_COMPLETE)";

/// The probe, asking for `flags`, that only watches.
pub fn watcher(flags: &str) -> PathBuf {
    compile("filter", &[&format!("FLAGS={flags}")])
}

/// The probe that does `act` on the notification `on`, for which alone it asks.
pub fn acting(on: &str, act: &str) -> PathBuf {
    acting_with(on, act, "")
}

/// As [`acting`], with a text.
pub fn acting_with(on: &str, act: &str, text: &str) -> PathBuf {
    acting_as(&format!("SF_NOTIFY_{on}"), on, act, text)
}

/// The probe that asks for `flags` and does `act` on the notification `on`.
pub fn acting_as(flags: &str, on: &str, act: &str, text: &str) -> PathBuf {
    let definitions =
        [format!("FLAGS=({flags})"), format!("ON=SF_NOTIFY_{on}"), format!("ACT={act}"), format!("TEXT={text:?}")];
    compile("filter", &definitions.each_ref().map(String::as_str))
}

/// A site with the big probe for `*.x`, files below `root` for the rest, and these filters.
pub fn site(filters: &[&Path], root: &Path) -> Site {
    let files = Handler::new("files", "*", "GET,HEAD", HandlerModule::StaticFile).expect("a valid handler");
    let handlers = vec![extension("probe", "*.x", &probe()), files];
    let names = filters.iter().enumerate().map(|(index, path)| (format!("f{}", index + 1), path));
    let filters = names.map(|(name, path)| Filter::new(name, *path).expect("an absolute path")).collect();
    site_of(handlers, root).with_filters(filters).expect("different names")
}

/// A folder with the file `hello.txt`.
pub fn files() -> PathBuf {
    let root = folder();
    fs::write(root.join("hello.txt"), "hello, file\n").expect("the folder is writable");
    root
}

/// A server with filters, and what these have seen.
pub struct Filtered {
    pub server: Running,
    pub seen: Arc<Seen>,
}

impl Filtered {
    /// With these filters over [`files`].
    pub fn by(filters: &[&Path]) -> Filtered {
        Filtered::of(ServerOptions::new(site(filters, &files())))
    }

    /// For those who may log on only: the user `mary` with the password `secret`, in the realm `test`.
    pub fn with_users(filters: &[&Path], anonymous: bool) -> Filtered {
        let file = folder().join("users");
        fs::write(&file, Users::line("mary", "secret").expect("valid")).expect("the folder is writable");
        let authentication = Authentication { anonymous, basic_realm: Some("test".to_owned()) };
        let mut options = ServerOptions::new(site(filters, &files()).with_authentication(authentication));
        options.users = Users::read(&file).expect("a valid file");
        Filtered::of(options)
    }

    pub fn of(mut options: ServerOptions) -> Filtered {
        let seen = Arc::new(Seen::default());
        options.trace = Some(Arc::clone(&seen) as Arc<dyn TraceSink>);
        options.filter_limit = options.filter_limit.min(Duration::from_secs(10));
        Filtered { server: Running::start(options), seen }
    }
}

/// The traces of requests and of ended connections, as text.
#[derive(Default)]
pub struct Seen {
    texts: Mutex<Vec<String>>,
    more: Condvar,
}

impl Seen {
    /// The first `count` of them, once they are there.
    pub fn first(&self, count: usize) -> Vec<String> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.more.wait_timeout_while(texts, DEADLINE, |texts| texts.len() < count);
        let (texts, _) = wait.unwrap_or_else(PoisonError::into_inner);
        assert!(texts.len() >= count, "only {} of {count} came: {texts:#?}", texts.len());
        texts[..count].to_vec()
    }

    fn add(&self, text: String) {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        self.more.notify_all();
    }
}

impl TraceSink for Seen {
    fn request_ended(&self, trace: Trace) {
        self.add(format!("{} {} -> {}\n{}", trace.method, trace.url, trace.status, lines(&trace.steps)));
    }

    fn connection_ended(&self, _client: SocketAddr, steps: Vec<Step>) {
        self.add(format!("end\n{}", lines(&steps)));
    }
}

/// One line for each step; several of the same kind in a row are one, since how bytes are cut is chance.
fn lines(steps: &[Step]) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for step in steps {
        let mut line = format!("  {} {} {}", step.filter, step.notification, step.status);
        if let Some(error) = step.error {
            let _ = write!(line, " {error}");
        }
        if line != last {
            text.push_str(&line);
            text.push('\n');
        }
        last = line;
    }
    text
}
