//! What the project promises about its speed, and whether this run bears it out.

use super::delay;
use super::outcome::Outcome;
use super::product::Product::{self, Granian, Gunicorn, Native, Nginx, Pool, Simple, StaticFile, TransmitFile};

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
}
