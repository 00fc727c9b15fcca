//! A case as a table in Markdown, and all samples as comma-separated values.

use super::outcome::Outcome;
use super::product::Product;
use super::statistics::{Sample, Spread};

/// The servers that the others are compared with.
const MEASURES: [(Product, &str); 2] = [(Product::Granian, "× Granian"), (Product::Nginx, "× nginx")];

/// A row for each server; ratios only against those that take part.
pub fn markdown(outcome: &Outcome) -> String {
    let measures: Vec<_> = MEASURES.iter().filter(|(product, _)| outcome.has(*product)).collect();
    let mut head = vec!["server".to_owned(), format!("{} (min … max)", outcome.case.unit())];
    head.extend(measures.iter().map(|(_, title)| (*title).to_owned()));
    head.extend(["CPU per request (min … max)", "cores busy", "p50", "p99", "p99.9", "memory"].map(str::to_owned));
    let mut lines = vec![line(&head), line(&vec!["---".to_owned(); head.len()])];
    for (product, samples) in &outcome.rows {
        let ratios = measures.iter().map(|(other, _)| ratio(outcome, *product, *other));
        lines.push(line(&cells(*product, samples, ratios)));
    }
    lines.concat()
}

fn cells(product: Product, samples: &[Sample], ratios: impl Iterator<Item = String>) -> Vec<String> {
    let rate = Spread::of(samples, |sample| sample.rate);
    let cpu = Spread::of(samples, |sample| sample.cpu);
    let median = |figure: fn(&Sample) -> f64| Spread::of(samples, figure).median;
    let mut cells = vec![product.name().to_owned(), with_ends(rate, number)];
    cells.extend(ratios);
    cells.push(with_ends(cpu, duration));
    cells.push(format!("{:.2}", median(|sample| sample.busy)));
    cells.extend((0..3).map(|place| duration(Spread::of(samples, |sample| sample.latency[place]).median)));
    // Memory grows with the load: what counts is the end.
    cells.push(samples.last().map_or(String::new(), |sample| format!("{:.0} MB", sample.resident_bytes / 1e6)));
    cells
}

/// One line for each sample, times in seconds.
pub fn csv(outcomes: &[Outcome]) -> String {
    let mut text =
        "case,server,round,rate,unit,cpu_per_request,cores_busy,cores_of_others,p50,p99,p99.9,resident_bytes\n"
            .to_owned();
    for outcome in outcomes {
        for (product, samples) in &outcome.rows {
            for (round, sample) in samples.iter().enumerate() {
                text.push_str(&csv_line(outcome, *product, round + 1, sample));
            }
        }
    }
    text
}

fn csv_line(outcome: &Outcome, product: Product, round: usize, sample: &Sample) -> String {
    let Sample { rate, cpu, busy, others, latency: [p50, p99, p999], resident_bytes } = sample;
    let (case, unit, name) = (outcome.case.name, outcome.case.unit(), product.name());
    format!(
        "{case},\"{name}\",{round},{rate:.1},{unit},{cpu:.9},{busy:.3},{others:.3},{p50:.6},{p99:.6},{p999:.6},{resident_bytes:.0}\n"
    )
}

pub fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn ratio(outcome: &Outcome, product: Product, other: Product) -> String {
    outcome.rate_ratio(product, other).map_or(String::new(), |ratio| format!("{ratio:.2}"))
}

pub fn with_ends(spread: Spread, shown: fn(f64) -> String) -> String {
    format!("{} ({} … {})", shown(spread.median), shown(spread.low), shown(spread.high))
}

/// A number without fraction, its thousands apart.
pub fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join("\u{202f}")
}

/// Seconds in a unit that suits them; differences may be negative.
pub fn duration(seconds: f64) -> String {
    match seconds.abs() {
        s if s < 1e-3 => format!("{:.1} µs", seconds * 1e6),
        s if s < 1.0 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::made_up::outcome;
    use super::*;

    #[test]
    fn a_row_has_all_figures_and_the_ratios_that_there_are() {
        let table = markdown(&outcome(&[(Product::Simple, 30_000.0), (Product::Nginx, 60_000.0)]));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0],
            "| server | requests/s (min … max) | × nginx | CPU per request (min … max) | cores busy | p50 | p99 | p99.9 | memory |"
        );
        assert_eq!(lines[1], "| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        assert_eq!(
            lines[2].replace('\u{202f}', " "),
            "| pyisapi SimpleExtension | 30 000 (15 000 … 60 000) | 0.50 | 16.7 µs (8.3 µs … 33.3 µs) | 0.50 | 200.0 µs | 1.50 ms | 250.00 ms | 25 MB |"
        );
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}568"],
            [0.0, 999.4, 1000.0, 1_234_567.8].map(number)[..]
        );
    }

    #[test]
    fn a_duration_has_the_unit_of_its_size_whatever_its_sign() {
        assert_eq!(
            [0.0, -0.0005, 0.002, -0.03, 1.5].map(duration),
            ["0.0 µs", "-500.0 µs", "2.00 ms", "-30.00 ms", "1.50 s"]
        );
    }

    #[test]
    fn every_sample_is_a_line() {
        let text = csv(&[outcome(&[(Product::Native, 2.0)])]);
        assert_eq!(text.lines().count(), 4);
        assert!(
            text.contains("\nhello,\"pyisapi, extension in C\",2,1.0,requests/s,0.500000000,0.500,0.100,"),
            "{text}"
        );
    }
}
