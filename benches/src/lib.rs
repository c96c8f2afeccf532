//! What the benches share. Criterion benches live in `benches/`, programs that take turns with a peer in `peers/`. All of them `use` this
//! crate for its allocator, which is that of the program and the examples too.

use burn::tensor::{Device, Tensor};

/// Keeps the large buffers that networks ask for again and again, where the system's gives the pages back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Values in `[-1, 1)` from a fixed seed.
pub fn tensor<const D: usize>(dims: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = 0x2545_F491_u32;
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    Tensor::<1>::from_data(values.as_slice(), device).reshape(dims)
}
