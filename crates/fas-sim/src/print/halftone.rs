//! Offset or laser print: four amplitude-modulated screens at their own angles.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::light::Light;
use crate::linear_image::LinearImage;
use crate::placement::{Canvas, PlacementConfig};
use crate::print::{InkSet, PaperConfig, PrintTone};
use crate::random::Stream;
use crate::{Interval, linear_image};

/// A printer with rotated clustered-dot screens, and its paper.
///
/// Screens are coarse (16 to 20 dots over the crop, as on a poster or a small newspaper photo),
/// so that a 64 px capture still resolves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HalftonePrinter {
    /// Distance of the dots of one screen in `u`.
    pub screen_period: Interval,
    /// Angles of the cyan, magenta, yellow and black screens in degrees.
    pub screen_angles: [f32; 4],
    /// Shift of the screens against the sheet, as a fraction of the period.
    pub phase: Interval,
    /// Width of the soft edge of a dot, in units of coverage: 0 is a hard edge.
    pub dot_softness: f32,
    /// Share of the light that leaves the paper far from where it entered (Yule-Nielsen): 0 is a
    /// crisp screen, 1 a continuous tone.
    pub light_scatter: Interval,
    /// Inks.
    pub inks: InkSet,
    /// Tone and gamut.
    pub tone: PrintTone,
    /// Paper.
    pub paper: PaperConfig,
    /// Pose of the sheet, which fills the view.
    pub placement: PlacementConfig,
}

const CELL: usize = 64;

/// Thresholds over one cell of a screen, uniformly distributed so that tone is preserved: the
/// cosine spot function, ranked.
static SPOT: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let wave = |i: usize| (std::f32::consts::TAU * (i as f32 + 0.5) / CELL as f32).cos();
    let mut order: Vec<usize> = (0..CELL * CELL).collect();
    let spot = |i: usize| wave(i % CELL) + wave(i / CELL);
    order.sort_by(|&a, &b| spot(a).total_cmp(&spot(b)).then(a.cmp(&b)));
    let mut thresholds = vec![0.0; CELL * CELL];
    for (rank, index) in order.into_iter().enumerate() {
        thresholds[index] = (rank as f32 + 0.5) / (CELL * CELL) as f32;
    }
    thresholds
});

/// One screen on the medium.
struct Screen {
    cos: f32,
    sin: f32,
    phase: [f32; 2],
}

impl Screen {
    /// Threshold in `(0, 1)` at medium coordinates.
    fn threshold(&self, [x, y]: [f32; 2]) -> f32 {
        let cell = |v: f32| ((v - v.floor()) * CELL as f32) as usize % CELL;
        let column = cell(self.cos * x + self.sin * y + self.phase[0]);
        let row = cell(self.cos * y - self.sin * x + self.phase[1]);
        SPOT[row * CELL + column]
    }
}

impl HalftonePrinter {
    /// Radiance of the lit print.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let placement = self.placement.draw(canvas, stream);
        let paper = self.paper.draw(canvas, light.angle, stream);
        let separation = self.tone.draw(stream);
        let scatter = self.light_scatter.draw(stream);
        let period = self.screen_period.draw(stream) * canvas.unit();
        let screens = self.screen_angles.map(|degrees| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let phase = [self.phase.draw(stream), self.phase.draw(stream)];
            Screen {
                cos: cos / period,
                sin: sin / period,
                phase,
            }
        });
        let edge = 1.0 / self.dot_softness.max(1e-3);
        let half = 0.5 * canvas.size as f32;
        // Ink coverage varies slowly against the canvas, so it is separated at half its resolution.
        let plates = Plates::new(face, |pixel| separation.coverage(pixel));
        let print = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let medium = placement.to_medium(x, y);
            let coverage = plates.sample(medium[0] + half, medium[1] + half);
            let dots: [f32; 4] = std::array::from_fn(|ink| {
                if coverage[ink] < 1e-3 {
                    return 0.0;
                }
                let distance = coverage[ink] - screens[ink].threshold(medium);
                (distance * edge + 0.5).clamp(0.0, 1.0)
            });
            let crisp = self.inks.reflectance(dots, paper.white);
            let diffuse = self.inks.reflectance(coverage, paper.white);
            let shade = paper.shade(x, y);
            linear_image::mix(crisp, diffuse, scatter).map(|v| v * shade)
        });
        light.illuminate(print)
    }
}

/// Ink coverages of the photo, sampled bilinearly.
struct Plates {
    size: usize,
    coverage: Vec<[f32; 4]>,
}

impl Plates {
    fn new(face: &LinearImage, separate: impl Fn([f32; 3]) -> [f32; 4]) -> Self {
        let size = face.width() / 2;
        let small = face.resized(size, size);
        Self {
            size,
            coverage: small
                .pixels()
                .iter()
                .map(|&pixel| separate(pixel))
                .collect(),
        }
    }

    /// At continuous coordinates of the full canvas.
    fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        let last = (self.size - 1) as f32;
        let (x, y) = (
            (0.5 * x - 0.5).clamp(0.0, last),
            (0.5 * y - 0.5).clamp(0.0, last),
        );
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (x1, y1) = ((x0 + 1).min(self.size - 1), (y0 + 1).min(self.size - 1));
        let at = |x: usize, y: usize| &self.coverage[y * self.size + x];
        let (a, b, c, d) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
        std::array::from_fn(|i| {
            let top = a[i] + (b[i] - a[i]) * fx;
            let bottom = c[i] + (d[i] - c[i]) * fx;
            top + (bottom - top) * fy
        })
    }
}
