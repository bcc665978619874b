//! A convolutional network written out as plain numbers.

use super::super::layers::Nonlinearity;
use crate::error::{Error, Result};
use crate::simd::Isa;

/// What an output of a [`Filter`] sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A square window that moves by `stride`: `ceil(size / stride)` outputs a side. The zeros around the image are
    /// shared out evenly, the odd one behind.
    Window {
        /// Side of the window.
        kernel: usize,
        /// Pixels from one window to the next.
        stride: usize,
    },
    /// The whole image: one output pixel, a fully connected layer.
    Whole,
}

/// One convolution without a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// What an output sees.
    pub reach: Reach,
    /// `(outputs, inputs, rows, columns)`, as it multiplies: a spectral norm is already divided out.
    pub weight: Vec<f32>,
}

/// One stage of [`ConvLayers`]. Gains and biases are no weights: they come row by row, for each image its own
/// ([`ConvLayers::modulations`]).
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// `act(gain * conv(x) + bias)`; without `gained` the gain is 1.
    Conv {
        /// The convolution.
        filter: Filter,
        /// With a gain.
        gained: bool,
    },
    /// `act(pool(gain * second(act(first(x + bias)) + bias') + skip(x)))`, where `pool` is the mean of 2 x 2 pixels or
    /// nothing.
    Block {
        /// First convolution, stride 1.
        first: Filter,
        /// Second convolution, stride 1.
        second: Filter,
        /// Convolution of the way round; `None` where `x` is added itself.
        skip: Option<Filter>,
        /// Halve the image's sides.
        down: bool,
    },
}

/// A network of images with one output: stages, then the head `sum_c w_c sum_pixels rectify(x_c) + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvLayers {
    /// Channels of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// At least one.
    pub stages: Vec<Stage>,
    /// After every stage and within blocks.
    pub activation: Nonlinearity,
    /// What the head does before it sums; `None` for nothing.
    pub rectify: Option<Nonlinearity>,
    /// Weight of the head.
    pub head: Vec<f32>,
    /// Bias of the head.
    pub head_bias: f32,
}

/// Where a convolution reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) kernel: (usize, usize),
    pub(super) stride: (usize, usize),
    /// Zeros above and to the left.
    pub(super) pad: (usize, usize),
    /// Rows and columns that come in.
    pub(super) from: (usize, usize),
    /// Rows and columns that go out.
    pub(super) to: (usize, usize),
}

impl Geometry {
    pub(super) fn new(reach: Reach, from: (usize, usize)) -> Self {
        match reach {
            Reach::Whole => Self { kernel: from, stride: from, pad: (0, 0), from, to: (1, 1) },
            Reach::Window { kernel, stride } => {
                let to = |size: usize| size.div_ceil(stride);
                let pad = |size: usize| ((to(size) - 1) * stride + kernel).saturating_sub(size) / 2;
                Self {
                    kernel: (kernel, kernel),
                    stride: (stride, stride),
                    pad: (pad(from.0), pad(from.1)),
                    from,
                    to: (to(from.0), to(from.1)),
                }
            }
        }
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }
}

impl Stage {
    /// Its filters, in the order of their gradients.
    pub(in crate::engine) fn filters(&self) -> Vec<&Filter> {
        match self {
            Stage::Conv { filter, .. } => vec![filter],
            Stage::Block { first, second, skip, .. } => [first, second].into_iter().chain(skip).collect(),
        }
    }

    /// Channels that go out.
    pub(in crate::engine) fn outputs(&self) -> usize {
        match self {
            Stage::Conv { filter, .. } => filter.outputs,
            Stage::Block { second, .. } => second.outputs,
        }
    }

    /// Rows and columns that go out.
    pub(in crate::engine) fn size(&self, from: (usize, usize)) -> (usize, usize) {
        match self {
            Stage::Conv { filter, .. } => Geometry::new(filter.reach, from).to,
            Stage::Block { down: true, .. } => (from.0 / 2, from.1 / 2),
            Stage::Block { .. } => from,
        }
    }

    /// Widths of its modulations: bias and gain of a convolution, both input biases and the gain of a block.
    pub(in crate::engine) fn modulations(&self) -> Vec<usize> {
        match self {
            Stage::Conv { filter, gained: false } => vec![filter.outputs],
            Stage::Conv { filter, gained: true } => vec![filter.outputs; 2],
            Stage::Block { first, second, .. } => vec![first.inputs, second.inputs, second.outputs],
        }
    }
}

impl ConvLayers {
    /// Numbers of an image.
    pub fn numbers(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Numbers that modulate an image: for each stage the bias and the gain (if it has one) of a convolution, or of a
    /// block the bias before the first convolution, the bias before the second and the gain after it.
    pub fn modulations(&self) -> usize {
        self.stages.iter().flat_map(Stage::modulations).sum()
    }

    /// Multiplications of one evaluation of the value of one image.
    pub fn products(&self) -> usize {
        let mut from = (self.height, self.width);
        let mut sum = 0;
        for stage in &self.stages {
            for filter in stage.filters() {
                let geometry = Geometry::new(filter.reach, from);
                sum += geometry.to.0 * geometry.to.1 * geometry.taps() * filter.inputs * filter.outputs;
            }
            from = stage.size(from);
        }
        sum
    }

    /// All that the memory of a tile depends on: two networks of one kind differ in their weights alone.
    pub(super) fn kind(&self, isa: Isa) -> Vec<usize> {
        let mut kind = vec![isa.lanes(), self.channels, self.height, self.width, self.head.len()];
        for stage in &self.stages {
            kind.push(match stage {
                Stage::Conv { gained, .. } => usize::from(*gained),
                Stage::Block { skip, down, .. } => 2 + 2 * usize::from(*down) + usize::from(skip.is_some()),
            });
            for filter in stage.filters() {
                kind.extend([filter.inputs, filter.outputs]);
                kind.extend(match filter.reach {
                    Reach::Window { kernel, stride } => [kernel, stride],
                    Reach::Whole => [0, 0],
                });
            }
        }
        kind
    }

    /// Checks that every stage fits its neighbours.
    ///
    /// # Errors
    /// [`Error::Shape`] naming the part that does not fit.
    pub fn check(&self) -> Result<()> {
        let wrong = |what, found: Vec<usize>, expected: String| Err(Error::Shape { what, found, expected });
        if self.stages.is_empty() || self.numbers() == 0 {
            let found = vec![self.channels, self.height, self.width];
            return wrong("image of a convolutional network", found, "no side of 0, and at least 1 stage".into());
        }
        let (mut channels, mut size) = (self.channels, (self.height, self.width));
        for (i, stage) in self.stages.iter().enumerate() {
            for (part, filter) in stage.filters().into_iter().enumerate() {
                let inputs = if part == 1 { stage.outputs() } else { channels };
                if filter.inputs != inputs || filter.outputs != stage.outputs() || filter.outputs == 0 {
                    let expected = format!("{inputs} to {}, stage {i}", stage.outputs());
                    return wrong("channels of a convolution", vec![filter.inputs, filter.outputs], expected);
                }
                if let Reach::Window { kernel, stride } = filter.reach {
                    let block = matches!(stage, Stage::Block { .. });
                    if kernel == 0 || stride == 0 || (block && stride != 1) {
                        let expected = format!("a window, and stride 1 within blocks, stage {i}");
                        return wrong("window of a convolution", vec![kernel, stride], expected);
                    }
                } else if matches!(stage, Stage::Block { .. }) {
                    return wrong("window of a convolution", vec![], format!("a window within a block, stage {i}"));
                }
                let expected = filter.inputs * filter.outputs * Geometry::new(filter.reach, size).taps();
                if filter.weight.len() != expected {
                    return wrong("weight of a convolution", vec![filter.weight.len()], format!("{expected}"));
                }
            }
            if let Stage::Block { skip: None, .. } = stage
                && stage.outputs() != channels
            {
                let expected = format!("{channels}, as what is added to it, stage {i}");
                return wrong("channels of a block", vec![stage.outputs()], expected);
            }
            (channels, size) = (stage.outputs(), stage.size(size));
            if size.0 == 0 || size.1 == 0 {
                return wrong("image within a network", vec![size.0, size.1], format!("no side of 0, stage {i}"));
            }
        }
        if self.head.len() != channels {
            return wrong("head of a network", vec![self.head.len()], format!("{channels}"));
        }
        Ok(())
    }
}
