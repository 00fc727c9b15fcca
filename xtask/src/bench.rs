//! `cargo xtask bench`: hello world beside peers, from one run on this machine.
//!
//! The server gets one core and the load generator (wrk) another. All servers are measured in turn, round
//! after round, so that a drift of the machine's speed meets all alike; the median of the rounds counts.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::environment::Environment;
use crate::process::{Error, command, root};
use crate::stage;

const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
const CONNECTIONS: &str = "64";

/// A server under measurement; ended when dropped.
struct Peer {
    name: &'static str,
    url: String,
    process: Child,
    rates: Vec<f64>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its workers too. It may have ended by itself; the measurement has then failed.
        Command::new("kill").arg(self.process.id().to_string()).status().ok();
        self.process.wait().ok();
    }
}

/// Measures and prints the table.
pub fn run(seconds: u32, rounds: usize) -> Result<(), Error> {
    require("wrk", "apt install wrk")?;
    require("taskset", "apt install util-linux")?;
    let environment = stage::stage()?;
    environment.install(&["granian==2.*"])?;
    let work = root().join("target").join("bench");
    fs::create_dir_all(&work)?;
    let mut peers = vec![
        pyisapi(&environment, "pyisapi SimpleExtension", "simple.py")?,
        pyisapi(&environment, "pyisapi ThreadPoolExtension", "pool.py")?,
        granian(&environment)?,
    ];
    match require("nginx", "apt install nginx") {
        Ok(()) => peers.push(nginx(&work)?),
        Err(missing) => eprintln!("left out: {missing}"),
    }
    for round in 1..=rounds {
        for peer in &mut peers {
            let rate = measure(&peer.url, seconds)?;
            eprintln!("round {round}: {:<28} {rate:>9.0} requests/s", peer.name);
            peer.rates.push(rate);
        }
    }
    print_table(&mut peers)
}

fn pyisapi(environment: &Environment, name: &'static str, script: &str) -> Result<Peer, Error> {
    let port = free_port()?;
    let script = root().join("bench").join(script);
    let program = environment.program("pyisapi");
    let arguments = ["serve", "--port", &port.to_string()];
    start(name, port, pinned(&program).args(arguments).arg(script).env("PYISAPI_LOG", "warn"))
}

fn granian(environment: &Environment) -> Result<Peer, Error> {
    let port = free_port()?;
    let options =
        ["--interface", "wsgi", "--blocking-threads", "1", "--runtime-threads", "1", "--http", "1", "--no-ws"];
    let program = environment.program("granian");
    let mut command = pinned(&program);
    command.args(options).args(["--port", &port.to_string(), "--log-level", "warning", "hello:application"]);
    start("Granian WSGI", port, command.current_dir(root().join("bench")))
}

fn nginx(work: &Path) -> Result<Peer, Error> {
    let port = free_port()?;
    let config = work.join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 100000000; server {{ listen 127.0.0.1:{port};\n\
         location / {{ default_type text/plain; return 200 'Hello, world!\\n'; }} }} }}\n",
        folder = work.display()
    );
    fs::write(&config, text)?;
    start("nginx return 200", port, pinned(Path::new("nginx")).arg("-c").arg(&config))
}

/// A command on the servers' core.
fn pinned(program: &Path) -> Command {
    let mut pinned = command("taskset", &["-c", SERVER_CORE]);
    pinned.arg(program).stdout(Stdio::null());
    pinned
}

/// Starts a server and waits until it answers.
fn start(name: &'static str, port: u16, command: &mut Command) -> Result<Peer, Error> {
    let process = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
    let peer = Peer { name, url: format!("http://127.0.0.1:{port}/"), process, rates: Vec::new() };
    let deadline = Instant::now() + Duration::from_secs(30);
    while !answers(port) {
        if Instant::now() > deadline {
            return Err(format!("{name} does not answer on port {port}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(peer)
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
        && answer.contains("Hello, world!")
}

/// Requests per second at one URL.
fn measure(url: &str, seconds: u32) -> Result<f64, Error> {
    let duration = format!("{seconds}s");
    let output = Command::new("taskset")
        .args(["-c", CLIENT_CORE, "wrk", "--threads", "1", "--connections", CONNECTIONS, "--duration", &duration, url])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return Err(format!("errors under load at {url}:\n{text}").into());
    }
    let rate =
        text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).ok_or(format!("no rate in:\n{text}"))?;
    Ok(rate.trim().parse()?)
}

fn print_table(peers: &mut [Peer]) -> Result<(), Error> {
    let medians: Vec<f64> = peers.iter_mut().map(|peer| median(&mut peer.rates)).collect();
    let granian =
        peers.iter().position(|peer| peer.name.starts_with("Granian")).map_or(f64::NAN, |place| medians[place]);
    let mut out = std::io::stdout();
    writeln!(out, "| server | requests/s (median) | min | max | × Granian |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (peer, median) in peers.iter().zip(&medians) {
        let (low, high) = (peer.rates.first().unwrap_or(&0.0), peer.rates.last().unwrap_or(&0.0));
        writeln!(out, "| {} | {median:.0} | {low:.0} | {high:.0} | {:.2} |", peer.name, median / granian)?;
    }
    Ok(())
}

/// Sorts the rates; the middle one.
fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn require(program: &str, cure: &str) -> Result<(), Error> {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).any(|folder| folder.join(program).is_file())
    });
    if found { Ok(()) } else { Err(format!("{program} is not installed ({cure})").into()) }
}
