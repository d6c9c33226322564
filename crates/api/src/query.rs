//! Reads the parameters of a query one by one and collects every fault on the way.

use http::Uri;
use url::form_urlencoded;

use crate::problem::{Code, Faults, Problem};

/// The parameters that have not been asked for yet, and the faults so far.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    pub(crate) faults: Faults,
}

impl Params {
    pub(crate) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default().as_bytes();
        let mut params = Self { pairs: Vec::new(), faults: Faults::default() };
        for (name, value) in form_urlencoded::parse(query).into_owned() {
            if params.pairs.iter().any(|(known, _)| *known == name) {
                params.fault(&name, "is given more than once");
            } else {
                params.pairs.push((name, value));
            }
        }
        params
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.remove(at).1)
    }

    /// The parameter, read by `parse`; `expected` says what it must be.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.fault(name, expected);
        }
        value
    }

    pub(crate) fn fault(&mut self, name: &str, detail: &str) {
        self.faults.add(Code::InvalidRequest, name.chars().take(100).collect::<String>(), detail);
    }

    /// # Errors
    /// All faults that were found; every parameter that nobody asked for is one.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.fault(&name, "is not a parameter of this route");
        }
        self.faults.finish()
    }
}
