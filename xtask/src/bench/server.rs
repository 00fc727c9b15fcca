//! A server under measurement: our child, from its start to the end of the last of its own children.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::case::Case;
use super::launch::Launcher;
use super::probe;
use super::processes::{self, Usage};
use super::product::Product;
use crate::process::Error;

const START: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server that gives the right answer; ended when dropped.
pub struct Server {
    pub product: Product,
    pub port: u16,
    process: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until it answers, to the byte, as the case demands.
    pub fn start(launcher: &Launcher, product: Product, case: &Case) -> Result<Self, Error> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (mut command, log) = launcher.command(product, case, port)?;
        let process = command.spawn().map_err(|error| format!("{} cannot be started: {error}", product.name()))?;
        let mut server = Self { product, port, process, log };
        server.wait_for_answer(case)?;
        Ok(server)
    }

    /// What it and its children have used since they began, and hold now.
    pub fn usage(&self) -> Result<Usage, Error> {
        processes::usage(self.process.id())
    }

    /// The error with the server's name and where its own words are.
    pub fn failed(&self, error: impl std::fmt::Display) -> Error {
        format!("{}: {error} (its log: {})", self.product.name(), self.log.display()).into()
    }

    fn wait_for_answer(&mut self, case: &Case) -> Result<(), Error> {
        let (deadline, body) = (Instant::now() + START, case.body());
        while let Err(wrong) = probe::answers(self.port, case, &body) {
            if let Some(status) = self.process.try_wait()? {
                return Err(self.failed(format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.failed(wrong));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// SIGTERM to our child, which ends its own; then a wait for all of them.
    fn end(&mut self) -> Result<(), Error> {
        if self.process.try_wait()?.is_some() {
            return Ok(());
        }
        let family = processes::family(self.process.id())?;
        Command::new("kill").arg(self.process.id().to_string()).status()?;
        wait_until(|| Ok(self.process.try_wait()?.is_some())).inspect_err(|_| {
            self.process.kill().ok();
            self.process.wait().ok();
        })?;
        wait_until(|| Ok(!family.iter().copied().any(processes::lives)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("xtask: {} does not end: {error}", self.product.name());
        }
    }
}

fn wait_until(done: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let (mut done, deadline) = (done, Instant::now() + END);
    while !done()? {
        if Instant::now() > deadline {
            return Err(format!("still there {} s after SIGTERM", END.as_secs()).into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}
