//! Patch moments and their gradient made of Burn operations.

use burn::backend::{Backend, Slice, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

use super::{Grid, PatchOptions};

/// See [`KernelOps::patch_moments_forward`](crate::KernelOps::patch_moments_forward).
pub(crate) fn forward<B: Backend>(x: FloatTensor<B>, options: PatchOptions) -> FloatTensor<B> {
    let [_, _, height, width] = x.shape().dims();
    let [mean, spread] = options.grids(height, width);
    let square = B::float_mul(x.clone(), x.clone());
    B::float_cat(
        vec![
            means::<B>(x.clone(), &mean, options),
            means::<B>(x, &spread, options),
            means::<B>(square, &spread, options),
        ],
        2,
    )
}

/// Means of the patches and of the whole map.
fn means<B: Backend>(x: FloatTensor<B>, grid: &Grid, options: PatchOptions) -> FloatTensor<B> {
    let [batch_size, channels, height, width] = x.shape().dims();
    let maps = batch_size * channels;
    let whole = B::float_mean_dim(
        B::float_reshape(
            x.clone(),
            Shape::new([batch_size, channels, height * width]),
        ),
        2,
    );
    let inner = [
        (0..batch_size).into(),
        (0..channels).into(),
        (0..grid.rows * grid.height).into(),
        (0..grid.columns * grid.width).into(),
    ];
    let x = B::float_slice(x, &inner);
    let bands = Shape::new([maps * grid.rows, grid.height, grid.columns * grid.width]);
    let x = B::float_mean_dim(B::float_reshape(x, bands), 1);
    let x = B::float_mean_dim(
        B::float_reshape(x, Shape::new([maps * grid.cells(), grid.width])),
        1,
    );
    let patches = B::float_reshape(x, Shape::new([batch_size, channels, grid.cells()]));
    if options.global_first {
        B::float_cat(vec![whole, patches], 2)
    } else {
        B::float_cat(vec![patches, whole], 2)
    }
}

/// See [`KernelOps::patch_moments_gradient`](crate::KernelOps::patch_moments_gradient).
pub(crate) fn gradient<B: Backend>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    options: PatchOptions,
) -> FloatTensor<B> {
    let shape = x.shape();
    let [_, _, height, width] = shape.dims();
    let [mean, spread] = options.grids(height, width);
    let (means, spreads) = (mean.cells() + 1, spread.cells() + 1);
    let part = |from: usize, grid: &Grid| {
        let values = along_last(gradient.shape(), from..from + grid.cells() + 1);
        let values = B::float_slice(gradient.clone(), &values);
        spread_out::<B>(values, grid, &shape, options)
    };
    let linear = B::float_add(part(0, &mean), part(means, &spread));
    let square = B::float_mul(part(means + spreads, &spread), x);
    B::float_add(linear, B::float_mul_scalar(square, 2.0.into()))
}

/// Every pixel's share of the means that it counts in: the transpose of [`means`].
fn spread_out<B: Backend>(
    values: FloatTensor<B>,
    grid: &Grid,
    shape: &Shape,
    options: PatchOptions,
) -> FloatTensor<B> {
    let [batch_size, channels, height, width] = shape.dims();
    let (global, first) = options.places(grid);
    let slice = |range: std::ops::Range<usize>| {
        let range = along_last(values.shape(), range);
        B::float_slice(values.clone(), &range)
    };
    let whole = B::float_reshape(
        slice(global..global + 1),
        Shape::new([batch_size, channels, 1, 1]),
    );
    let whole = B::float_div_scalar(whole, ((height * width) as f64).into());
    let whole = B::float_add_scalar(B::float_expand(whole, shape.clone()), 0.0.into());
    let (rows, columns) = (grid.rows, grid.columns);
    let cells = Shape::new([batch_size, channels, rows, 1, columns, 1]);
    let pixels = Shape::new([batch_size, channels, rows, grid.height, columns, grid.width]);
    let inner = [
        batch_size,
        channels,
        rows * grid.height,
        columns * grid.width,
    ];
    let patches = B::float_reshape(slice(first..first + grid.cells()), cells);
    let patches = B::float_div_scalar(patches, ((grid.height * grid.width) as f64).into());
    let patches = B::float_reshape(B::float_expand(patches, pixels), Shape::new(inner));
    let inner = inner.map(|len| Slice::from(0..len));
    let patches = B::float_add(patches, B::float_slice(whole.clone(), &inner));
    B::float_slice_assign(whole, &inner, patches)
}

/// All of a tensor of three axes but for the last, which is cut.
fn along_last(shape: Shape, range: std::ops::Range<usize>) -> [Slice; 3] {
    [(0..shape[0]).into(), (0..shape[1]).into(), range.into()]
}
