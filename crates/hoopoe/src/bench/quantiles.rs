//! Durations counted into an HDR histogram, and the few numbers that are told of them.

use hdrhistogram::Histogram;

use super::clock::SECOND_NS;

const MAX_NS: u64 = 3_600 * SECOND_NS;
/// Significant decimal digits that are kept: every value is right to 0.1 %.
const DIGITS: u8 = 3;

#[derive(Debug, Clone)]
pub(super) struct Quantiles {
    histogram: Histogram<u64>,
}

impl Quantiles {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, MAX_NS, DIGITS);
        Self { histogram: histogram.expect("the bounds are in order") }
    }

    pub(super) fn of(values_ns: &[u64]) -> Self {
        let mut all = Self::new();
        all.add(values_ns);
        all
    }

    /// Values above an hour count as an hour.
    pub(super) fn add(&mut self, values_ns: &[u64]) {
        values_ns.iter().for_each(|ns| self.histogram.saturating_record(*ns));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all have the same bounds");
    }

    /// Milliseconds below which the share `quantile` of all values lies.
    pub(super) fn ms(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64 / 1e6
    }

    pub(super) fn max_ms(&self) -> f64 {
        self.histogram.max() as f64 / 1e6
    }
}

/// The middle of some numbers, and how far they are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `None` of no numbers.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_values() {
        let ms: Vec<u64> = (1..=1_000).map(|ms| ms * 1_000_000).collect();
        let (low, high) = ms.split_at(500);
        let mut quantiles = Quantiles::of(high);
        quantiles.merge(&Quantiles::of(low));
        assert_eq!(quantiles.histogram.len(), 1_000);
        for (quantile, expected) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = quantiles.ms(quantile);
            assert!((found - expected).abs() <= expected / 500.0, "{quantile}: {found}");
        }
        assert!((quantiles.max_ms() - 1_000.0).abs() <= 1.0);
        assert!(Quantiles::of(&[u64::MAX]).max_ms() > 3_599_000.0);
    }

    #[test]
    fn a_spread_is_the_median_and_both_ends() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of(&[]), None);
    }
}
