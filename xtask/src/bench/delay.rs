//! What others' slow requests cost those who ask the same server for something quick: percentiles, and the
//! difference to the server alone.

use super::case::Case;
use super::outcome::Outcome;
use super::product::Product::{self, Alone, BesideMixed, BesideSleepers};
use super::statistics::{Sample, Spread};
use super::table::{duration, line, number, with_ends};

/// By so much, in seconds, p99 may be longer than alone.
const LIMIT: f64 = 0.002;

/// What must stay below the limit.
const BESIDE: [Product; 2] = [BesideSleepers, BesideMixed];

/// What the reader must know of the measurement, after the number of connections.
pub fn note(case: &Case) -> String {
    format!(
        " Each waits {} ms on average between an answer and its next request: the server is far from busy, so that \
         a latency is what one visitor waits and not the queue of the others. The sleepers are 8 connections that \
         always ask `/sleep`, which takes a second; the mixed one is a connection that asks `/mixed` a thousand times \
         at full speed, then once with `?sleep`, again and again. Both come from a second wrk on the client's core. \
         When a connection has waited long, wrk also counts the requests that it could not send meanwhile.",
        case.pause()
    )
}

/// A row for each way of disturbing the server.
pub fn markdown(outcome: &Outcome) -> String {
    let unit = outcome.case.unit();
    let head = ["server", &format!("{unit} (min … max)"), "p50", "p99", "p99.9", "p99 − alone (min … max)"];
    let head = head.map(str::to_owned);
    let mut lines = vec![line(&head), line(&head.each_ref().map(|_| "---".to_owned()))];
    lines.extend(outcome.rows.iter().map(|(product, samples)| line(&cells(outcome, *product, samples))));
    lines.concat()
}

fn cells(outcome: &Outcome, product: Product, samples: &[Sample]) -> [String; 6] {
    let latency = |place: usize| duration(Spread::of(samples, |sample| sample.latency[place]).median);
    let rate = with_ends(Spread::of(samples, |sample| sample.rate), number);
    let added = if product == Alone { None } else { added(outcome, product) };
    let added = added.map_or(String::new(), |spread| with_ends(spread, duration));
    [product.name().to_owned(), rate, latency(0), latency(1), latency(2), added]
}

/// Rows for the table of targets.
pub fn targets(outcomes: &[Outcome]) -> String {
    BESIDE.iter().map(|product| target(*product, outcomes)).collect()
}

fn target(product: Product, outcomes: &[Outcome]) -> String {
    let found = outcomes.iter().find_map(|outcome| added(outcome, product)).map(|spread| spread.median);
    let shown = found.map_or("not measured".to_owned(), |seconds| format!("{} more", duration(seconds)));
    let met = found.map_or("", |seconds| if seconds < LIMIT { "yes" } else { "**no**" });
    let (name, limit) = (product.name(), duration(LIMIT));
    format!("| sleeper | {name} | p99 < {limit} more than alone | {shown} | {met} |  |\n")
}

/// How much longer p99 is than alone.
fn added(outcome: &Outcome, product: Product) -> Option<Spread> {
    outcome.difference(product, Alone, |sample| sample.latency[1])
}

#[cfg(test)]
mod tests {
    use super::super::case::{CASES, Kind};
    use super::super::outcome::made_up::sample;
    use super::*;

    /// The case with these p99, round by round.
    fn outcome(rows: &[(Product, [f64; 3])]) -> Outcome {
        let case = CASES.iter().find(|case| case.kind == Kind::Beside).expect("there is one");
        let with = |p99: f64| Sample { latency: [0.0001, p99, 0.25], ..sample(3000.0) };
        Outcome { case, rows: rows.iter().map(|(product, p99)| (*product, p99.map(with).to_vec())).collect() }
    }

    #[test]
    fn a_round_is_compared_with_the_same_round_alone() {
        let table = markdown(&outcome(&[(Alone, [0.001, 0.009, 0.002]), (BesideMixed, [0.0015, 0.0095, 0.0015])]));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "| server | requests/s (min … max) | p50 | p99 | p99.9 | p99 − alone (min … max) |");
        assert!(lines[2].starts_with("| pyisapi alone | ") && lines[2].ends_with(" | 250.00 ms |  |"), "{table}");
        let figures = "| 100.0 µs | 1.50 ms | 250.00 ms | 500.0 µs (-500.0 µs … 500.0 µs) |";
        assert!(lines[3].ends_with(figures), "{table}");
    }

    #[test]
    fn a_target_is_met_missed_or_not_measured() {
        let rows = |outcomes: &[Outcome]| targets(outcomes).lines().map(str::to_owned).collect::<Vec<_>>();
        let found = rows(&[outcome(&[(Alone, [0.001; 3]), (BesideSleepers, [0.0029; 3]), (BesideMixed, [0.0031; 3])])]);
        let limit = "p99 < 2.00 ms more than alone";
        assert_eq!(found[0], format!("| sleeper | pyisapi beside 8 sleepers | {limit} | 1.90 ms more | yes |  |"));
        assert_eq!(found[1], format!("| sleeper | pyisapi beside a mixed one | {limit} | 2.10 ms more | **no** |  |"));
        assert!(rows(&[])[0].ends_with("| not measured |  |  |"));
    }
}
