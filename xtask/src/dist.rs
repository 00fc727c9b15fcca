//! `cargo xtask dist`: the wheel to distribute, built, tried in an environment that has nothing else, and put into `dist`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use crate::environment::Environment;
use crate::process::{Error, root};
use crate::wheel::{self, Build};

const START: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// The sample that is asked, and what it must say.
const SAMPLE: &str = "samples/hello.py";
const ANSWER: &str = "Hello from Python.\n";

/// What is built.
#[derive(Args)]
pub struct Options {
    /// Build without a profile: quicker, and needs neither wrk nor llvm-tools; some hundredths slower at work.
    #[arg(long)]
    no_profile: bool,
}

/// Builds, tries, and puts the wheel where it is looked for.
pub fn run(options: &Options) -> Result<(), Error> {
    let wheel = wheel::build(&Build::to_distribute(options.no_profile)?)?;
    try_out(&wheel)?;
    let folder = root().join("dist");
    fs::create_dir_all(&folder)?;
    let place = folder.join(wheel.file_name().expect("a wheel has a name"));
    fs::copy(&wheel, &place)?;
    Ok(writeln!(std::io::stdout(), "{}", place.display())?)
}

/// Installs the wheel where nothing else is, and has it serve a sample.
fn try_out(wheel: &Path) -> Result<(), Error> {
    let folder = root().join("target/wheel/trial");
    wheel::remove(&folder)?;
    let environment = Environment::at(folder.join("venv"))?;
    environment.install_wheel(wheel)?;
    let script = folder.join("hello.py");
    fs::copy(root().join(SAMPLE), &script)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut trial = Trial::start(&environment, script, port)?;
    let answer = trial.answer(port)?;
    if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(ANSWER) {
        return Ok(());
    }
    Err(format!("the built wheel serves {SAMPLE} wrongly: {answer}").into())
}

/// A running server; ended when dropped.
struct Trial(Child);

impl Trial {
    fn start(environment: &Environment, script: PathBuf, port: u16) -> Result<Self, Error> {
        let mut pyisapi = Command::new(environment.program("pyisapi"));
        pyisapi.args(["serve", "--port", &port.to_string()]).arg(script);
        pyisapi.env_remove("PYTHONPATH").env("PYISAPI_LOG", "warn").stdout(Stdio::null());
        Ok(Self(pyisapi.spawn().map_err(|error| format!("the built wheel's pyisapi cannot be started: {error}"))?))
    }

    /// What the server says, once it listens.
    fn answer(&mut self, port: u16) -> Result<String, Error> {
        let deadline = Instant::now() + START;
        loop {
            match ask(port) {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => std::thread::sleep(PAUSE),
            }
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the built wheel's pyisapi ended with {status}").into());
            }
        }
    }
}

impl Drop for Trial {
    /// SIGTERM to our child; it takes its own along.
    fn drop(&mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            self.0.kill().ok();
        }
        self.0.wait().ok();
    }
}

fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(START))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
