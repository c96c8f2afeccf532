//! Sampling of a square planar RGB image between its pixels.

/// Square RGB image `[3, size, size]` of floats.
pub(super) struct Raster {
    size: usize,
    planes: Vec<f32>,
}

impl Raster {
    /// # Panics
    ///
    /// Panics if `planes` does not hold `3 * size * size` values.
    pub(super) fn new(size: usize, planes: Vec<f32>) -> Self {
        assert_eq!(planes.len(), 3 * size * size);
        Self { size, planes }
    }

    /// Catmull-Rom value at `(x, y)`; pixel `i` covers `[i, i + 1)`, borders are mirrored.
    pub(super) fn cubic(&self, x: f32, y: f32) -> [f32; 3] {
        self.weighted(x, y, catmull_rom)
    }

    /// Bilinear value at `(x, y)`, with the same conventions.
    #[cfg(feature = "fit")]
    pub(super) fn linear(&self, x: f32, y: f32) -> [f32; 3] {
        self.weighted(x, y, |t| [0.0, 1.0 - t, t, 0.0])
    }

    fn weighted(&self, x: f32, y: f32, weights: impl Fn(f32) -> [f32; 4]) -> [f32; 3] {
        let (column, fraction_x) = split(x);
        let (row, fraction_y) = split(y);
        let (wx, wy) = (weights(fraction_x), weights(fraction_y));
        let columns: [usize; 4] = std::array::from_fn(|i| self.mirror(column - 1 + i as i64));
        let mut sum = [0.0; 3];
        for (i, &weight_y) in wy.iter().enumerate() {
            let start = self.mirror(row - 1 + i as i64) * self.size;
            for (j, &weight_x) in wx.iter().enumerate() {
                let weight = weight_x * weight_y;
                for (channel, value) in sum.iter_mut().enumerate() {
                    let plane = channel * self.size * self.size;
                    *value += weight * self.planes[plane + start + columns[j]];
                }
            }
        }
        sum
    }

    fn mirror(&self, index: i64) -> usize {
        let size = self.size as i64;
        let wrapped = index.rem_euclid(2 * size);
        wrapped.min(2 * size - 1 - wrapped) as usize
    }
}

/// Pixel whose centre is at or before the coordinate, and how far beyond it in `[0, 1)`.
fn split(coordinate: f32) -> (i64, f32) {
    let centred = coordinate - 0.5;
    let floor = centred.floor();
    (floor as i64, centred - floor)
}

/// Weights of the four pixels around a point `t` after the second.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        0.5 * (-t3 + 2.0 * t2 - t),
        0.5 * (3.0 * t3 - 5.0 * t2 + 2.0),
        0.5 * (-3.0 * t3 + 4.0 * t2 + t),
        0.5 * (t3 - t2),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Raster {
        let plane: Vec<f32> = (0..64).map(|i| (i % 8) as f32).collect();
        Raster::new(8, [plane.clone(), plane.clone(), plane].concat())
    }

    #[test]
    fn cubic_keeps_pixels_and_ramps() {
        assert_eq!(ramp().cubic(3.5, 2.5), [3.0; 3]);
        assert!((ramp().cubic(3.75, 2.1)[1] - 3.25).abs() < 1e-6);
    }

    #[test]
    fn borders_are_mirrored() {
        assert_eq!(ramp().cubic(-0.5, 4.5)[0], ramp().cubic(0.5, 4.5)[0]);
        assert_eq!(ramp().cubic(8.5, 4.5)[0], ramp().cubic(7.5, 4.5)[0]);
    }
}
