//! From runs to figures: what one run says, and the median and the spread of several.

use std::time::{Duration, Instant};

use super::case::{Case, Kind};
use super::load::Load;
use super::processes::Usage;

/// What the kernel has counted up to a moment.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    pub server: Usage,
    /// CPU seconds of the processes that have no part in the benchmark.
    pub others: f64,
    pub at: Instant,
}

impl Count {
    /// How many cores the others took since `before`; wrk's own time is not all of it when the machine is busy.
    fn cores_of_others_since(&self, before: &Self) -> f64 {
        let passed = self.at.duration_since(before.at).max(Duration::from_millis(1));
        (self.others - before.others).max(0.0) / passed.as_secs_f64()
    }
}

/// One server, one case, one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// In the case's unit.
    pub rate: f64,
    /// CPU seconds of the whole server for one request.
    pub cpu: f64,
    /// How many cores the server kept busy; below 1 the client, or others, were what limited it.
    pub busy: f64,
    /// How many cores processes took that have no part in the benchmark.
    pub others: f64,
    /// Seconds: p50, p99, p99.9.
    pub latency: [f64; 3],
    pub resident_bytes: f64,
}

impl Sample {
    /// `before` and `after` are what the kernel had counted around the load.
    pub fn new(case: &Case, load: &Load, before: Count, after: Count) -> Self {
        let cpu = after.server.cpu_seconds - before.server.cpu_seconds;
        // Of large files many are unfinished at the end; their bytes were work too.
        let requests = match case.kind {
            Kind::File => load.bytes as f64 / case.bytes as f64,
            _ => load.requests as f64,
        };
        let amount = if case.kind == Kind::File { load.bytes as f64 / 1e6 } else { requests };
        Self {
            rate: amount / load.seconds,
            cpu: cpu / requests,
            busy: cpu / load.seconds,
            others: after.cores_of_others_since(&before),
            latency: load.latency,
            resident_bytes: after.server.resident_bytes as f64,
        }
    }
}

/// The median of some numbers, and their extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    /// Of one figure of all samples; not a number when there is none.
    pub fn of(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Self {
        Self::of_numbers(samples.iter().map(figure).collect())
    }

    /// Not a number when there is none.
    pub fn of_numbers(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let at = |place: usize| numbers.get(place).copied().unwrap_or(f64::NAN);
        let middle = (at(numbers.len().saturating_sub(1) / 2) + at(numbers.len() / 2)) / 2.0;
        Self { median: middle, low: at(0), high: at(numbers.len().saturating_sub(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::CASES;
    use super::*;

    fn sample(rate: f64) -> Sample {
        Sample { rate, cpu: 0.0, busy: 0.0, others: 0.0, latency: [0.0; 3], resident_bytes: 0.0 }
    }

    /// All counts are made with the same `start`.
    fn count(start: Instant, seconds: u64, cpu_seconds: f64, others: f64) -> Count {
        let server = Usage { cpu_seconds, resident_bytes: 1000 };
        Count { server, others, at: start + Duration::from_secs(seconds) }
    }

    #[test]
    fn the_middle_and_the_ends() {
        let spread = |rates: &[f64]| Spread::of(&rates.iter().copied().map(sample).collect::<Vec<_>>(), |s| s.rate);
        assert_eq!(spread(&[5.0, 1.0, 3.0]), Spread { median: 3.0, low: 1.0, high: 5.0 });
        assert_eq!(spread(&[4.0, 1.0]), Spread { median: 2.5, low: 1.0, high: 4.0 });
        assert!(spread(&[]).median.is_nan());
    }

    #[test]
    fn a_saturated_core_is_one_second_a_second() {
        let load = Load { requests: 1000, bytes: 20000, seconds: 2.0, latency: [0.1, 0.2, 0.3] };
        let start = Instant::now();
        let found = Sample::new(&CASES[0], &load, count(start, 0, 3.0, 3.0), count(start, 4, 5.0, 4.0));
        assert_eq!((found.rate, found.cpu, found.busy, found.others), (500.0, 0.002, 1.0, 0.25));
        assert_eq!((found.latency, found.resident_bytes), ([0.1, 0.2, 0.3], 1000.0));
    }

    #[test]
    fn of_a_large_file_the_unfinished_answers_count_too() {
        let file = CASES.iter().find(|case| case.kind == Kind::File).expect("there is one");
        let load = Load { requests: 2, bytes: 250_000_000, seconds: 1.0, latency: [0.0; 3] };
        let start = Instant::now();
        let found = Sample::new(file, &load, count(start, 0, 0.0, 0.0), count(start, 1, 0.5, 0.0));
        assert_eq!((found.rate, found.cpu, found.busy), (250.0, 0.2, 0.5));
    }
}
