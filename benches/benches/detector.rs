//! A detector looking at one face of 256 px, one thread: `cargo bench -p fas-benches --bench detector`.

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use fas_benches as _;
use fas_classify::{BackboneConfig, ClassifierConfig, MobileVitConfig, ResNetConfig};

fn detector(c: &mut Criterion) {
    // Kernels run in rayon's pool, Flex's own operations too: one core in all, and the thread that calls
    // is the pool's, so that no operation waits for another to wake.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global()
        .expect("nothing ran before");
    let device = Device::flex();
    let mut group = c.benchmark_group("detector_1x3x256x256");
    let backbones: [(&str, BackboneConfig); 4] = [
        ("mobilevit_xxs", MobileVitConfig::xxs().into()),
        ("mobilevit_xs", MobileVitConfig::xs().into()),
        ("mobilevit_s", MobileVitConfig::s().into()),
        ("resnet18", ResNetConfig::resnet18().into()),
    ];
    for (name, backbone) in backbones {
        let classifier = ClassifierConfig::new(backbone, 10, 2).init_seeded(0, &device);
        device.seed(1);
        let shape = [1, 3, 256, 256];
        let image = Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
        group.bench_function(name, |b| {
            b.iter(|| {
                let score = classifier.score(image.clone()).into_data();
                device.sync().expect("the device runs");
                score
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = detector
}
criterion_main!(benches);
