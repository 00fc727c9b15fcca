//! The command line of each server for each case; each gets one core and is set up for it.
//!
//! A peer's settings are those its own documentation advises for one core, or, where that is silent, the best
//! of a few tried.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::SERVER_CORE;
use super::case::{Case, Kind};
use super::product::Product;
use crate::environment::Environment;
use crate::process::{Error, command, root, run};

/// Programs that asking our own servers takes, and Debian's packages with them.
pub const OURS: [(&str, &str); 3] = [("wrk", "wrk"), ("taskset", "util-linux"), ("cc", "gcc")];

/// The peer that the package index does not have.
pub const PEERS: [(&str, &str); 1] = [("nginx", "nginx-light")];

/// One script is measured; the others sleep (`background.rs`).
const MOUNTS: [&str; 6] =
    ["--mount", "/=bench/simple.py", "--mount", "/sleep=bench/sleeper.py", "--mount", "/mixed=bench/mixed.py"];

/// What launching needs; the files are made in `work`.
pub struct Launcher {
    environment: Environment,
    work: PathBuf,
}

impl Launcher {
    /// Compiles the native extension, the native filter and the bare loop into `work`.
    pub fn new(environment: Environment, work: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&work)?;
        let launcher = Self { environment, work };
        for (source, library) in [("hello.c", launcher.native_library()), ("filter.c", launcher.native_filter())] {
            let mut compile = command("cc", &["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-I"]);
            compile.arg(root().join("crates/isapi-abi/include")).arg(script(source));
            run(compile.arg("-o").arg(library))?;
        }
        run(command("cc", &["-O2", "-Wall", "-Werror", "bench/floor.c", "-o"]).arg(launcher.floor_program()))?;
        Ok(launcher)
    }

    /// The command that serves a case at a port, and where its standard error goes.
    pub fn command(&self, product: Product, case: &Case, port: u16) -> Result<(Command, PathBuf), Error> {
        let log = self.work.join(format!("{}-{product:?}.log", case.name));
        let mut command = match product {
            Product::Granian => self.granian(case, port),
            Product::Gunicorn => self.gunicorn(case, port),
            Product::Waitress => self.waitress(case, port),
            Product::Nginx | Product::NginxCopying => self.nginx(product, case, port)?,
            Product::Floor => self.floor(case, port),
            ours => self.pyisapi(ours, case, port)?,
        };
        command.env("BENCH_BYTES", case.bytes.to_string()).stdout(Stdio::null()).stderr(File::create(&log)?);
        Ok((command, log))
    }

    fn pyisapi(&self, product: Product, case: &Case, port: u16) -> Result<Command, Error> {
        let mut command = pinned(&self.environment.program("pyisapi"));
        command.args(["serve", "--port", &port.to_string()]).env("PYISAPI_LOG", "warn");
        match product {
            Product::StaticFile => command.arg("--root").arg(self.folder_of_answer(case)?),
            Product::TransmitFile => {
                command.arg(script("transmit.py")).env("BENCH_FILE", self.folder_of_answer(case)?.join("index.html"))
            }
            Product::Native => command.arg(self.native_library()),
            Product::NativeFilter => command.arg("--filter").arg(self.native_filter()).arg(script("simple.py")),
            Product::PythonFilter => command.arg("--filter").arg(script("filter.py")).arg(script("simple.py")),
            _ if case.kind == Kind::Beside => command.args(MOUNTS),
            Product::Pool if case.kind == Kind::Echo => command.arg(script("echo_pool.py")),
            Product::Pool => command.arg(script("pool.py")),
            _ if case.kind == Kind::Echo => command.arg(script("echo_simple.py")),
            _ => command.arg(script("simple.py")),
        };
        Ok(command)
    }

    fn granian(&self, case: &Case, port: u16) -> Command {
        let mut command = self.peer("granian");
        command.args(["--interface", "wsgi", "--http", "1", "--no-ws", "--workers", "1"]);
        command.args(["--blocking-threads", "1", "--runtime-threads", "1", "--log-level", "warning"]);
        command.args(["--port", &port.to_string(), application(case)]);
        command
    }

    fn gunicorn(&self, case: &Case, port: u16) -> Command {
        let mut command = self.peer("gunicorn");
        command.args(["--worker-class", "gthread", "--workers", "1", "--threads", "4", "--keep-alive", "75"]);
        command.args(["--log-level", "warning", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]);
        command.args(["--bind", &format!("127.0.0.1:{port}"), application(case)]);
        command
    }

    fn waitress(&self, case: &Case, port: u16) -> Command {
        let mut command = self.peer("waitress-serve");
        command.args(["--threads=1", &format!("--listen=127.0.0.1:{port}"), application(case)]);
        command
    }

    fn nginx(&self, product: Product, case: &Case, port: u16) -> Result<Command, Error> {
        let base = self.work.join(format!("{}-{product:?}", case.name));
        let (config, pid) = (base.with_extension("conf"), base.with_extension("pid"));
        let answer = self.nginx_answer(product, case)?;
        // The worker of a root's nginx would be another user, who may not see our files.
        let user = if fs::metadata("/proc/self")?.uid() == 0 { "user root;" } else { "" };
        let text = format!(
            "daemon off; worker_processes 1; {user} error_log stderr; pid {};\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 100000000;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }} }}\n",
            pid.display()
        );
        fs::write(&config, text)?;
        let mut command = pinned(&nginx_program());
        command.arg("-e").arg("stderr").arg("-c").arg(&config);
        Ok(command)
    }

    /// What the others have in memory nginx reads from a small file, faster without sendfile.
    fn nginx_answer(&self, product: Product, case: &Case) -> Result<String, Error> {
        if case.name == "hello" {
            return Ok("default_type text/plain; return 200 'Hello, world!\\n';".to_owned());
        }
        let sending = match (case.kind, product) {
            (Kind::File, Product::Nginx) => "sendfile on; tcp_nopush on;",
            _ => "sendfile off; output_buffers 2 512k;",
        };
        Ok(format!("root {}; {sending}", self.folder_of_answer(case)?.display()))
    }

    fn floor(&self, case: &Case, port: u16) -> Command {
        let mut command = pinned(&self.floor_program());
        command.arg(port.to_string());
        if case.kind == Kind::Echo {
            command.arg("echo");
        }
        command
    }

    fn peer(&self, program: &str) -> Command {
        let mut command = pinned(&self.environment.program(program));
        command.current_dir(root().join("bench"));
        command
    }

    fn native_library(&self) -> PathBuf {
        self.work.join("hello.so")
    }

    fn native_filter(&self) -> PathBuf {
        self.work.join("filter.so")
    }

    fn floor_program(&self) -> PathBuf {
        self.work.join("floor")
    }

    /// The folder whose index.html is the case's answer.
    fn folder_of_answer(&self, case: &Case) -> Result<PathBuf, Error> {
        let folder = self.work.join(format!("files-{}", case.name));
        fs::create_dir_all(&folder)?;
        let file = folder.join("index.html");
        if !fs::metadata(&file).is_ok_and(|file| file.len() == case.bytes as u64) {
            fs::write(file, case.body())?;
        }
        Ok(folder)
    }
}

/// A command on the servers' core.
fn pinned(program: &Path) -> Command {
    let mut pinned = command("taskset", &["-c", SERVER_CORE]);
    pinned.arg(program);
    pinned
}

fn script(name: &str) -> PathBuf {
    root().join("bench").join(name)
}

fn application(case: &Case) -> &'static str {
    if case.kind == Kind::Echo { "wsgi:echo" } else { "wsgi:application" }
}

/// A distribution's nginx is in a folder that is not on every user's PATH.
pub fn nginx_program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.is_file() { usual } else { PathBuf::from("nginx") }
}

/// Says what must be installed, before anything is built.
pub fn require(programs: &[(&str, &str)]) -> Result<(), Error> {
    for (program, package) in programs {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
        if !folders.any(|folder| folder.join(program).is_file()) {
            return Err(format!("{program} is not installed (apt install {package})").into());
        }
    }
    Ok(())
}
