//! Parity of the alignment with the reference: `fixtures/README.md` has the case.

use burn::tensor::TensorData;
use fas_align::{Geometry, Landmarks, Preset, Similarity};
use fas_testkit::Parity;

#[test]
fn five_points_to_the_template_of_ag_fas() {
    Parity::discover(env!("CARGO_MANIFEST_DIR"), &["align5"]).run(|case| {
        let size: u32 = case.get("size")?;
        let Geometry::Landmarks { template, .. } = Preset::AgFas.geometry(size) else {
            panic!("AG-FAS aligns landmarks");
        };
        let landmarks: Vec<f32> = case.input("landmarks")?.iter::<f32>().collect();
        let (points, _) = landmarks.as_chunks::<2>();
        let mut matrices: Vec<f64> = Vec::new();
        for face in points.chunks_exact(5) {
            let face: Landmarks = face.try_into()?;
            let fit = Similarity::between(&face, &template).ok_or("no fit")?;
            matrices.extend(fit.matrix().as_flattened());
        }
        let faces = matrices.len() / 6;
        case.check("matrix", &TensorData::new(matrices, [faces, 2, 3]));
        Ok(())
    });
}
