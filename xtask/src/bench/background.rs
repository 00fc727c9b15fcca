//! What else a server is asked for while it is measured: a second wrk on the client's core, our child.
//!
//! It outlasts the measurement and ends by itself. What it has done is then checked: a measurement beside handlers
//! that did not sleep would prove nothing.

use std::process::{Child, Stdio};

use super::load::{self, Load};
use super::product::Product;
use crate::process::Error;

/// So much longer than the measurement it goes on: enough that of the shortest one, too, a sleep has been answered.
const LONGER_SECONDS: u32 = 2;

/// A request that takes longer has met a handler that sleeps, for a second; seconds.
const ASLEEP: f64 = 0.9;

/// Who asks for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    path: &'static str,
    connections: u32,
    /// Quick requests before each that sleeps.
    quick: u32,
}

/// A running wrk; killed when dropped before its end.
pub struct Background {
    asked: Asked,
    /// There until its end.
    wrk: Option<Child>,
}

impl Background {
    /// Starts what belongs to the product, if anything does, for a measurement of so many seconds.
    pub fn start(product: Product, port: u16, seconds: u32) -> Result<Option<Self>, Error> {
        let Some(asked) = asked(product) else { return Ok(None) };
        let url = format!("http://127.0.0.1:{port}{}", asked.path);
        let mut wrk = load::wrk(asked.connections, seconds + LONGER_SECONDS, &url);
        wrk.args(["GET", "0", "0", &asked.quick.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Some(Self { asked, wrk: Some(wrk.spawn()?) }))
    }

    /// Waits for its end after the measurement; an error if it ended earlier or its handlers did not sleep.
    pub fn end(mut self) -> Result<(), Error> {
        let mut wrk = self.wrk.take().expect("taken only here, at the end");
        let early = wrk.try_wait()?.is_some();
        let output = wrk.wait_with_output()?;
        let load = load::read(&output).map_err(|error| format!("{}: {error}", self.asked.path))?;
        if early {
            return Err(format!("{} was not asked all the time", self.asked.path).into());
        }
        self.asked.check(&load).map_err(Into::into)
    }
}

impl Drop for Background {
    /// The measurement has failed: nobody reads what this has done.
    fn drop(&mut self) {
        if let Some(wrk) = &mut self.wrk {
            wrk.kill().ok();
            wrk.wait().ok();
        }
    }
}

impl Asked {
    fn check(self, load: &Load) -> Result<(), String> {
        let Load { requests, latency: [_, _, p999], .. } = *load;
        if requests <= u64::from(self.quick) || p999 < ASLEEP {
            return Err(format!("{} did not sleep: {requests} requests, p99.9 {p999:.3} s", self.path));
        }
        Ok(())
    }
}

fn asked(product: Product) -> Option<Asked> {
    match product {
        Product::BesideSleepers => Some(Asked { path: "/sleep", connections: 8, quick: 0 }),
        Product::BesideMixed => Some(Asked { path: "/mixed", connections: 1, quick: 1000 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(requests: u64, p999: f64) -> Load {
        Load { requests, bytes: 0, seconds: 3.0, latency: [0.0, 0.0, p999] }
    }

    #[test]
    fn only_ways_of_being_disturbed_have_a_background() {
        let paths = [Product::Alone, Product::Simple, Product::BesideSleepers, Product::BesideMixed];
        let paths = paths.map(|product| asked(product).map(|asked| asked.path));
        assert_eq!(paths, [None, None, Some("/sleep"), Some("/mixed")]);
    }

    #[test]
    fn a_background_that_did_not_sleep_is_told() {
        let mixed = asked(Product::BesideMixed).expect("it has one");
        assert_eq!(mixed.check(&load(1001, 1.0)), Ok(()));
        assert!(mixed.check(&load(1000, 1.0)).is_err(), "never came to the request that sleeps");
        let wrong = Err("/mixed did not sleep: 100000 requests, p99.9 0.002 s".to_owned());
        assert_eq!(mixed.check(&load(100_000, 0.002)), wrong);
        let sleepers = asked(Product::BesideSleepers).expect("they have one");
        assert_eq!(sleepers.check(&load(8, 1.001)), Ok(()));
    }
}
