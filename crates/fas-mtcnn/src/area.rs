//! Resizing by area: each pixel is the mean of the window of source pixels that it covers in part,
//! PyTorch's `interpolate(mode="area")`, that is adaptive average pooling.

use std::ops::Range;

use image::RgbImage;

/// Part of a photo: left, top, width and height in pixels, all inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Resizes `window` of `photo` to `[height, width]` and normalises it, `(v - 127.5) / 128`, into
/// `output`, `[3, height, width]`.
///
/// # Panics
///
/// Panics if `output` has another length, or if the window is empty.
pub(crate) fn resize_area(
    photo: &RgbImage,
    window: Window,
    [height, width]: [usize; 2],
    output: &mut [f32],
) {
    assert_eq!(output.len(), 3 * height * width);
    assert!(window.width > 0 && window.height > 0, "{window:?} is empty");
    let row_len = 3 * photo.width() as usize;
    let bytes = photo.as_raw();
    let columns: Vec<Range<usize>> = (0..width)
        .map(|x| covered(x, width, window.width))
        .collect();
    // Sums are integers below 2^32 for any photo, so their order does not matter.
    let mut sums = vec![[0_u32; 3]; window.width];
    for y in 0..height {
        let rows = covered(y, height, window.height);
        sums.fill([0; 3]);
        for row in rows.clone() {
            let start = (window.top + row) * row_len + 3 * window.left;
            let (pixels, _) = bytes[start..][..3 * window.width].as_chunks::<3>();
            for (sum, pixel) in sums.iter_mut().zip(pixels) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += u32::from(*value);
                }
            }
        }
        for (x, columns) in columns.iter().enumerate() {
            let count = (rows.len() * columns.len()) as f32;
            for channel in 0..3 {
                let sum: u32 = sums[columns.clone()].iter().map(|sum| sum[channel]).sum();
                output[(channel * height + y) * width + x] =
                    (sum as f32 / count - 127.5) * 0.007_812_5;
            }
        }
    }
}

/// Source positions that target position `at` covers, in part or whole.
fn covered(at: usize, target: usize, source: usize) -> Range<usize> {
    at * source / target..((at + 1) * source).div_ceil(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn resized(photo: &RgbImage, window: Window, size: [usize; 2]) -> Vec<f32> {
        let mut output = vec![f32::NAN; 3 * size[0] * size[1]];
        resize_area(photo, window, size, &mut output);
        output.iter().map(|v| v * 128.0 + 127.5).collect()
    }

    #[test]
    fn windows_overlap_as_in_adaptive_pooling() {
        // torch.nn.functional.interpolate(x, size=(1, 3), mode="area") of [0, 10, 20, 30, 40]
        let photo = RgbImage::from_fn(5, 1, |x, _| Rgb([10 * x as u8, 0, 255]));
        let window = Window {
            left: 0,
            top: 0,
            width: 5,
            height: 1,
        };
        let values = resized(&photo, window, [1, 3]);
        assert_eq!(values[..3], [5.0, 20.0, 35.0]);
        assert_eq!(values[3..], [0.0, 0.0, 0.0, 255.0, 255.0, 255.0]);
        // Enlarged, pixels are repeated, and averaged where an output lies on an edge.
        let values = resized(&photo, window, [1, 10]);
        assert_eq!(
            values[..10],
            [0.0, 0.0, 10.0, 10.0, 20.0, 20.0, 30.0, 30.0, 40.0, 40.0]
        );
    }

    #[test]
    fn only_the_window_is_read() {
        let photo = RgbImage::from_fn(6, 5, |x, y| Rgb([(10 * x + y) as u8; 3]));
        let window = Window {
            left: 2,
            top: 1,
            width: 2,
            height: 3,
        };
        // mean of 21..=23 and of 31..=33
        assert_eq!(resized(&photo, window, [1, 2])[..2], [22.0, 32.0]);
    }
}
