//! Geometry and value range: from 8-bit images to network input and back.
//!
//! Resizing is bilinear with a triangle kernel that widens when the image shrinks, so it
//! anti-aliases like Pillow's `BILINEAR` (which DiffFAS uses), on sRGB values as they are, pixel
//! centres at half-integers, edges renormalised. Network values are `[-1, 1]`.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::imageops;
use image::{Rgb, RgbImage};
use ndarray::{Array3, ArrayView3};

use crate::DataError;

/// Scales to `width` x `height`; the aspect ratio is not kept. A copy if the size is right already.
///
/// # Panics
///
/// If `width` or `height` is 0, or the image has no pixel.
pub fn resize(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    assert!(
        width > 0 && height > 0,
        "an image has at least one pixel, not {width} x {height}"
    );
    let (from_width, from_height) = image.dimensions();
    if (from_width, from_height) == (width, height) {
        return image.clone();
    }
    assert!(
        from_width > 0 && from_height > 0,
        "an image without pixels cannot be resized"
    );
    let source = ImageRef::new(from_width, from_height, image.as_raw(), PixelType::U8x3)
        .expect("an RGB image has three bytes a pixel");
    let mut target = Image::new(width, height, PixelType::U8x3);
    let bilinear = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    Resizer::new()
        .resize(&source, &mut target, &bilinear)
        .expect("both images are RGB");
    RgbImage::from_raw(width, height, target.into_vec()).expect("the target has this size")
}

/// The middle `width` x `height` pixels; where the margin is odd, the larger part is right and below.
///
/// # Errors
///
/// [`DataError::CropTooLarge`] if the image is smaller.
pub fn center_crop(image: &RgbImage, width: u32, height: u32) -> Result<RgbImage, DataError> {
    let (image_width, image_height) = image.dimensions();
    if width > image_width || height > image_height {
        return Err(DataError::CropTooLarge {
            width,
            height,
            image_width,
            image_height,
        });
    }
    let (left, top) = ((image_width - width) / 2, (image_height - height) / 2);
    Ok(imageops::crop_imm(image, left, top, width, height).to_image())
}

/// The largest square in the middle.
pub fn center_square(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let side = width.min(height);
    imageops::crop_imm(image, (width - side) / 2, (height - side) / 2, side, side).to_image()
}

/// Mirrors left and right.
pub fn flip_horizontal(image: &RgbImage) -> RgbImage {
    imageops::flip_horizontal(image)
}

/// The five landmarks (left eye, right eye, nose, left and right mouth corner; left and right as
/// seen in the image; pixels `[x, y]`, pixel centres at integers) after mirroring an image of
/// `width` pixels: `x` becomes `width - 1 - x`, and left and right change names.
pub fn flip_landmarks(landmarks: &[[f32; 2]; 5], width: u32) -> [[f32; 2]; 5] {
    let [left_eye, right_eye, nose, left_mouth, right_mouth] =
        landmarks.map(|[x, y]| [(width - 1) as f32 - x, y]);
    [right_eye, left_eye, nose, right_mouth, left_mouth]
}

/// Network input from an image: `value / 127.5 - 1`.
///
/// # Shapes
///
/// - output: `[3, height, width]`, in `[-1, 1]`
pub fn image_to_array(image: &RgbImage) -> Array3<f32> {
    let (width, height) = image.dimensions();
    let mut values = vec![0.0; image.as_raw().len()];
    write_planes(image, &mut values);
    Array3::from_shape_vec((3, height as usize, width as usize), values)
        .expect("three planes of the image's size")
}

/// Writes the red, green and blue plane of network input one after the other.
pub(crate) fn write_planes(image: &RgbImage, values: &mut [f32]) {
    let plane = image.as_raw().len() / 3;
    assert_eq!(values.len(), 3 * plane, "three planes of the image's size");
    let (red, rest) = values.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    let planes = red.iter_mut().zip(green).zip(blue);
    for (((red, green), blue), pixel) in planes.zip(image.as_raw().chunks_exact(3)) {
        *red = f32::from(pixel[0]) / 127.5 - 1.0;
        *green = f32::from(pixel[1]) / 127.5 - 1.0;
        *blue = f32::from(pixel[2]) / 127.5 - 1.0;
    }
}

/// Image from network output: `(value + 1) * 127.5`, rounded to the nearest integer (halves up),
/// clamped to `0..=255`. Takes back [`image_to_array`] exactly.
///
/// # Shapes
///
/// - array: `[3, height, width]`, nominally in `[-1, 1]`; values outside are clamped
///
/// # Errors
///
/// [`DataError::NotAnImageArray`] for another shape, [`DataError::NonFinitePixel`] for NaN or an
/// infinity.
pub fn array_to_image(array: ArrayView3<'_, f32>) -> Result<RgbImage, DataError> {
    let (channels, height, width) = array.dim();
    let side = |side: usize| u32::try_from(side).ok().filter(|side| *side > 0);
    let (3, Some(height), Some(width)) = (channels, side(height), side(width)) else {
        return Err(DataError::NotAnImageArray {
            shape: array.shape().to_vec(),
        });
    };
    for ((channel, row, column), &value) in array.indexed_iter() {
        if !value.is_finite() {
            return Err(DataError::NonFinitePixel {
                value,
                channel,
                row,
                column,
            });
        }
    }
    Ok(RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|channel| {
            let value = array[[channel, y as usize, x as usize]];
            // `as` saturates, which is the clamp.
            ((value + 1.0) * 127.5 + 0.5).floor() as u8
        }))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn grey(width: u32, height: u32, values: &[u8]) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([values[(y * width + x) as usize]; 3])
        })
    }

    fn row(image: &RgbImage) -> Vec<u8> {
        image.pixels().map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn resize_matches_pillow() {
        // Image.fromarray(v).resize((n, 1), Image.BILINEAR), Pillow 13.0.
        let image = grey(8, 1, &[0, 10, 200, 255, 30, 60, 90, 120]);
        assert_eq!(row(&resize(&image, 4, 1)), [33, 176, 77, 99]);
        assert_eq!(row(&resize(&image, 3, 1)), [71, 134, 87]);
        assert_eq!(
            row(&resize(&image, 12, 1)),
            [0, 5, 42, 168, 228, 217, 68, 45, 65, 85, 105, 120]
        );
        assert_eq!(resize(&image, 8, 1), image);
        assert_eq!(row(&resize(&grey(1, 1, &[77]), 2, 2)), [77; 4]);
    }

    #[test]
    #[should_panic(expected = "an image has at least one pixel, not 0 x 4")]
    fn resize_needs_a_size() {
        resize(&grey(1, 1, &[0]), 0, 4);
    }

    #[test]
    fn crops_are_centred() {
        let image = grey(5, 4, &(0..20).collect::<Vec<u8>>());
        assert_eq!(row(&center_crop(&image, 2, 2).unwrap()), [6, 7, 11, 12]);
        assert_eq!(row(&center_crop(&image, 1, 1).unwrap()), [7]);
        assert_eq!(center_crop(&image, 5, 4).unwrap(), image);
        assert_eq!(center_square(&image).dimensions(), (4, 4));
        assert_eq!(row(&center_square(&image))[..4], [0, 1, 2, 3]);
        let error = center_crop(&image, 6, 4).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot crop 6 x 4 from an image of 5 x 4; resize it first"
        );
    }

    #[test]
    fn flipping_moves_pixels_and_landmarks_alike() {
        let landmarks = [[1.0, 1.0], [5.0, 1.5], [3.0, 3.0], [2.0, 5.0], [4.0, 5.5]];
        let flipped = flip_landmarks(&landmarks, 8);
        assert_eq!(
            flipped,
            [[2.0, 1.5], [6.0, 1.0], [4.0, 3.0], [3.0, 5.5], [5.0, 5.0]]
        );
        assert_eq!(flip_landmarks(&flipped, 8), landmarks);
        // The pixel under the left eye is under the right eye of the flipped image.
        let image = grey(8, 8, &(0..64).collect::<Vec<u8>>());
        assert_eq!(
            flip_horizontal(&image).get_pixel(6, 1),
            image.get_pixel(1, 1)
        );
    }

    #[test]
    fn every_value_survives_the_network_range() {
        let image = RgbImage::from_fn(256, 1, |x, _| Rgb([x as u8, 255 - x as u8, (x / 2) as u8]));
        let array = image_to_array(&image);
        assert_eq!(array.dim(), (3, 1, 256));
        assert_eq!((array[[0, 0, 0]], array[[1, 0, 0]]), (-1.0, 1.0));
        assert!((array[[0, 0, 100]] - (100.0 / 127.5 - 1.0)).abs() < 1e-7);
        assert_eq!(array_to_image(array.view()).unwrap(), image);
    }

    #[test]
    fn values_are_rounded_and_clamped() {
        // 0 is halfway between 127 and 128.
        let array = array![
            [[0.0, -3.0, 9.0]],
            [[-1.0, 1.0, 0.5]],
            [[0.004, 0.003, -0.004]]
        ];
        let image = array_to_image(array.view()).unwrap();
        assert_eq!(image.get_pixel(0, 0).0, [128, 0, 128]);
        assert_eq!(image.get_pixel(1, 0).0, [0, 255, 128]);
        assert_eq!(image.get_pixel(2, 0).0, [255, 191, 127]);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let error = array_to_image(Array3::zeros((1, 2, 2)).view())
            .unwrap_err()
            .to_string();
        assert!(error.contains("[1, 2, 2]"), "{error}");
        assert!(array_to_image(Array3::zeros((3, 0, 2)).view()).is_err());
        let mut array = Array3::zeros((3, 2, 2));
        array[[1, 0, 1]] = f32::NAN;
        let error = array_to_image(array.view()).unwrap_err().to_string();
        assert!(
            error.contains("NaN at channel 1, row 0, column 1"),
            "{error}"
        );
    }
}
