//! A picture as a PNG file that says where it comes from.

use image::RgbImage;

use super::{JobError, Record};

/// The PNG file of `picture`, with the fields of `record` as text chunks named `fas:FIELD`.
pub(super) fn png_with_provenance(picture: &RgbImage, record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let fields = serde_json::to_value(record).expect("a record is plain data");
    for (name, value) in fields.as_object().expect("a record has fields") {
        // Whether a picture is kept is no property of the picture.
        if name == "verdict" || value.is_null() {
            continue;
        }
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        encoder
            .add_itxt_chunk(format!("fas:{name}"), text)
            .expect("no image data is written yet");
    }
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(picture.as_raw()))
        .expect("a memory buffer takes a whole picture");
    bytes
}

/// A batch in `[-1, 1]` as pictures.
pub(super) fn finite_pictures(
    batch: burn::tensor::Tensor<4>,
    ids: &[&str],
) -> Result<Vec<RgbImage>, JobError> {
    let values: Vec<f32> = batch.clone().into_data().iter::<f32>().collect();
    let each = values.len() / ids.len();
    for (id, values) in ids.iter().zip(values.chunks(each)) {
        if values.iter().any(|value| !value.is_finite()) {
            return Err(JobError::NotFinite {
                id: (*id).to_owned(),
            });
        }
    }
    Ok(crate::tensor_to_images(batch))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::generation::journal::tests::record;

    #[test]
    fn the_file_is_the_picture_and_its_provenance() {
        let picture = RgbImage::from_fn(5, 4, |x, y| image::Rgb([x as u8 * 50, y as u8 * 60, 7]));
        let bytes = png_with_provenance(&picture, &record(8));
        assert_eq!(bytes, png_with_provenance(&picture, &record(8)));
        let read = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!(read, picture);
        let reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let text = |name: &str| {
            let chunks = &reader.info().utf8_text;
            let chunk = chunks
                .iter()
                .find(|chunk| chunk.keyword == format!("fas:{name}"));
            chunk.map(|chunk| chunk.get_text().unwrap())
        };
        assert_eq!(text("synthetic").as_deref(), Some("true"));
        assert_eq!(text("guidance_scale").as_deref(), Some("2.0"));
        assert_eq!(text("guidance_high").as_deref(), Some("600"));
        assert_eq!(text("guidance_low"), None);
        assert_eq!(text("style").as_deref(), Some("b/print"));
        assert_eq!(text("brisque").as_deref(), Some("31.25"));
        assert_eq!((text("identity"), text("verdict")), (None, None));
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let device = Device::default();
        let good = Tensor::<4>::zeros([1, 3, 2, 2], &device);
        let bad = Tensor::<4>::full([1, 3, 2, 2], f32::NAN, &device);
        let error = finite_pictures(Tensor::cat(vec![good, bad], 0), &["a", "b"]).unwrap_err();
        assert!(matches!(error, JobError::NotFinite { id } if id == "b"));
    }
}
