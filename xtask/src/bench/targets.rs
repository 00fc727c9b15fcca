//! What the project promises about its speed, and whether this run bears it out.

use super::delay;
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

/// A table of all targets: first those about rates, with what a request costs beside them, then those about delays.
pub fn table(outcomes: &[Outcome]) -> String {
    let rows: String = TARGETS.iter().map(|target| row(target, outcomes)).collect();
    format!(
        "| case | server | target | found | met | CPU per request |\n|---|---|---|---|---|---|\n{rows}{}",
        delay::targets(outcomes)
    )
}

/// What the bare loop says about the targets: a sentence for each case that has it; empty where there is none.
pub fn floors(outcomes: &[Outcome]) -> String {
    let sentences: Vec<_> = outcomes.iter().filter_map(floor).collect();
    if sentences.is_empty() { String::new() } else { format!("\n{}\n", sentences.join("\n")) }
}

/// How far the case's targets beside Granian are from what the kernel alone takes.
fn floor(outcome: &Outcome) -> Option<String> {
    let (rate, cpu) = (outcome.rate_ratio(Floor, Granian)?, outcome.cpu_ratio(Floor, Granian)?);
    let case = outcome.case.name;
    let factors = TARGETS.iter().filter(|target| target.case == case && target.other == Granian);
    let highest = factors.map(|target| target.factor).reduce(f64::max)?;
    let verdict = if highest > rate { "lies beyond this floor" } else { "lies within it" };
    Some(format!(
        "At {case} the {}, which only receives, finds the blank line and sends, has {rate:.2} × the rate of Granian \
         and {cpu:.2} × its CPU per request: a target of {highest:.1} × {verdict}.",
        Floor.name()
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
        let figures = "has 1.49 × the rate of Granian and 0.67 × its CPU per request";
        assert!(text.contains(figures) && text.ends_with(": a target of 1.5 × lies beyond this floor.\n"), "{text}");
        let text = floors(&[outcome(&[(Floor, 150.0), (Granian, 100.0)])]);
        assert!(text.ends_with(": a target of 1.5 × lies within it.\n"), "{text}");
        assert_eq!(floors(&[outcome(&[(Simple, 1.0), (Granian, 1.0)])]), "");
    }
}
