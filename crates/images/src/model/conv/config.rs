//! Shapes of convolutional energies, among them those of the literature.

use ebmotion::model::Activation;
use ebmotion::{Error, Result};
use ebmotion_engine::engine::conv::{Reach, Stage};
use serde::{Deserialize, Serialize};

/// One stage of a [`ConvConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StageConfig {
    /// A convolution, a bias for each channel, the activation.
    Conv {
        /// Channels that go out.
        width: usize,
        /// Side of the window.
        kernel: usize,
        /// Pixels from one window to the next: `ceil(size / stride)` pixels a side go out.
        stride: usize,
        /// With a bias and a gain that depend on the context, where there is one.
        conditional: bool,
    },
    /// Two 3 x 3 convolutions with a way round them (Du & Mordatch 2019, appendix A.8):
    /// `act(pool(gain * second(act(first(x + bias)) + bias') + skip(x)))`, biases and gain depending on the context.
    Block {
        /// Channels that go out; where they differ from those that come in, the way round is a 3 x 3 convolution.
        width: usize,
        /// Take means of 2 x 2 pixels.
        down: bool,
    },
}

/// Shape and parts of a [`super::ConvEnergy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvConfig {
    /// Channels of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Numbers of the context (classes, if it is one of them as a row of zeros and a one); 0 where there is none.
    pub context: usize,
    /// At least one.
    pub stages: Vec<StageConfig>,
    /// Width of a fully connected layer after the stages; `None`: the rectified channels are summed over the pixels.
    pub dense: Option<usize>,
    /// After every stage and within blocks. A sum over pixels is rectified by `max(x, 0)`, or by swish where this is
    /// swish.
    pub activation: Activation,
    /// Divides every weight but the head's by its largest singular value.
    pub spectral_norm: bool,
}

fn conv(width: usize, kernel: usize, stride: usize, conditional: bool) -> StageConfig {
    StageConfig::Conv { width, kernel, stride, conditional }
}

/// Blocks of `(width, down)` behind a first convolution.
fn residual(first: usize, blocks: &[(usize, bool)]) -> Vec<StageConfig> {
    let blocks = blocks.iter().map(|(width, down)| StageConfig::Block { width: *width, down: *down });
    std::iter::once(conv(first, 3, 1, false)).chain(blocks).collect()
}

impl ConvConfig {
    fn images(channels: usize, side: usize, context: usize, stages: Vec<StageConfig>, dense: Option<usize>) -> Self {
        let activation = Activation::LeakyRelu;
        Self { channels, height: side, width: side, context, stages, dense, activation, spectral_norm: true }
    }

    /// 32 x 32 in colour given one of `classes`: 5.3 million weights (Du & Mordatch 2019, appendix A.8, CIFAR-10
    /// conditional).
    pub fn cifar10_conditional(classes: usize) -> Self {
        let blocks = [(128, true), (128, false), (256, true), (256, false), (256, true), (256, false)];
        Self::images(3, 32, classes, residual(128, &blocks), None)
    }

    /// 32 x 32 in colour: 18.6 million weights (the same, CIFAR-10 unconditional, large).
    pub fn cifar10_large() -> Self {
        Self::images(3, 32, 0, residual(128, &three_by_three(128)), None)
    }

    /// 32 x 32 in colour given one of `classes`: the large network with blocks of twice the width (the same, ImageNet
    /// 32 x 32).
    pub fn imagenet32(classes: usize) -> Self {
        Self::images(3, 32, classes, residual(128, &three_by_three(256)), None)
    }

    /// 128 x 128 in colour given one of `classes`: 15.7 million weights (the same, ImageNet 128 x 128, with swish).
    pub fn imagenet128(classes: usize) -> Self {
        let blocks = [(64, true), (128, true), (256, true), (512, true), (512, true), (512, false)];
        let config = Self::images(3, 128, classes, residual(64, &blocks), None);
        Self { activation: Activation::Swish, ..config }
    }

    /// 64 x 64 in one channel given `context` numbers (the same, dSprites).
    pub fn dsprites(context: usize) -> Self {
        let mut stages = vec![conv(32, 3, 1, false)];
        stages.extend([64, 128, 128, 128].map(|width| conv(width, 4, 2, true)));
        Self::images(1, 64, context, stages, Some(128))
    }

    /// 28 x 28 in one channel given `context` numbers (the same, MNIST).
    pub fn mnist(context: usize) -> Self {
        let mut stages = vec![conv(64, 3, 1, false)];
        stages.extend([64, 128, 256].map(|width| conv(width, 4, 2, true)));
        Self::images(1, 28, context, stages, Some(128))
    }

    /// The same network with every width times `factor`, rounded, at least 1.
    ///
    /// # Errors
    /// [`Error::Config`] when the factor is not a positive number.
    pub fn scaled(mut self, factor: f64) -> Result<Self> {
        if !(factor > 0.0 && factor.is_finite()) {
            return Err(Error::config("width factor", factor, "a positive number"));
        }
        let scale = |width: usize| ((width as f64 * factor).round() as usize).max(1);
        for stage in &mut self.stages {
            match stage {
                StageConfig::Conv { width, .. } | StageConfig::Block { width, .. } => *width = scale(*width),
            }
        }
        self.dense = self.dense.map(scale);
        Ok(self)
    }

    /// Checks that there is a network.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is wrong.
    pub fn check(&self) -> Result<()> {
        let image = [self.channels, self.height, self.width];
        if image.contains(&0) {
            return Err(Error::config("channels, height, width", format!("{image:?}"), "numbers of at least 1"));
        }
        if self.stages.is_empty() || self.dense == Some(0) {
            return Err(Error::config("stages", self.stages.len(), "at least one stage, and no layer of width 0"));
        }
        let (mut height, mut width) = (self.height, self.width);
        for (i, stage) in self.stages.iter().enumerate() {
            let key = format!("stages.{i}");
            match stage {
                StageConfig::Conv { width: 0, .. } | StageConfig::Block { width: 0, .. } => {
                    return Err(Error::config(key, "width 0", "a width of at least 1"));
                }
                StageConfig::Conv { kernel, stride, .. } => {
                    if *kernel == 0 || *stride == 0 {
                        let found = format!("kernel {kernel}, stride {stride}");
                        return Err(Error::config(key, found, "numbers of at least 1"));
                    }
                    (height, width) = (height.div_ceil(*stride), width.div_ceil(*stride));
                }
                StageConfig::Block { down, .. } => {
                    if *down && (height < 2 || width < 2) {
                        let found = format!("an image of {height} x {width} to be halved");
                        return Err(Error::config(key, found, "at least 2 x 2 pixels"));
                    }
                    if *down {
                        (height, width) = (height / 2, width / 2);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Three widths of three blocks each, the first of which halves the image; the last two widths are doubled one by one.
fn three_by_three(width: usize) -> Vec<(usize, bool)> {
    [1, 2, 4].into_iter().flat_map(|f| [(f * width, true), (f * width, false), (f * width, false)]).collect()
}

/// One filter of a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilterShape {
    pub(super) name: &'static str,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) reach: Reach,
    /// Rows and columns of its window.
    pub(super) window: (usize, usize),
    /// Starts near zero, and its norm is only limited to 1.
    pub(super) last: bool,
}

/// One stage written out.
#[derive(Debug, Clone)]
pub(super) struct StageShape {
    pub(super) filters: Vec<FilterShape>,
    /// Widths of its modulations and what they start from: biases 0, gains 1.
    pub(super) modulations: Vec<(usize, f64)>,
    /// They depend on the context.
    pub(super) conditional: bool,
    /// `None` for a convolution, else whether the block halves the image.
    pub(super) down: Option<bool>,
}

impl StageShape {
    /// The stage for the engine, its weights given by filter.
    pub(super) fn plain(&self, weights: Vec<Vec<f32>>) -> Option<Stage> {
        let filters = self.filters.iter().zip(weights).map(|(shape, weight)| ebmotion_engine::engine::conv::Filter {
            inputs: shape.inputs,
            outputs: shape.outputs,
            reach: shape.reach,
            weight,
        });
        let mut filters = filters;
        Some(match self.down {
            None => Stage::Conv { filter: filters.next()?, gained: self.modulations.len() > 1 },
            Some(down) => Stage::Block { first: filters.next()?, second: filters.next()?, skip: filters.next(), down },
        })
    }
}

impl ConvConfig {
    /// Every stage written out, the fully connected layer as the last one.
    pub(super) fn shapes(&self) -> Vec<StageShape> {
        let mut channels = self.channels;
        let mut size = (self.height, self.width);
        let mut shapes = Vec::new();
        let given = self.context > 0;
        for stage in &self.stages {
            let filter = |name, inputs, outputs, kernel, stride, last| FilterShape {
                name,
                inputs,
                outputs,
                reach: Reach::Window { kernel, stride },
                window: (kernel, kernel),
                last,
            };
            match stage {
                StageConfig::Conv { width, kernel, stride, conditional } => {
                    let conditional = *conditional && given;
                    let mut modulations = vec![(*width, 0.0)];
                    if conditional {
                        modulations.push((*width, 1.0));
                    }
                    let filters = vec![filter("weight", channels, *width, *kernel, *stride, false)];
                    shapes.push(StageShape { filters, modulations, conditional, down: None });
                    channels = *width;
                    size = (size.0.div_ceil(*stride), size.1.div_ceil(*stride));
                }
                StageConfig::Block { width, down } => {
                    let mut filters = vec![
                        filter("first", channels, *width, 3, 1, false),
                        filter("second", *width, *width, 3, 1, true),
                    ];
                    if channels != *width {
                        filters.push(filter("skip", channels, *width, 3, 1, false));
                    }
                    let modulations = vec![(channels, 0.0), (*width, 0.0), (*width, 1.0)];
                    shapes.push(StageShape { filters, modulations, conditional: given, down: Some(*down) });
                    channels = *width;
                    size = if *down { (size.0 / 2, size.1 / 2) } else { size };
                }
            }
        }
        if let Some(width) = self.dense {
            let filter = FilterShape {
                name: "weight",
                inputs: channels,
                outputs: width,
                reach: Reach::Whole,
                window: size,
                last: false,
            };
            shapes.push(StageShape {
                filters: vec![filter],
                modulations: vec![(width, 0.0)],
                conditional: false,
                down: None,
            });
        }
        shapes
    }
}
