//! What a mode found: named numbers, as one line of JSON for machines and as a table for people.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value, json};

use super::quantiles::{Quantiles, Spread};

/// One measurement. Names end in their units.
#[derive(Debug, Clone)]
pub(super) struct Report {
    mode: &'static str,
    variant: String,
    lines: Vec<(String, Value)>,
}

impl Report {
    /// `variant`: what was measured, in a few words.
    pub(super) fn new(mode: &'static str, variant: impl Into<String>) -> Self {
        Self { mode, variant: variant.into(), lines: Vec::new() }
    }

    pub(super) fn count(&mut self, name: &str, count: u64) {
        self.lines.push((name.to_owned(), json!(count)));
    }

    pub(super) fn number(&mut self, name: &str, number: f64) {
        self.lines.push((name.to_owned(), rounded(number)));
    }

    pub(super) fn list(&mut self, name: &str, numbers: &[f64]) {
        self.lines.push((name.to_owned(), numbers.iter().copied().map(rounded).collect()));
    }

    /// Median and both ends; nothing when there are no numbers.
    pub(super) fn spread(&mut self, name: &str, numbers: &[f64]) {
        if let Some(Spread { median, min, max }) = Spread::of(numbers) {
            let spread = json!({"median": rounded(median), "min": rounded(min), "max": rounded(max)});
            self.lines.push((name.to_owned(), spread));
        }
    }

    pub(super) fn quantiles(&mut self, name: &str, quantiles: &Quantiles) {
        for (word, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
            self.number(&format!("{name}_{word}_ms"), quantiles.ms(quantile));
        }
        self.number(&format!("{name}_max_ms"), quantiles.max_ms());
    }

    /// One object on one line.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("mode".to_owned(), json!(self.mode));
        object.insert("variant".to_owned(), json!(self.variant));
        object.extend(self.lines.iter().cloned());
        Value::Object(object).to_string()
    }

    pub(super) fn table(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut table = format!("\n== {}: {}\n", self.mode, self.variant);
        for (name, value) in &self.lines {
            let _ = writeln!(table, "  {name:width$}  {}", shown(value));
        }
        table
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => with_groups(number),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(" "),
        Value::Object(spread) => {
            let part = |name| spread.get(name).map(shown).unwrap_or_default();
            format!("{}  ({} … {})", part("median"), part("min"), part("max"))
        }
        Value::Null => "none".to_owned(),
        Value::Bool(bool) => bool.to_string(),
    }
}

/// 12345.6 as 12,345.6.
fn with_groups(number: &Number) -> String {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction {
        Some(fraction) if fraction != "0" => format!("{grouped}.{fraction}"),
        _ => grouped,
    }
}

/// To four significant digits, or to whole numbers from 1,000 on; what is no number becomes null.
fn rounded(number: f64) -> Value {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { json!(0) } else { Value::Null };
    }
    let digits = (3 - number.abs().log10().floor() as i32).clamp(0, 6);
    if digits == 0 {
        return json!(number.round() as i64);
    }
    let scale = 10f64.powi(digits);
    json!((number * scale).round() / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("e2e", "single \"x\"");
        report.count("accepted", 1_234_567);
        report.number("rate_per_s", 12_345.67);
        report.number("p50_ms", 0.123_456);
        report.spread("ratio", &[0.3, 0.1, 0.2]);
        report.list("curve", &[1.0, 2.5]);
        report
    }

    #[test]
    fn the_json_is_one_line_with_every_number() {
        let line = report().json();
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        let expected = json!({
            "mode": "e2e", "variant": "single \"x\"", "accepted": 1_234_567, "rate_per_s": 12_346, "p50_ms": 0.1235,
            "ratio": {"median": 0.2, "min": 0.1, "max": 0.3}, "curve": [1.0, 2.5],
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn the_table_is_for_people() {
        let expected = "\n== e2e: single \"x\"\n  accepted    1,234,567\n  rate_per_s  12,346\n  p50_ms      0.1235\n  \
                        ratio       0.2  (0.1 … 0.3)\n  curve       1 2.5\n";
        assert_eq!(report().table(), expected);
    }

    #[test]
    fn what_is_no_number_is_shown_as_none() {
        let mut report = Report::new("limit", "x");
        report.number("ratio", f64::NAN);
        report.number("zero", 0.0);
        report.number("loss", -1_234.4);
        assert!(report.json().contains(r#""ratio":null,"zero":0,"loss":-1234"#), "{}", report.json());
        assert!(report.table().contains("-1,234"), "{}", report.table());
    }
}
