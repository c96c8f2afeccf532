//! How a number is written.

/// Unit of an axis or of a measured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A fraction in `[0, 1]`, written as percent.
    Percent,
    /// A bare number.
    Plain,
}

impl Unit {
    /// The value with a fixed number of decimals, without the unit's sign.
    pub(crate) fn digits(self, value: f64, decimals: usize) -> String {
        if !value.is_finite() {
            return "n/a".to_owned();
        }
        let scaled = match self {
            Unit::Percent => value * 100.0,
            Unit::Plain => value,
        };
        let text = format!("{scaled:.decimals$}");
        // A rounded "-0.0" would read as a sign that is not there.
        match text.strip_prefix('-') {
            Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
            Some(rest) => format!("−{rest}"),
            None => text,
        }
    }

    /// The unit's sign with the space before it.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Unit::Percent => " %",
            Unit::Plain => "",
        }
    }

    /// The value as a tick label: as few digits as tell it.
    pub(crate) fn tick(self, value: f64) -> String {
        let text = self.digits(value, 6);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text.is_empty() || text == "−" {
            "0"
        } else {
            text
        };
        format!("{text}{}", self.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts() {
        assert_eq!(Unit::Percent.tick(0.001), "0.1 %");
        assert_eq!(Unit::Percent.tick(1.0), "100 %");
        assert_eq!(Unit::Plain.tick(0.30000000000000004), "0.3");
        assert_eq!(Unit::Plain.tick(0.0), "0");
        assert_eq!(Unit::Plain.tick(-20.0), "−20");
        assert_eq!(Unit::Percent.digits(0.12345, 1), "12.3");
        assert_eq!(Unit::Plain.digits(-0.0001, 2), "0.00");
        assert_eq!(Unit::Plain.digits(f64::NAN, 2), "n/a");
    }
}
