//! The load generator: one run of wrk, and its figures as `bench/load.lua` prints them.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::str::FromStr;

use super::CLIENT_CORE;
use super::case::Case;
use crate::process::{Error, root};

/// What `figures` counts beside the successes; any of them spoils the measurement.
const FAILURES: [&str; 5] = ["connect", "read", "write", "status", "timeout"];

/// What wrk has seen in one run without a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    pub requests: u64,
    /// All bytes received, heads and unfinished answers too.
    pub bytes: u64,
    pub seconds: f64,
    /// Seconds that 50 %, 99 % and 99.9 % of the requests took at most.
    pub latency: [f64; 3],
}

/// Asks the server at a port for `seconds`.
pub fn run(case: &Case, port: u16, seconds: u32) -> Result<Load, Error> {
    let (method, body) = case.request();
    let mut wrk = wrk(case.connections, seconds, &format!("http://127.0.0.1:{port}/"));
    wrk.args([method, &body.to_string(), &case.pause().to_string(), "0"]);
    let load = read(&wrk.output()?)?;
    load.check(case)?;
    Ok(load)
}

/// A run of wrk on the client's core; the arguments of `bench/load.lua` are still to be added.
pub fn wrk(connections: u32, seconds: u32, url: &str) -> Command {
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", CLIENT_CORE, "wrk", "--latency", "--threads", "1", "--timeout", "30s"]);
    wrk.args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")]);
    wrk.arg("--script").arg(root().join("bench/load.lua")).args([url, "--"]);
    wrk
}

/// The figures of a run that has ended; the error has all that wrk said.
pub fn read(output: &Output) -> Result<Load, Error> {
    let text = String::from_utf8_lossy(&output.stdout);
    let said = || format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    text.parse().map_err(|error| format!("{error}:\n{}", said()).into())
}

impl Load {
    /// Every answer was as long as it should be, so that none of them was a redirection.
    fn check(&self, case: &Case) -> Result<(), String> {
        if self.bytes < self.requests * case.bytes as u64 {
            return Err(format!("{} answers of {} bytes cannot be {} bytes", self.requests, case.bytes, self.bytes));
        }
        Ok(())
    }
}

impl FromStr for Load {
    type Err = String;

    /// Finds the line `figures requests=1 bytes=2 ...` in wrk's output; times there are in microseconds.
    fn from_str(output: &str) -> Result<Self, String> {
        let line = output.lines().find_map(|line| line.strip_prefix("figures ")).ok_or("wrk printed no figures")?;
        let figures: HashMap<&str, u64> = line
            .split(' ')
            .filter_map(|word| word.split_once('='))
            .filter_map(|(k, v)| Some((k, v.parse().ok()?)))
            .collect();
        let figure = |name| figures.get(name).copied().ok_or(format!("wrk's figures lack {name}"));
        for name in FAILURES {
            if figure(name)? > 0 {
                return Err(format!("errors under load ({name})"));
            }
        }
        if figure("requests")? == 0 {
            return Err("no request succeeded".to_owned());
        }
        let time = |name| figure(name).map(|microseconds| microseconds as f64 / 1e6);
        Ok(Self {
            requests: figure("requests")?,
            bytes: figure("bytes")?,
            seconds: time("duration")?,
            latency: [time("p50")?, time("p99")?, time("p999")?],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::CASES;
    use super::*;

    const GOOD: &str = "Running 1s test\nfigures requests=200 bytes=30000 duration=2000000 p50=100 p99=2000 \
                        p999=30000 connect=0 read=0 write=0 status=0 timeout=0\n";

    #[test]
    fn the_line_is_found_and_read() {
        let load = Load { requests: 200, bytes: 30000, seconds: 2.0, latency: [0.0001, 0.002, 0.03] };
        assert_eq!(GOOD.parse(), Ok(load));
    }

    #[test]
    fn any_failure_spoils_the_run() {
        for name in FAILURES {
            let bad = GOOD.replace(&format!("{name}=0"), &format!("{name}=1"));
            assert_eq!(bad.parse::<Load>(), Err(format!("errors under load ({name})")));
        }
        assert_eq!(GOOD.replace("=200", "=0").parse::<Load>(), Err("no request succeeded".to_owned()));
    }

    #[test]
    fn a_missing_line_or_figure_is_told() {
        assert_eq!("Running 1s test".parse::<Load>(), Err("wrk printed no figures".to_owned()));
        assert_eq!(GOOD.replace("timeout=0", "").parse::<Load>(), Err("wrk's figures lack timeout".to_owned()));
    }

    #[test]
    fn answers_that_are_too_short_are_told() {
        let load = |bytes| Load { requests: 2, bytes, seconds: 1.0, latency: [0.0; 3] };
        assert_eq!(load(28).check(&CASES[0]), Ok(()));
        assert!(load(27).check(&CASES[0]).is_err());
    }
}
