//! Candidate boxes: regression, squaring, clipping and non-maximum suppression.
//!
//! As in `facenet-pytorch`, boxes are `f32`; the regression after P-Net takes `right - left` for the
//! width, later stages add one, and so does the last suppression.

/// A candidate: left, top, right, bottom, with the score of its stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) bounds: [f32; 4],
    pub(crate) score: f32,
}

impl Candidate {
    /// Moves each edge by `offsets` times the width or height, to which `margin` is added.
    pub(crate) fn regressed(self, offsets: [f32; 4], margin: f32) -> Self {
        let [left, top, right, bottom] = self.bounds;
        let (width, height) = (right - left + margin, bottom - top + margin);
        Self {
            bounds: [
                left + offsets[0] * width,
                top + offsets[1] * height,
                right + offsets[2] * width,
                bottom + offsets[3] * height,
            ],
            ..self
        }
    }

    /// The square around the same centre with the longer side.
    pub(crate) fn squared(self) -> Self {
        let [left, top, right, bottom] = self.bounds;
        let (width, height) = (right - left, bottom - top);
        let side = width.max(height);
        let left = left + width * 0.5 - side * 0.5;
        let top = top + height * 0.5 - side * 0.5;
        Self {
            bounds: [left, top, left + side, top + side],
            ..self
        }
    }

    /// Half-open pixel ranges, `[left, right, top, bottom]`, of a photo of this size; `None` if the
    /// candidate lies outside. Edges are truncated, and the first pixel counts as 1.
    pub(crate) fn pixels(self, width: usize, height: usize) -> Option<[usize; 4]> {
        let [left, top, right, bottom] = self.bounds.map(|edge| edge.trunc() as i64);
        let range = |low: i64, high: i64, size: usize| {
            let low = low.max(1) - 1;
            let high = high.min(size as i64);
            (low < high).then_some([low as usize, high as usize])
        };
        let ([left, right], [top, bottom]) =
            (range(left, right, width)?, range(top, bottom, height)?);
        Some([left, right, top, bottom])
    }
}

/// How much two boxes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// Intersection over union.
    Union,
    /// Intersection over the smaller box; widths and heights are one more.
    Smaller,
}

/// Indices of the candidates that no better one overlaps by more than `threshold`, best first.
/// Among equals the first counts as the better.
pub(crate) fn suppress(candidates: &[Candidate], threshold: f32, overlap: Overlap) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[b].score.total_cmp(&candidates[a].score));
    let margin = match overlap {
        Overlap::Union => 0.0,
        Overlap::Smaller => 1.0,
    };
    let area =
        |[left, top, right, bottom]: [f32; 4]| (right - left + margin) * (bottom - top + margin);
    let areas: Vec<f32> = candidates.iter().map(|c| area(c.bounds)).collect();
    let mut suppressed = vec![false; candidates.len()];
    let mut kept = Vec::new();
    for (rank, &best) in order.iter().enumerate() {
        if suppressed[best] {
            continue;
        }
        kept.push(best);
        let a = candidates[best].bounds;
        for &other in &order[rank + 1..] {
            let b = candidates[other].bounds;
            let width = (a[2].min(b[2]) - a[0].max(b[0]) + margin).max(0.0);
            let height = (a[3].min(b[3]) - a[1].max(b[1]) + margin).max(0.0);
            let shared = width * height;
            let whole = match overlap {
                Overlap::Union => areas[best] + areas[other] - shared,
                Overlap::Smaller => areas[best].min(areas[other]),
            };
            suppressed[other] |= shared / whole > threshold;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(bounds: [f32; 4], score: f32) -> Candidate {
        Candidate { bounds, score }
    }

    #[test]
    fn regression_and_squaring() {
        let start = candidate([10.0, 20.0, 29.0, 59.0], 0.5);
        let moved = start.regressed([0.1, -0.1, 0.2, 0.0], 1.0);
        // width 20, height 40
        assert_eq!(moved.bounds, [12.0, 16.0, 33.0, 59.0]);
        // 21 x 43 around (22.5, 37.5)
        assert_eq!(moved.squared().bounds, [1.0, 16.0, 44.0, 59.0]);
        assert_eq!(start.regressed([1.0; 4], 0.0).bounds[0], 29.0);
    }

    #[test]
    fn pixels_are_clipped_and_count_from_one() {
        let pixels = |bounds| candidate(bounds, 1.0).pixels(100, 50);
        assert_eq!(pixels([3.9, 1.2, 10.7, 20.0]), Some([2, 10, 0, 20]));
        assert_eq!(pixels([-5.0, -0.5, 140.0, 90.0]), Some([0, 100, 0, 50]));
        assert_eq!(pixels([101.0, 1.0, 120.0, 9.0]), None);
        assert_eq!(pixels([-9.0, 1.0, -2.0, 9.0]), None);
    }

    #[test]
    fn the_best_of_overlapping_boxes_stays() {
        let boxes = [
            candidate([0.0, 0.0, 10.0, 10.0], 0.8),
            candidate([1.0, 0.0, 11.0, 10.0], 0.9), // shares 90 of 110 with the first
            candidate([20.0, 0.0, 30.0, 10.0], 0.7),
            candidate([0.0, 0.0, 10.0, 5.0], 0.6), // shares 45 of 105 with the second
        ];
        assert_eq!(suppress(&boxes, 0.7, Overlap::Union), [1, 2, 3]);
        assert_eq!(suppress(&boxes, 0.4, Overlap::Union), [1, 2]);
        // One is added to each side: the second shares 110 of 121 with the first and 60 of 66 with the
        // last, which lies in the first.
        assert_eq!(suppress(&boxes, 0.92, Overlap::Smaller), [1, 0, 2]);
        assert_eq!(suppress(&boxes, 0.9, Overlap::Smaller), [1, 2]);
        assert_eq!(suppress(&[], 0.5, Overlap::Union), [0; 0]);
    }
}
