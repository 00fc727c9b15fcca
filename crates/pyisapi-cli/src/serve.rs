//! `pyisapi serve`: from the command line to a running server.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use isapi_config::Authentication;
use isapi_host::{AccessLogTarget, ExecutorOptions, FilterProfile, HostError, Server, ServerOptions, TraceSink, Users};
use tokio::sync::oneshot;

use crate::address;
use crate::error::CliError;
use crate::logging::LogFormat;
use crate::mount::{Mount, mounts, scripts};
use crate::placing::is_python;
use crate::roles::Roles;
use crate::site::{self, Placed};
use crate::stopping::StopSignals;
use crate::trace::{TraceFormat, Tracer};

/// The options of `serve`.
#[derive(Args, Debug, Clone)]
pub struct ServeArguments {
    /// A script or an ISAPI library (served at /), or a folder whose scripts are each served at /NAME.
    #[arg(value_name = "SCRIPT|LIBRARY|FOLDER")]
    pub path: Option<PathBuf>,
    /// Serve a script or an ISAPI library below a URL path; may be repeated.
    #[arg(long, value_name = "/PREFIX=SCRIPT|LIBRARY")]
    pub mount: Vec<Mount>,
    /// The name or address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// The port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// A script or an ISAPI library as a filter of all requests; may be repeated. Scripts with __FilterFactory__ that
    /// are served anyway need not be named.
    #[arg(long, value_name = "SCRIPT|LIBRARY")]
    pub filter: Vec<PathBuf>,
    /// Whose rules for filters apply: iis10 refuses those that ask for READ_RAW_DATA.
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    pub filter_profile: Profile,
    /// Print which filters saw what of each request, and what they answered.
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "text", require_equals = true,
          value_name = "FORMAT")]
    pub trace: Option<TraceFormat>,
    /// Let clients log on (Basic) with a name and a password of this file; see `pyisapi user`.
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// What clients are told that they log on to.
    #[arg(long, value_name = "NAME", default_value = "pyisapi", requires = "users")]
    pub realm: String,
    /// Let nobody in who does not log on.
    #[arg(long, requires = "users")]
    pub no_anonymous: bool,
    /// Static files for what no script answers [default: FOLDER/static if there is one].
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Show tracebacks to clients. Never in production.
    #[arg(long)]
    pub debug: bool,
    /// How log records look.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Restart when a script changes, or a library that was named.
    #[arg(long)]
    pub reload: bool,
    /// Write a W3C extended access log; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// At most this many threads run extensions.
    #[arg(long, value_name = "N", default_value_t = ExecutorOptions::default().max_threads as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: u32,
    /// How long unfinished requests may go on when the server stops, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub grace: u64,
}

impl ServeArguments {
    /// What is to be served where.
    pub fn mounts(&self) -> Result<Vec<Mount>, CliError> {
        let mut all = match &self.path {
            Some(path) => mounts(path)?,
            None => Vec::new(),
        };
        all.extend(self.mount.iter().cloned());
        if all.is_empty() && self.root.is_none() && self.filters()?.is_empty() {
            return Err(CliError::NothingToServe);
        }
        Ok(all)
    }

    /// The scripts and libraries that are filters: those named, then those that are served as well.
    pub fn filters(&self) -> Result<Vec<PathBuf>, CliError> {
        let mut served = match &self.path {
            Some(path) => scripts(path)?,
            None => Vec::new(),
        };
        served.extend(self.mount.iter().map(|mount| mount.script.clone()));
        served.retain(|script| is_python(script) && Roles::of(script).filter);
        let mut filters: Vec<PathBuf> = Vec::new();
        for script in self.filter.iter().cloned().chain(served) {
            let script = fs::canonicalize(&script).map_err(|error| CliError::script(script, error))?;
            if !filters.contains(&script) {
                filters.push(script);
            }
        }
        Ok(filters)
    }

    fn authentication(&self) -> Authentication {
        Authentication { anonymous: !self.no_anonymous, basic_realm: self.users.as_ref().map(|_| self.realm.clone()) }
    }

    fn root(&self) -> Option<PathBuf> {
        let beside = || Some(self.path.as_ref()?.join("static")).filter(|folder| folder.is_dir());
        self.root.clone().or_else(beside)
    }

    fn options(&self, placed: &[Placed]) -> Result<ServerOptions, CliError> {
        let site = site::build(placed, self.root().as_deref())?;
        let site = site.with_filters(site::filters(&self.filters()?)?)?.with_authentication(self.authentication());
        let mut options = ServerOptions::new(site);
        options.filter_profile = self.filter_profile.into();
        options.users = self.users.as_deref().map(Users::read).transpose()?.unwrap_or_default();
        options.trace = self.trace.map(|format| Arc::new(Tracer(format)) as Arc<dyn TraceSink>);
        options.executor.max_threads = self.threads as usize;
        options.grace = Duration::from_secs(self.grace);
        options.access_log = self.access_log.as_ref().map(|path| match path.to_str() {
            Some("-") => AccessLogTarget::Stdout,
            _ => AccessLogTarget::File(path.clone()),
        });
        Ok(options)
    }
}

/// Serves until asked to stop.
pub fn serve(arguments: &ServeArguments) -> Result<ExitCode, CliError> {
    let placed = site::place(arguments.mounts()?)?;
    let options = arguments.options(&placed)?;
    let listener = address::listen(&arguments.host, arguments.port)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Spawn)?;
    let outcome = runtime.block_on(async {
        // Before the address is known: whoever reads it may ask us to stop at once.
        let mut stop = StopSignals::receive()?;
        let server = Server::bind(options, listener)?;
        let loaded = async {
            server.load_filters().await?;
            Ok::<_, CliError>(server.preload().await)
        };
        let failures = tokio::select! {
            failures = loaded => failures?,
            () = stop.next() => return Ok(ExitCode::SUCCESS),
        };
        if let Err(error) = refuse_to_serve_nothing(&placed, &failures) {
            server.close().await;
            return Err(error);
        }
        announce(&server, arguments, &placed, &failures)?;
        let until = |asked: oneshot::Receiver<()>| server.run(async { asked.await.unwrap_or_default() });
        stop.run_until_asked_twice(arguments.grace, until).await;
        Ok(ExitCode::SUCCESS)
    });
    // Threads that are still inside a handler would be waited for otherwise.
    runtime.shutdown_background();
    outcome
}

/// One script that does not load is the end; of several, the others are served.
fn refuse_to_serve_nothing(placed: &[Placed], failures: &[(PathBuf, Arc<HostError>)]) -> Result<(), CliError> {
    match (placed, failures) {
        ([only], [(_, error)]) => {
            Err(CliError::NotLoaded { script: only.mount.script.clone(), source: Arc::clone(error) })
        }
        _ => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "the address is this command's output")]
fn announce(
    server: &Server,
    arguments: &ServeArguments,
    placed: &[Placed],
    failures: &[(PathBuf, Arc<HostError>)],
) -> Result<(), CliError> {
    let base = format!("http://{}", server.local_addr());
    println!("pyisapi {} is serving at {base}/", env!("CARGO_PKG_VERSION"));
    for Placed { mount, library } in placed {
        let failed = failures.iter().any(|(failed, _)| failed == library);
        let note = if failed { "  (not loaded: see the log)" } else { "" };
        let script = mount.script.file_name().unwrap_or_default().to_string_lossy();
        println!("  {base}{:<24} {script}{note}", mount.prefix);
    }
    for filter in arguments.filters()? {
        println!("  filter {}", filter.file_name().unwrap_or_default().to_string_lossy());
    }
    println!("Press Ctrl-C to stop.");
    Ok(())
}

/// Whose rules for filters apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// All notifications, as in IIS 5.
    #[default]
    Full,
    /// As in IIS 7 to 10.
    Iis10,
}

impl From<Profile> for FilterProfile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Full => FilterProfile::Full,
            Profile::Iis10 => FilterProfile::Iis10,
        }
    }
}
