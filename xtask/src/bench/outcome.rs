//! All samples of a case, by server, and how the servers compare.

use super::case::Case;
use super::product::Product;
use super::statistics::{Sample, Spread};

/// What the rounds of a case have shown.
pub struct Outcome {
    pub case: &'static Case,
    /// In the case's order of servers; a sample for each round.
    pub rows: Vec<(Product, Vec<Sample>)>,
}

impl Outcome {
    /// A case that has not been measured yet.
    pub fn of(case: &'static Case) -> Self {
        Self { case, rows: case.products.iter().map(|product| (*product, Vec::new())).collect() }
    }

    /// How many times another's median rate the server's is; nothing if either does not take part.
    pub fn rate_ratio(&self, product: Product, other: Product) -> Option<f64> {
        self.ratio(product, other, |sample| sample.rate)
    }

    /// The same of the CPU time for a request: below 1 is better.
    pub fn cpu_ratio(&self, product: Product, other: Product) -> Option<f64> {
        self.ratio(product, other, |sample| sample.cpu)
    }

    /// How much more than another's a figure of the server's is, round by round: what disturbs a round meets both.
    pub fn difference(&self, product: Product, other: Product, figure: fn(&Sample) -> f64) -> Option<Spread> {
        let (ours, theirs) = (self.samples(product)?, self.samples(other)?);
        Some(Spread::of_numbers(ours.iter().zip(theirs).map(|(one, two)| figure(one) - figure(two)).collect()))
    }

    /// Whether the server takes part.
    pub fn has(&self, product: Product) -> bool {
        self.samples(product).is_some()
    }

    fn ratio(&self, product: Product, other: Product, figure: fn(&Sample) -> f64) -> Option<f64> {
        Some(self.median(product, figure)? / self.median(other, figure)?)
    }

    fn median(&self, product: Product, figure: fn(&Sample) -> f64) -> Option<f64> {
        Some(Spread::of(self.samples(product)?, figure).median)
    }

    fn samples(&self, product: Product) -> Option<&[Sample]> {
        self.rows.iter().find(|(found, _)| *found == product).map(|(_, samples)| samples.as_slice())
    }
}

/// The most that processes without a part took during any sample, in cores.
pub fn most_by_others(outcomes: &[Outcome]) -> f64 {
    let samples = outcomes.iter().flat_map(|outcome| &outcome.rows).flat_map(|(_, samples)| samples);
    samples.map(|sample| sample.others).fold(0.0, f64::max)
}

#[cfg(test)]
pub mod made_up {
    use super::super::case::CASES;
    use super::*;

    pub fn sample(rate: f64) -> Sample {
        Sample { rate, cpu: 0.5 / rate, busy: 0.5, others: 0.1, latency: [0.0002, 0.0015, 0.25], resident_bytes: 2.5e7 }
    }

    /// The first case with these median rates, each also seen at half and double speed.
    pub fn outcome(rates: &[(Product, f64)]) -> Outcome {
        let rows =
            rates.iter().map(|(product, rate)| (*product, vec![sample(*rate), sample(rate / 2.0), sample(rate * 2.0)]));
        Outcome { case: &CASES[0], rows: rows.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::made_up::outcome;
    use super::*;

    #[test]
    fn ratios_are_those_of_the_medians() {
        let outcome = outcome(&[(Product::Simple, 300.0), (Product::Granian, 200.0)]);
        assert_eq!(outcome.rate_ratio(Product::Simple, Product::Granian), Some(1.5));
        assert_eq!(outcome.cpu_ratio(Product::Granian, Product::Simple), Some(1.5));
        assert_eq!(outcome.rate_ratio(Product::Simple, Product::Nginx), None);
    }
}
