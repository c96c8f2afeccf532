//! BRISQUE at the two sizes of the peer comparison, one thread: `cargo bench -p fas-benches --bench brisque`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fas_benches as _;
use fas_quality::Brisque;
use image::{Rgb, RgbImage};

/// Smooth colours with noise from a fixed seed, so that no part is flat.
fn picture(width: u32, height: u32) -> RgbImage {
    let mut state = 0x2545_F491_u32;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 27) as f32;
        let wave = |period: f32| 110.0 * (1.0 + ((x as f32 + 0.7 * y as f32) / period).sin());
        Rgb([31.0, 47.0, 83.0].map(|period| (wave(period) + noise) as u8))
    })
}

fn brisque(c: &mut Criterion) {
    let brisque = Brisque::new();
    let mut group = c.benchmark_group("brisque");
    for (width, height) in [(256, 256), (1920, 1080)] {
        let image = picture(width, height);
        let size = format!("{width}x{height}");
        group.throughput(Throughput::Elements(u64::from(width * height)));
        group.bench_with_input(BenchmarkId::new("score", &size), &image, |b, image| {
            b.iter(|| brisque.score(image));
        });
        if width == 256 {
            group.bench_with_input(BenchmarkId::new("score_f64", &size), &image, |b, image| {
                b.iter(|| brisque.score_f64(image));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, brisque);
criterion_main!(benches);
