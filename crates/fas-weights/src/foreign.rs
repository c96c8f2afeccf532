//! Where a parameter of ours lies in a file of another implementation, and how it is laid out there.

use std::ops::Range;

/// A float parameter of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSite {
    /// Field names from the module's root, joined with dots: `layer1.0.bn1.gamma`.
    pub path: String,
    /// Type that owns the parameter: `Linear`, `BatchNorm`, `Conv2d`, or a type of your own.
    pub owner: String,
    /// Shape the parameter is stored in by us.
    pub shape: Vec<usize>,
}

impl ParamSite {
    /// The parameter under PyTorch's conventions, for a module whose fields are named as theirs:
    /// `gamma` and `beta` of a norm are `weight` and `bias`, and the weight of a `Linear` is transposed.
    pub fn torch(&self) -> ForeignTensor {
        let (module, field) = self.path.rsplit_once('.').unwrap_or(("", &self.path));
        self.torch_in(module, field)
    }

    /// [`torch`](Self::torch) for a module that is called `module` there.
    pub fn torch_as(&self, module: &str) -> ForeignTensor {
        self.torch_in(module, self.field())
    }

    fn torch_in(&self, module: &str, field: &str) -> ForeignTensor {
        let leaf = match field {
            "gamma" => "weight",
            "beta" => "bias",
            other => other,
        };
        let tensor = ForeignTensor::new(if module.is_empty() {
            leaf.to_owned()
        } else {
            format!("{module}.{leaf}")
        });
        if self.owner == "Linear" && leaf == "weight" {
            tensor.transposed()
        } else {
            tensor
        }
    }

    /// Last part of the path.
    pub fn field(&self) -> &str {
        self.path
            .rsplit_once('.')
            .map_or(&self.path, |(_, field)| field)
    }
}

/// A tensor of another implementation, and how its layout differs from ours.
///
/// From their tensor to ours: [`rows`](Self::rows), then
/// [`trailing_ones`](Self::trailing_ones), then [`transposed`](Self::transposed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTensor {
    name: String,
    rows: Option<Range<usize>>,
    trailing_ones: usize,
    transposed: bool,
}

impl ForeignTensor {
    /// The tensor `name`, in our layout.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rows: None,
            trailing_ones: 0,
            transposed: false,
        }
    }

    /// Only these entries of the first dimension are ours, such as the values of a joint key-value
    /// projection.
    pub fn rows(mut self, rows: Range<usize>) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Theirs has so many more dimensions of length 1 at the end: 1 for a `Linear` that is a 1-D
    /// convolution there, 2 for a 1x1 convolution.
    pub fn trailing_ones(mut self, count: usize) -> Self {
        self.trailing_ones = count;
        self
    }

    /// Theirs is `[out, in]` where ours is `[in, out]`.
    pub fn transposed(mut self) -> Self {
        self.transposed = true;
        self
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rows of theirs that are ours, if not all.
    pub fn own_rows(&self) -> Option<&Range<usize>> {
        self.rows.as_ref()
    }

    /// Dimensions of length 1 that theirs has at the end and ours has not.
    pub fn extra_dimensions(&self) -> usize {
        self.trailing_ones
    }

    /// Whether theirs is `[out, in]` where ours is `[in, out]`.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// Shape and values of our parameter from theirs.
    ///
    /// # Errors
    ///
    /// A message that says why their shape does not allow it.
    pub(crate) fn to_ours(
        &self,
        shape: &[usize],
        values: &[f32],
    ) -> Result<(Vec<usize>, Vec<f32>), String> {
        let mut shape = shape.to_vec();
        let mut values = values.to_vec();
        if let Some(rows) = &self.rows {
            if shape.is_empty() || rows.end > shape[0] {
                return Err(format!("rows {rows:?} of {shape:?}"));
            }
            let row: usize = shape[1..].iter().product();
            values = values[rows.start * row..rows.end * row].to_vec();
            shape[0] = rows.len();
        }
        for _ in 0..self.trailing_ones {
            match shape.pop() {
                Some(1) => {}
                last => {
                    shape.extend(last);
                    return Err(format!("{shape:?} does not end in 1"));
                }
            }
        }
        if self.transposed {
            let &[rows, columns] = &shape[..] else {
                return Err(format!("transpose of {shape:?}"));
            };
            values = transpose(&values, rows, columns);
            shape = vec![columns, rows];
        }
        Ok((shape, values))
    }

    /// Shape and values of theirs from our parameter; for a part of a joint tensor, of that part.
    pub(crate) fn to_theirs(&self, shape: &[usize], values: &[f32]) -> (Vec<usize>, Vec<f32>) {
        let mut shape = shape.to_vec();
        let mut values = values.to_vec();
        if self.transposed {
            assert_eq!(shape.len(), 2, "only a matrix is transposed: {}", self.name);
            values = transpose(&values, shape[0], shape[1]);
            shape.swap(0, 1);
        }
        shape.extend(std::iter::repeat_n(1, self.trailing_ones));
        (shape, values)
    }
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(path: &str, owner: &str) -> ParamSite {
        ParamSite {
            path: path.to_owned(),
            owner: owner.to_owned(),
            shape: vec![2, 2],
        }
    }

    #[test]
    fn torch_calls_gamma_weight_and_transposes_linears() {
        let norm = site("a.bn.gamma", "BatchNorm").torch();
        assert_eq!(norm, ForeignTensor::new("a.bn.weight"));
        let linear = site("fc.weight", "Linear");
        assert_eq!(linear.torch(), ForeignTensor::new("fc.weight").transposed());
        assert_eq!(linear.torch_as("head.0").name(), "head.0.weight");
        assert_eq!(site("weight", "Conv2d").torch().name(), "weight");
    }

    #[test]
    fn layouts_there_and_back() {
        let key = ForeignTensor::new("kv")
            .rows(1..3)
            .trailing_ones(1)
            .transposed();
        let theirs: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let (shape, ours) = key.to_ours(&[4, 3, 1], &theirs).unwrap();
        assert_eq!(shape, [3, 2]);
        assert_eq!(ours, [3., 6., 4., 7., 5., 8.]);
        let (shape, back) = key.to_theirs(&shape, &ours);
        assert_eq!((&shape[..], &back[..]), (&[2, 3, 1][..], &theirs[3..9]));
    }

    #[test]
    fn a_layout_that_does_not_apply_is_named() {
        let key = ForeignTensor::new("kv").rows(1..5);
        let error = key.to_ours(&[4, 2], &[0.0; 8]).unwrap_err();
        assert_eq!(error, "rows 1..5 of [4, 2]");
        let conv = ForeignTensor::new("q").trailing_ones(1);
        let error = conv.to_ours(&[2, 2], &[0.0; 4]).unwrap_err();
        assert_eq!(error, "[2, 2] does not end in 1");
    }
}
