//! A case as a bar chart in SVG: the median rate of each server, and a whisker from the least to the greatest.

use std::fmt::Write;

use super::outcome::Outcome;
use super::product::Product;
use super::statistics::{Sample, Spread};
use super::table::number;

const WIDTH: f64 = 760.0;
/// Where the bars begin; the names stand left of it.
const LEFT: f64 = 215.0;
/// What the longest bar or whisker may take; its number stands right of it.
const LONGEST: f64 = 445.0;
const TOP: f64 = 44.0;
const STEP: f64 = 28.0;
const BAR: f64 = 18.0;

/// Greys that suit paper and screen, and one colour for what is ours.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:15px}.name{text-anchor:end}\
.ours{fill:#3b6ea5}.peer{fill:#a8adb3}.whisker{stroke:#555;stroke-width:1.5;fill:none}\
@media(prefers-color-scheme:dark){text{fill:#d8dade}.ours{fill:#6ea3dc}.peer{fill:#6d7278}.whisker{stroke:#c4c7cc}}";

/// The whole picture.
pub fn svg(outcome: &Outcome) -> String {
    let height = TOP + STEP * outcome.rows.len() as f64 + 8.0;
    let title = format!("{}, {}", outcome.case.title, outcome.case.unit());
    let most = outcome.rows.iter().map(|(_, samples)| rate(samples).high).fold(f64::MIN_POSITIVE, f64::max);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"12\" y=\"24\">{title}</text>\n"
    );
    for (place, (product, samples)) in outcome.rows.iter().enumerate() {
        picture.push_str(&bar(*product, rate(samples), TOP + STEP * place as f64, LONGEST / most));
    }
    picture.push_str("</svg>\n");
    picture
}

/// A bar whose upper edge is at `top`; `scale` turns a rate into a length.
fn bar(product: Product, rate: Spread, top: f64, scale: f64) -> String {
    let class = if product.is_ours() { "ours" } else { "peer" };
    let (middle, base) = (top + BAR / 2.0, top + BAR / 2.0 + 4.5);
    let (from, to, end) = (LEFT + rate.low * scale, LEFT + rate.high * scale, rate.median * scale);
    let mut bar = String::new();
    // Writing to a string cannot fail.
    write!(
        bar,
        "<text class=\"name\" x=\"{:.0}\" y=\"{base}\">{}</text>\n\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{end:.1}\" height=\"{BAR}\" rx=\"2\"/>\n\
         <path class=\"whisker\" d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {:.1}v6M{to:.1} {:.1}v6\"/>\n\
         <text x=\"{:.1}\" y=\"{base}\">{}</text>\n",
        LEFT - 10.0,
        product.name(),
        middle - 3.0,
        middle - 3.0,
        to.max(LEFT + end) + 8.0,
        number(rate.median),
    )
    .ok();
    bar
}

fn rate(samples: &[Sample]) -> Spread {
    Spread::of(samples, |sample| sample.rate)
}

#[cfg(test)]
mod tests {
    use super::super::outcome::made_up::outcome;
    use super::*;

    #[test]
    fn bars_are_as_long_as_the_rates_and_the_longest_whisker_fits() {
        let picture = svg(&outcome(&[(Product::Simple, 100.0), (Product::Granian, 50.0)]));
        // The greatest of all is 200: half of it and a quarter are the medians.
        assert!(picture.contains("<rect class=\"ours\" x=\"215\" y=\"44\" width=\"222.5\""), "{picture}");
        assert!(picture.contains("<rect class=\"peer\" x=\"215\" y=\"72\" width=\"111.2\""), "{picture}");
        assert!(picture.contains("M326.2 53H660.0"), "{picture}");
    }
}
