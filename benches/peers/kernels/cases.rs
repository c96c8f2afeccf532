//! The operations and their data.

use std::error::Error;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use fas_kernels::{GeluForm, GroupNormOptions, attention, conv2d, gelu, group_norm, silu, softmax};

use crate::network::Network;

/// Layers of the stacks.
const LAYERS: usize = 8;
const GROUPS: usize = 32;

/// Values in `[-1, 1)` that any language can repeat: a hash of seed and index.
pub(crate) fn values(seed: u32, len: usize) -> Vec<f32> {
    (0..len as u32)
        .map(|i| {
            let mut h = i.wrapping_mul(0x9E37_79B1) ^ seed.wrapping_mul(0x85EB_CA77);
            h ^= h >> 15;
            h = h.wrapping_mul(0x2C1B_3C6D);
            h ^= h >> 13;
            (h >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

pub(crate) fn tensor<const D: usize>(seed: u32, dims: [usize; D], device: &Device) -> Tensor<D> {
    let values = values(seed, dims.iter().product());
    Tensor::<1>::from_data(values.as_slice(), device).reshape(dims)
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operation {
    Conv {
        kernel: usize,
        stride: usize,
    },
    /// 3x3, each channel with a kernel of its own.
    Depthwise {
        stride: usize,
    },
    GroupNormSilu,
    Silu,
    Gelu(GeluForm),
    Softmax,
    Attention,
    Stack {
        norms: bool,
    },
}

/// One row of the table.
pub(crate) enum Case {
    Operation {
        operation: Operation,
        /// Operands, flat, with their sizes.
        operands: Vec<(Tensor<1>, Vec<usize>)>,
        backward: bool,
    },
    Network(Box<Network>),
}

/// What stands before the clock starts.
pub(crate) enum Prepared {
    Operands(Vec<Tensor<1>>),
    /// Operands and the output of the forward pass.
    Output(Vec<Tensor<1>>, Box<Tensor<1>>),
    Nothing,
}

/// What a call computed.
pub(crate) enum Results {
    Tensors(Vec<Tensor<1>>),
    Loss(f64),
}

impl Results {
    /// Sum of the absolute values.
    pub(crate) fn sum(self) -> f64 {
        match self {
            Self::Loss(loss) => loss,
            Self::Tensors(tensors) => tensors
                .into_iter()
                .flat_map(|t| t.into_data().try_to_vec::<f32>().expect("f32"))
                .map(|v| f64::from(v.abs()))
                .sum(),
        }
    }
}

impl Case {
    /// Reads `<operation> <sizes> <pass>`, the sizes joined by `x`.
    pub(crate) fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let words: Vec<&str> = name.split(' ').collect();
        let [operation, sizes, pass] = words[..] else {
            return Err(format!("three words, not {name:?}").into());
        };
        let sizes: Vec<usize> = sizes.split('x').map(str::parse).collect::<Result<_, _>>()?;
        let conv = |kernel, stride| Operation::Conv { kernel, stride };
        let operation = match operation {
            "conv3x3" => conv(3, 1),
            "conv3x3/2" => conv(3, 2),
            "conv1x1" => conv(1, 1),
            "depthwise" => Operation::Depthwise { stride: 1 },
            "depthwise/2" => Operation::Depthwise { stride: 2 },
            "group_norm_silu" => Operation::GroupNormSilu,
            "silu" => Operation::Silu,
            "gelu" => Operation::Gelu(GeluForm::Erf),
            "gelu_tanh" => Operation::Gelu(GeluForm::Tanh),
            "softmax" => Operation::Softmax,
            "attention" => Operation::Attention,
            "stack" => Operation::Stack { norms: false },
            "stack_norm" => Operation::Stack { norms: true },
            "small_unet" => return Ok(Self::Network(Box::new(Network::new(sizes[0])))),
            _ => return Err(format!("unknown operation {operation:?}").into()),
        };
        let backward = pass == "backward";
        let device = if backward {
            Device::flex().autodiff()
        } else {
            Device::flex()
        };
        let operands = operation
            .operand_sizes(&sizes)
            .into_iter()
            .enumerate()
            .map(|(i, dims)| {
                let len = dims.iter().product();
                // Weights small enough that eight layers stay of the size of their input.
                let fan_in: usize = dims.iter().skip(1).product();
                let gain = match (i > 0, dims.len()) {
                    (true, 4) => (3.0 / fan_in as f64).sqrt(),
                    (true, 1) => 0.1,
                    _ => 3.0,
                };
                let shift = if i > 0 && dims.len() == 1 { 1.0 } else { 0.0 };
                (tensor(i as u32, [len], &device) * gain + shift, dims)
            })
            .collect();
        Ok(Self::Operation {
            operation,
            operands,
            backward,
        })
    }

    /// Operands of a call and, for a backward pass, the forward pass.
    pub(crate) fn prepare(&self) -> Prepared {
        match self {
            Self::Network(_) => Prepared::Nothing,
            Self::Operation {
                operation,
                operands,
                backward,
            } => {
                let fresh: Vec<Tensor<1>> = operands
                    .iter()
                    .map(|(t, _)| {
                        if *backward {
                            t.clone().require_grad()
                        } else {
                            t.clone()
                        }
                    })
                    .collect();
                if !backward {
                    return Prepared::Operands(fresh);
                }
                let output = operation.run(&fresh, operands);
                Prepared::Output(fresh, Box::new(output))
            }
        }
    }

    /// The timed part.
    pub(crate) fn run(&mut self, prepared: Prepared) -> Results {
        match (self, prepared) {
            (Self::Network(network), _) => Results::Loss(network.step()),
            (
                Self::Operation {
                    operation,
                    operands,
                    ..
                },
                Prepared::Operands(fresh),
            ) => Results::Tensors(vec![operation.run(&fresh, operands)]),
            (Self::Operation { .. }, Prepared::Output(fresh, output)) => {
                let gradients = output.backward();
                let of = |t: &Tensor<1>| t.grad(&gradients).expect("every operand is tracked");
                Results::Tensors(fresh.iter().map(of).collect())
            }
            (Self::Operation { .. }, Prepared::Nothing) => unreachable!("operands were prepared"),
        }
    }
}

impl Operation {
    fn operand_sizes(self, sizes: &[usize]) -> Vec<Vec<usize>> {
        let input = sizes.to_vec();
        match self {
            Self::Conv { kernel, .. } => {
                let c = sizes[1];
                vec![input, vec![c, c, kernel, kernel], vec![c]]
            }
            Self::Depthwise { .. } => {
                let c = sizes[1];
                vec![input, vec![c, 1, 3, 3], vec![c]]
            }
            Self::GroupNormSilu => vec![input, vec![sizes[1]], vec![sizes[1]]],
            Self::Silu | Self::Gelu(_) | Self::Softmax => vec![input],
            Self::Attention => vec![input; 3],
            Self::Stack { norms } => {
                let c = sizes[1];
                let layer = if norms { 4 } else { 2 };
                let weights = [vec![c, c, 3, 3], vec![c], vec![c], vec![c]];
                std::iter::once(input)
                    .chain((0..LAYERS).flat_map(|_| weights[..layer].to_vec()))
                    .collect()
            }
        }
    }

    fn run(self, operands: &[Tensor<1>], sizes: &[(Tensor<1>, Vec<usize>)]) -> Tensor<1> {
        fn shaped<const D: usize>(t: &Tensor<1>, dims: &[usize]) -> Tensor<D> {
            t.clone()
                .reshape(<[usize; D]>::try_from(dims).expect("as many sizes as axes"))
        }
        fn flat<const D: usize>(t: Tensor<D>) -> Tensor<1> {
            let len: usize = t.dims().iter().product();
            t.reshape([len])
        }
        let dims: Vec<&[usize]> = sizes.iter().map(|(_, dims)| dims.as_slice()).collect();
        let x = &operands[0];
        let layer = |kernel: usize, stride: usize, groups: usize| {
            ConvOptions::new([stride; 2], [kernel / 2; 2], [1; 2], groups)
        };
        let convolved = |options: ConvOptions<2>| {
            flat(conv2d(
                shaped(x, dims[0]),
                shaped(&operands[1], dims[1]),
                Some(operands[2].clone()),
                options,
            ))
        };
        let norm = |groups| GroupNormOptions::new(groups).with_silu(true);
        match self {
            Self::Conv { kernel, stride } => convolved(layer(kernel, stride, 1)),
            Self::Depthwise { stride } => convolved(layer(3, stride, dims[0][1])),
            Self::GroupNormSilu => {
                let (weight, bias) = (operands[1].clone(), operands[2].clone());
                let x = shaped::<4>(x, dims[0]);
                flat(group_norm(x, weight, bias, None, norm(GROUPS)))
            }
            Self::Silu => silu(x.clone()),
            Self::Gelu(form) => gelu(x.clone(), form),
            Self::Softmax => flat(softmax(shaped::<2>(x, dims[0]), 1)),
            Self::Attention => {
                let [query, key, value] = [0, 1, 2].map(|i| shaped::<3>(&operands[i], dims[i]));
                let scale = 1.0 / (dims[0][2] as f64).sqrt();
                flat(attention(query, key, value, scale))
            }
            Self::Stack { norms } => {
                let each = if norms { 4 } else { 2 };
                let layers = operands[1..].chunks(each).zip(dims[1..].chunks(each));
                flat(layers.fold(shaped::<4>(x, dims[0]), |x, (operands, dims)| {
                    let weight = shaped(&operands[0], dims[0]);
                    let y = conv2d(x, weight, Some(operands[1].clone()), layer(3, 1, 1));
                    if norms {
                        let (weight, bias) = (operands[2].clone(), operands[3].clone());
                        group_norm(y, weight, bias, None, norm(GROUPS))
                    } else {
                        y
                    }
                }))
            }
        }
    }
}
