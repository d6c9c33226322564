//! A metrics page being written: one short method per kind of metric. It knows names and numbers, not what they mean.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

pub(super) struct Page<'e> {
    encoder: DescriptorEncoder<'e>,
    prefix: &'static str,
}

/// Counts per bucket, not cumulative, the last one open; and the sum of what was observed, in seconds.
pub(super) struct Distribution<'a> {
    pub(super) bounds_s: Vec<f64>,
    pub(super) counts: &'a [u64],
    pub(super) sum_s: f64,
}

impl<'e> Page<'e> {
    pub(super) fn new(encoder: DescriptorEncoder<'e>, prefix: &'static str) -> Self {
        Self { encoder, prefix }
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let name = self.name(name);
        let mut encoder = self.encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let name = self.name(name);
        let mut family = self.encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let name = self.name(name);
        let mut encoder = self.encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        encoder.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(super) fn gauge_in(&mut self, name: &str, help: &str, unit: Unit, value: f64) -> fmt::Result {
        let name = self.name(name);
        let mut encoder = self.encoder.encode_descriptor(&name, help, Some(&unit), MetricType::Gauge)?;
        encoder.encode_gauge(&value)
    }

    pub(super) fn info<L: EncodeLabelSet>(&mut self, name: &str, help: &str, labels: L) -> fmt::Result {
        let name = self.name(name);
        let mut encoder = self.encoder.encode_descriptor(&name, help, None, MetricType::Info)?;
        encoder.encode_info(&labels)
    }

    pub(super) fn seconds(&mut self, name: &str, help: &str, values: &Distribution<'_>) -> fmt::Result {
        let name = self.name(name);
        let unit = Some(&Unit::Seconds);
        let mut encoder = self.encoder.encode_descriptor(&name, help, unit, MetricType::Histogram)?;
        let bounds = values.bounds_s.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(values.counts.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(values.sum_s, values.counts.iter().sum(), &buckets, None)
    }

    fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}
