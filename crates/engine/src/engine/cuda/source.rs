//! The text of a kernel and the arrays that it takes, from a program.

use crate::engine::{Layers, Nonlinearity, Program, Rows, Term};
use crate::error::{Error, Result};
use std::fmt::Write;

/// How products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// f32 throughout: the CPU's numbers to rounding.
    F32,
    /// Matrix units, inputs rounded to tf32 (10 bits), sums in f32.
    Tf32,
    /// Matrix units, inputs rounded to bf16 (7 bits), sums in f32.
    Bf16,
}

/// What limits a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Bytes of shared memory that one block may have.
    pub shared_bytes: usize,
    /// Multiprocessors.
    pub multiprocessors: usize,
}

/// A kernel for one program and number of chains, and its arrays.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What the kernel's text is told of this job.
    defines: String,
    /// The analytic terms as code.
    terms: String,
    /// How products are computed.
    pub mode: Mode,
    /// Chains of a block.
    pub tile: usize,
    /// Threads of a block.
    pub threads: usize,
    /// Blocks.
    pub blocks: usize,
    /// Bytes of shared memory of a block.
    pub shared_bytes: usize,
    /// Chains.
    pub chains: usize,
    /// Numbers a chain.
    pub inputs: usize,
    /// All layers' weights one after the other, `(outputs, inputs + pad)` of padded widths.
    pub weights: Vec<f32>,
    /// All layers' biases one after the other, of padded widths.
    pub biases: Vec<f32>,
    /// Weight of the head, padded.
    pub head: Vec<f32>,
    /// Bias of the head.
    pub head_bias: f32,
    /// Multiplies the network.
    pub factor: f32,
    /// Each chain's part of the first layer, `(chains, padded width)`; empty where all have the bias.
    pub first: Vec<f32>,
    /// Numbers of the analytic terms.
    pub constants: Vec<f32>,
    /// Numbers of the analytic terms that differ between chains, a row a chain.
    pub rows: Vec<f32>,
}

/// Words between the rows of an array in shared memory, as in the kernel.
const PAD: usize = 4;
/// Widths are padded to this: the depth of a bf16 product.
const PADDED: usize = 16;
/// Most chains of a block.
const MOST: usize = 64;
/// Multiprocessors' worth of blocks that a launch should have before its tiles grow.
const WAVES: usize = 2;

impl Job {
    /// The kernel for `chains` chains of `program`; `None` where the program is not one fully connected perceptron with
    /// any number of quadratic terms, limits and constants, or its tile does not fit the device's shared memory.
    ///
    /// # Errors
    /// [`Error::Config`] when `threads` is not a positive multiple of 32.
    pub fn new(program: &Program, chains: usize, mode: Mode, threads: usize, device: Device) -> Result<Option<Self>> {
        if threads == 0 || !threads.is_multiple_of(32) {
            return Err(Error::config("threads of a block", threads, "a positive multiple of 32"));
        }
        let networks = program.terms().iter().filter(|t| matches!(t, Term::Network { .. })).count();
        let foreign = program.terms().iter().any(|t| match t {
            Term::Network { network, .. } => !network.layers().fully_connected(),
            other => matches!(other, Term::Custom { .. }),
        });
        if networks != 1 || foreign || chains == 0 {
            return Ok(None);
        }
        let mut job = Self {
            defines: String::new(),
            terms: String::new(),
            mode,
            tile: 0,
            threads,
            blocks: 0,
            shared_bytes: 0,
            chains,
            inputs: program.width(),
            weights: Vec::new(),
            biases: Vec::new(),
            head: Vec::new(),
            head_bias: 0.0,
            factor: 1.0,
            first: Vec::new(),
            constants: Vec::new(),
            rows: Vec::new(),
        };
        let mut widths = Vec::new();
        let mut activation = Nonlinearity::Swish;
        for term in program.terms() {
            if let Term::Network { network, first, factor } = term {
                activation = network.layers().activation;
                job.factor = *factor;
                widths = job.put_network(network.layers(), first);
            }
        }
        if !job.lay_out(&widths, device) {
            return Ok(None);
        }
        let weights_shared = job.shared_bytes > tile_bytes(&widths, job.tile);
        job.terms = job.write_terms(program);
        job.defines = defines(&job, &widths, activation, weights_shared);
        Ok(Some(job))
    }

    /// A network's numbers and each chain's part of its first layer; returns the padded widths of input and hidden
    /// layers.
    fn put_network(&mut self, layers: &Layers, first: &Rows) -> Vec<usize> {
        let mut all = layers.widths();
        all.pop();
        let widths: Vec<usize> = all.iter().map(|w| w.next_multiple_of(PADDED)).collect();
        self.head_bias = layers.head_bias;
        for (l, layer) in layers.hidden.iter().enumerate() {
            let stride = widths[l] + PAD;
            let start = self.weights.len();
            self.weights.resize(start + widths[l + 1] * stride, 0.0);
            for (o, row) in layer.weight.chunks_exact(layer.inputs).enumerate() {
                self.weights[start + o * stride..][..layer.inputs].copy_from_slice(row);
            }
            let bias = if l == 0 { first.row(0) } else { &layer.bias };
            self.biases.extend(bias);
            self.biases.extend(std::iter::repeat_n(0.0, widths[l + 1] - bias.len()));
        }
        self.head = layers.head.clone();
        self.head.resize(widths[widths.len() - 1], 0.0);
        if first.count() > 1 {
            for chain in 0..self.chains {
                self.first.extend(first.row(chain));
                self.first.extend(std::iter::repeat_n(0.0, widths[1] - first.width));
            }
        }
        widths
    }

    /// The whole text, for NVRTC or nvcc. `device` is what stands for the device's own instructions:
    /// [`Job::DEVICE`], or a test's.
    pub fn text(&self, device: &str) -> String {
        [&self.defines, device, include_str!("../../gpu/philox.cuh"), &self.terms, include_str!("chain.cu")].join("\n")
    }

    /// The device's own instructions.
    pub const DEVICE: &'static str = include_str!("../../gpu/device.cuh");

    /// Tile, blocks and shared memory; false where nothing fits.
    fn lay_out(&mut self, widths: &[usize], device: Device) -> bool {
        let weights = self.weights.len() * if self.mode == Mode::Bf16 { 2 } else { 4 };
        let fits = |tile: usize| tile_bytes(widths, tile) <= device.shared_bytes;
        if !fits(16) {
            return false;
        }
        self.tile = 16;
        while self.tile < MOST
            && fits(2 * self.tile)
            && self.chains.div_ceil(2 * self.tile) >= WAVES * device.multiprocessors
        {
            self.tile *= 2;
        }
        // Weights beside a smaller tile are better than a larger tile without them: they are read twice a step.
        while self.tile > 16 && tile_bytes(widths, self.tile) + weights > device.shared_bytes {
            if tile_bytes(widths, 16) + weights > device.shared_bytes {
                break;
            }
            self.tile /= 2;
        }
        self.blocks = self.chains.div_ceil(self.tile);
        self.shared_bytes = tile_bytes(widths, self.tile);
        if self.shared_bytes + weights <= device.shared_bytes {
            self.shared_bytes += weights;
        }
        true
    }

    /// The analytic terms as code, their numbers into `constants` and `rows`.
    fn write_terms(&mut self, program: &Program) -> String {
        let width: usize = program
            .terms()
            .iter()
            .map(|term| match term {
                Term::Quadratic { centre, .. } if centre.count() > 1 => centre.width,
                Term::Constant(rows) if rows.count() > 1 => 1,
                _ => 0,
            })
            .sum();
        self.rows = vec![0.0; width * self.chains];
        let (mut energy, mut constant, mut column) = (String::new(), String::new(), 0);
        for term in program.terms() {
            let at = self.constants.len();
            // Writing to a string cannot fail.
            match term {
                Term::Quadratic { centre, weight } => {
                    let from = if centre.count() > 1 {
                        self.put(&mut column, centre.width, width, |chain| centre.row(chain));
                        format!("rows[chain * {width} + {} + i]", column - centre.width)
                    } else {
                        self.constants.extend(centre.row(0));
                        format!("constants[{at} + i]")
                    };
                    let _ = write!(
                        energy,
                        "    away = x - {from}; pull = constants[{} + i] * away;\n\
                         \x20   energy = fmaf(pull, away, energy); *g += 2.0f * pull;\n",
                        self.constants.len()
                    );
                    self.constants.extend(weight.iter());
                }
                Term::Limits { lo, hi, weight } => {
                    let n = lo.len();
                    // An infinite limit times anything finite is no violation: largest numbers stand for it.
                    self.constants.extend(lo.iter().chain(hi.iter()).map(|v| v.clamp(f32::MIN, f32::MAX)));
                    let _ = write!(
                        energy,
                        "    low = constants[{at} + i] - x; high = x - constants[{} + i];\n\
                         \x20   away = (high < 0.0f ? 0.0f : high) - (low < 0.0f ? 0.0f : low); pull = {} * away;\n\
                         \x20   energy = fmaf(pull, away, energy); *g += 2.0f * pull;\n",
                        at + n,
                        float(*weight)
                    );
                }
                Term::Constant(rows) if rows.count() > 1 => {
                    self.put(&mut column, 1, width, |chain| rows.row(chain));
                    let _ = write!(constant, " + rows[chain * {width} + {}]", column - 1);
                }
                Term::Constant(rows) => {
                    let _ = write!(constant, " + {}", float(rows.row(0)[0]));
                }
                Term::Network { .. } | Term::Custom { .. } => {}
            }
        }
        format!(
            "__device__ static inline float terms(const float* constants, const float* rows, long long chain, int i, \
                float x, float* g) {{\n\x20   float energy = 0.0f, away, pull, low, high;\n{energy}\x20   (void)away, \
                (void)pull, (void)low, (void)high;\n\x20   return energy;\n}}\n__device__ static inline float \
                chain_constant(const float* constants, const float* rows, long long chain) {{\n\x20   return \
                0.0f{constant};\n}}\n"
        )
    }

    fn put<'a>(&mut self, column: &mut usize, len: usize, width: usize, row: impl Fn(usize) -> &'a [f32]) {
        for chain in 0..self.chains {
            self.rows[chain * width + *column..][..len].copy_from_slice(&row(chain)[..len]);
        }
        *column += len;
    }
}

fn tile_bytes(widths: &[usize], tile: usize) -> usize {
    let rows: usize = widths.iter().map(|w| 2 * (w + PAD)).sum();
    4 * tile * (rows + 1)
}

fn float(value: f32) -> String {
    // Nine digits tell any f32 from its neighbours.
    format!("{value:.9e}f")
}

fn defines(job: &Job, widths: &[usize], activation: Nonlinearity, weights_shared: bool) -> String {
    let mode = match job.mode {
        Mode::F32 => 0,
        Mode::Tf32 => 1,
        Mode::Bf16 => 2,
    };
    let list = widths.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "#define MODE {mode}\n#define TILE {}\n#define THREADS {}\n#define LAYERS {}\n\
         #define WIDTHS {{{list}}}\n#define INPUTS {}\n",
        job.tile,
        job.threads,
        widths.len() - 1,
        job.inputs,
    );
    match activation {
        Nonlinearity::Swish => text.push_str("#define SWISH\n"),
        Nonlinearity::Leaky(leak) => text.push_str(&format!("#define LEAK {}\n", float(leak))),
    }
    if weights_shared {
        text.push_str("#define WEIGHTS_SHARED\n");
    }
    if !job.first.is_empty() {
        text.push_str("#define FIRST_ROWS\n");
    }
    text
}
