//! Configurations in the headers of weight files, older ones included: a field that did not exist when
//! a file was written has its default.

use burn::config::Config;
use serde_json::Value;

use crate::{GeneratorConfig, StyleEncoderConfig, StyleFusionForm, UNetConfig};

/// Reads what [`GeneratorConfig`] wrote, now or before fields were added; `None` if it is something
/// else.
pub(crate) fn read_generator_config(text: &str) -> Option<GeneratorConfig> {
    let mut stored: Value = serde_json::from_str(text).ok()?;
    // Files from before 0.2 name STFM's form where they now spell it out.
    if let Some(form) = stored.pointer_mut("/unet/fusion_form") {
        let spelt = match form.as_str() {
            Some("Paper") => Some(StyleFusionForm::paper()),
            Some("Released") => Some(StyleFusionForm::released()),
            _ => None,
        };
        if let Some(spelt) = spelt {
            *form = serde_json::to_value(spelt).ok()?;
        }
    }
    // Required fields must be there: only defaults are filled in.
    for required in ["/unet/image_size", "/style_encoder/num_styles"] {
        stored.pointer(required)?;
    }
    let defaults = GeneratorConfig::new(UNetConfig::new(256), StyleEncoderConfig::new(1));
    complete(&mut stored, &serde_json::to_value(defaults).ok()?);
    GeneratorConfig::load_binary(stored.to_string().as_bytes()).ok()
}

/// Adds to `stored` what only `defaults` has.
pub(crate) fn complete(stored: &mut Value, defaults: &Value) {
    let (Value::Object(stored), Value::Object(defaults)) = (stored, defaults) else {
        return;
    };
    for (key, default) in defaults {
        match stored.get_mut(key) {
            Some(value) => complete(value, default),
            None => {
                stored.insert(key.clone(), default.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prediction;

    #[test]
    fn what_was_written_is_read() {
        let config = GeneratorConfig::small(5);
        let read = read_generator_config(&config.to_string()).unwrap();
        assert_eq!(read.to_string(), config.to_string());
    }

    #[test]
    fn a_header_of_the_first_version_is_read_with_defaults_for_what_it_lacks() {
        let mut stored: Value =
            serde_json::from_str(&GeneratorConfig::small(5).to_string()).unwrap();
        stored["unet"]["fusion_form"] = "Released".into();
        let unet = stored["unet"].as_object_mut().unwrap();
        unet.remove("pixel_gains");
        stored.as_object_mut().unwrap().remove("schedule");
        let read = read_generator_config(&stored.to_string()).unwrap();
        assert_eq!(read.unet.fusion_form, StyleFusionForm::released());
        assert!(!read.unet.pixel_gains);
        assert_eq!(read.schedule.num_timesteps, 1000);
        assert_eq!(read.unet.model_channels, 32);
        assert_eq!(read.prediction, Prediction::LiveCentred { deviation: 0.2 });
    }

    #[test]
    fn other_text_is_not_a_configuration() {
        for text in ["", "{}", "[1]", "{\"unet\": {}, \"style_encoder\": {}}"] {
            assert!(read_generator_config(text).is_none(), "{text}");
        }
    }
}
