//! What the project promises about its speed, and whether this run bears it out.

use super::delay;
use super::filtering;
use super::outcome::Outcome;
use super::product::Product::{self, Floor, Granian, Gunicorn, Native, Nginx, Pool, Simple, StaticFile, TransmitFile};

/// `product` is at least `factor` times as fast as `other`.
struct Target {
    case: &'static str,
    product: Product,
    factor: f64,
    other: Product,
}

const fn target(case: &'static str, product: Product, factor: f64, other: Product) -> Target {
    Target { case, product, factor, other }
}

const TARGETS: [Target; 9] = [
    target("hello", Native, 0.7, Nginx),
    target("hello", Simple, 1.5, Granian),
    target("hello", Pool, 1.1, Granian),
    target("hello", Simple, 7.0, Gunicorn),
    target("hello", Pool, 7.0, Gunicorn),
    target("echo", Simple, 3.0, Granian),
    target("echo", Pool, 3.0, Granian),
    target("file", TransmitFile, 0.9, Nginx),
    target("file", StaticFile, 0.9, Nginx),
];

/// A table of all targets: first those about rates, with what a request costs beside them, then those about filters and
/// delays.
pub fn table(outcomes: &[Outcome]) -> String {
    let rows: String = TARGETS.iter().map(|target| row(target, outcomes)).collect();
    format!(
        "| case | server | target | found | met | CPU per request |\n|---|---|---|---|---|---|\n{rows}{}{}",
        filtering::target(outcomes),
        delay::targets(outcomes)
    )
}

/// What the bare loop says about the targets: a sentence for each case that has it; empty where there is none.
pub fn floors(outcomes: &[Outcome]) -> String {
    let sentences: Vec<_> = outcomes.iter().filter_map(floor).collect();
    if sentences.is_empty() { String::new() } else { format!("\n{}\n", sentences.join("\n")) }
}

/// How far the case's targets beside Granian are from what the kernel alone takes. The client can be the limit of the
/// bare loop's rate, so what counts is the better of its rate and what its CPU per request would allow.
fn floor(outcome: &Outcome) -> Option<String> {
    let (rate, cpu) = (outcome.rate_ratio(Floor, Granian)?, outcome.cpu_ratio(Floor, Granian)?);
    let (case, name, unhindered) = (outcome.case.name, Floor.name(), 1.0 / cpu);
    let factors = TARGETS.iter().filter(|target| target.case == case && target.other == Granian);
    let highest = factors.map(|target| target.factor).reduce(f64::max)?;
    let verdict = if highest > rate.max(unhindered) { "lies beyond this floor" } else { "is within its reach" };
    Some(format!(
        "At {case} the {name}, which only receives, finds the blank line and sends, has {rate:.2} × the rate of \
         Granian; by its CPU per request ({cpu:.2} ×) it would have {unhindered:.2} × beside a client that is never \
         the limit. A target of {highest:.1} × {verdict}."
    ))
}

fn row(target: &Target, outcomes: &[Outcome]) -> String {
    let Target { case, product, factor, other } = target;
    let outcome = outcomes.iter().find(|outcome| outcome.case.name == *case);
    let rate = outcome.and_then(|outcome| outcome.rate_ratio(*product, *other));
    let cpu = outcome.and_then(|outcome| outcome.cpu_ratio(*product, *other));
    let shown = |ratio: Option<f64>| ratio.map_or("not measured".to_owned(), |ratio| format!("{ratio:.2} ×"));
    let met = rate.map_or("", |rate| if rate >= *factor { "yes" } else { "**no**" });
    let (name, other) = (product.name(), other.name());
    format!("| {case} | {name} | ≥ {factor:.1} × {other} | {} | {met} | {} |\n", shown(rate), shown(cpu))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::made_up::outcome;
    use super::*;

    #[test]
    fn a_target_is_met_missed_or_not_measured() {
        let table = table(&[outcome(&[(Native, 70.0), (Nginx, 100.0), (Simple, 149.0), (Granian, 100.0)])]);
        assert!(
            table.contains("| hello | pyisapi, extension in C | ≥ 0.7 × nginx | 0.70 × | yes | 1.43 × |\n"),
            "{table}"
        );
        assert!(
            table.contains("| hello | pyisapi SimpleExtension | ≥ 1.5 × Granian (WSGI) | 1.49 × | **no** | 0.67 × |\n")
        );
        assert!(table.contains("| file | pyisapi TransmitFile | ≥ 0.9 × nginx | not measured |  | not measured |\n"));
    }

    #[test]
    fn what_the_bare_loop_reaches_is_said_of_the_highest_target() {
        let text = floors(&[outcome(&[(Floor, 149.0), (Granian, 100.0)])]);
        let figures = "has 1.49 × the rate of Granian; by its CPU per request (0.67 ×) it would have 1.49 ×";
        assert!(text.contains(figures) && text.ends_with(". A target of 1.5 × lies beyond this floor.\n"), "{text}");
        assert_eq!(floors(&[outcome(&[(Simple, 1.0), (Granian, 1.0)])]), "");
    }

    #[test]
    fn a_bare_loop_that_waits_for_the_client_is_judged_by_its_work() {
        let mut slowed = outcome(&[(Floor, 140.0), (Granian, 100.0)]);
        slowed.rows[0].1.iter_mut().for_each(|sample| sample.cpu *= 0.9);
        let text = floors(&[slowed]);
        assert!(text.contains("has 1.40 × the rate") && text.contains("would have 1.56 ×"), "{text}");
        assert!(text.ends_with(". A target of 1.5 × is within its reach.\n"), "{text}");
    }
}
