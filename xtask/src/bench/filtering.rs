//! What a filter in Python costs: the CPU time of a request past it, less that of a request past one in C that does the
//! same. What the host takes for any filter is in both, so what is left is the bridge's and Python's.

use super::outcome::Outcome;
use super::product::Product::{NativeFilter, PythonFilter};
use super::statistics::Spread;
use super::table::duration;

/// By so much, in seconds, it may be more.
const LIMIT: f64 = 3e-6;

/// The row for the table of targets.
pub fn target(outcomes: &[Outcome]) -> String {
    let found = outcomes.iter().find_map(cost).map(|spread| spread.median);
    let shown = found.map_or("not measured".to_owned(), |seconds| format!("{} more", duration(seconds)));
    let met = found.map_or("", |seconds| if seconds < LIMIT { "yes" } else { "**no**" });
    let (name, other, limit) = (PythonFilter.name(), NativeFilter.name(), duration(LIMIT));
    format!("| filters | {name} | CPU per request < {limit} more than {other} | {shown} | {met} |  |\n")
}

fn cost(outcome: &Outcome) -> Option<Spread> {
    outcome.difference(PythonFilter, NativeFilter, |sample| sample.cpu)
}

#[cfg(test)]
mod tests {
    use super::super::case::CASES;
    use super::super::outcome::made_up::sample;
    use super::super::product::Product;
    use super::super::statistics::Sample;
    use super::*;

    /// The case with these CPU times, round by round.
    fn outcome(rows: &[(Product, [f64; 3])]) -> Outcome {
        let case = CASES.iter().find(|case| case.name == "filters").expect("there is one");
        let with = |cpu: f64| Sample { cpu, ..sample(50_000.0) };
        Outcome { case, rows: rows.iter().map(|(product, cpu)| (*product, cpu.map(with).to_vec())).collect() }
    }

    #[test]
    fn a_round_is_compared_with_the_same_round_of_the_other() {
        let found =
            |python: [f64; 3]| target(&[outcome(&[(PythonFilter, python), (NativeFilter, [10e-6, 20e-6, 15e-6])])]);
        let begin = "| filters | pyisapi, filter in Python | CPU per request < 3.0 µs more than pyisapi, filter in C |";
        assert_eq!(found([12.5e-6, 22e-6, 19e-6]), format!("{begin} 2.5 µs more | yes |  |\n"));
        assert_eq!(found([13.5e-6, 22e-6, 19e-6]), format!("{begin} 3.5 µs more | **no** |  |\n"));
        assert_eq!(target(&[]), format!("{begin} not measured |  |  |\n"));
    }
}
