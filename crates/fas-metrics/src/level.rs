//! How a threshold is written to JSON, which has no infinity: a number, or the text `inf`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Level {
    Number(f64),
    Text(String),
}

pub(crate) fn serialize<S: Serializer>(level: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if level.is_finite() {
        Level::Number(*level).serialize(serializer)
    } else {
        Level::Text(level.to_string()).serialize(serializer)
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Level::deserialize(deserializer)? {
        Level::Number(level) => Ok(level),
        Level::Text(text) => match text.as_str() {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            _ => Err(D::Error::custom(format!(
                "`{text}` is no threshold; write a number or `inf`"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::OperatingPoint;

    #[test]
    fn infinity_survives_json() {
        for threshold in [0.25, -3.0, f64::INFINITY] {
            let point = OperatingPoint {
                threshold,
                attacks_accepted: 1,
                bona_fide_rejected: 2,
            };
            let text = serde_json::to_string(&point).unwrap();
            assert_eq!(
                serde_json::from_str::<OperatingPoint>(&text).unwrap(),
                point,
                "{text}"
            );
        }
        let bad = r#"{"threshold":"high","attacks_accepted":0,"bona_fide_rejected":0}"#;
        assert!(serde_json::from_str::<OperatingPoint>(bad).is_err());
    }
}
