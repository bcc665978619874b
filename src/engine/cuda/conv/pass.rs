//! Up through a network and down again, on the card.

use super::Geometry;
use super::cudnn::{Convolution, Handle};
use super::kernels::{Act, Kernels, Map, Places, Rows};
use super::pool::{Array, Pool, address};
use crate::engine::Activation;
use crate::engine::conv::{ConvLayers, Filter, Reach, Stage};
use crate::engine::cuda::Mode;
use crate::error::{Error, Result};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A network's numbers on the card, all in f32.
#[derive(Debug)]
pub struct Numbers<'a> {
    /// Weights of each filter of each stage, `(outputs, rows, columns, inputs)`: channels innermost.
    pub filters: Vec<CudaView<'a, f32>>,
    /// The head's weight, `(channels,)`.
    pub head: CudaView<'a, f32>,
    /// Modulations, `(images, modulations)` or one row ([`ConvLayers::modulations`]).
    pub rows: CudaView<'a, f32>,
    /// Each image has a row of its own.
    pub each: bool,
}

/// What one thread keeps of a card: cuDNN, the kernels, the convolutions that were planned, scratch memory.
struct Card {
    device: CudaDevice,
    handle: Handle,
    kernels: Kernels,
    plans: RefCell<HashMap<(usize, Geometry, bool), Rc<Convolution>>>,
    scratch: RefCell<Option<CudaSlice<u8>>>,
}

thread_local! {
    static CARDS: RefCell<HashMap<usize, Rc<Card>>> = RefCell::default();
}

impl Card {
    /// The card of a device, opened by this thread's first work on it.
    fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        let ordinal = device.cuda_stream().context().ordinal();
        let known = CARDS.with(|cards| cards.borrow().get(&ordinal).cloned());
        if let Some(card) = known.filter(|card| card.device.id() == device.id()) {
            return Ok(card);
        }
        let card = Rc::new(Self {
            device: device.clone(),
            handle: Handle::new(device.cuda_stream())?,
            kernels: Kernels::new(device)?,
            plans: RefCell::default(),
            scratch: RefCell::default(),
        });
        CARDS.with(|cards| cards.borrow_mut().insert(ordinal, card.clone()));
        Ok(card)
    }

    /// The convolution of so many images, and the address of the scratch memory that it needs.
    fn plan(&self, images: usize, geometry: Geometry, mode: Mode) -> Result<(Rc<Convolution>, u64)> {
        let key = (images, geometry, mode == Mode::F32);
        let known = self.plans.borrow().get(&key).cloned();
        let plan = match known {
            Some(plan) => plan,
            None => {
                let plan = Rc::new(Convolution::new(&self.handle, images, &geometry, mode)?);
                self.plans.borrow_mut().insert(key, plan.clone());
                plan
            }
        };
        let mut scratch = self.scratch.borrow_mut();
        if scratch.as_ref().is_none_or(|s| s.len() < plan.scratch()) {
            // SAFETY: scratch memory is written before it is read.
            *scratch = Some(unsafe { self.device.alloc::<u8>(plan.scratch().max(1)) }?);
        }
        let at = scratch.as_ref().map_or(0, |s| address(&self.device, s));
        Ok((plan, at))
    }
}

/// A filter between the places where it reads and writes.
#[derive(Debug, Clone, Copy)]
struct Between {
    geometry: Geometry,
    /// Where the image begins within zeros that differ between sides; `None` where cuDNN adds them.
    framed: Option<[usize; 2]>,
}

impl Between {
    fn new(filter: &Filter, from: [usize; 2]) -> Self {
        let (inputs, outputs) = (filter.inputs, filter.outputs);
        let Reach::Window { kernel, stride } = filter.reach else {
            let geometry = Geometry { inputs, outputs, kernel: from, stride: [1, 1], pad: [0, 0], from, to: [1, 1] };
            return Self { geometry, framed: None };
        };
        let to = from.map(|side| side.div_ceil(stride));
        let all = [0, 1].map(|i| ((to[i] - 1) * stride + kernel).saturating_sub(from[i]));
        // Zeros of cuDNN stand on both sides; the last outputs must need them all.
        let even = (0..2).all(|i| all[i].is_multiple_of(2) && (from[i] + all[i] - kernel) / stride + 1 == to[i]);
        let before = all.map(|zeros| zeros / 2);
        let (pad, from, framed) = match even {
            true => (before, from, None),
            false => ([0, 0], [from[0] + all[0], from[1] + all[1]], Some(before)),
        };
        let geometry = Geometry { inputs, outputs, kernel: [kernel; 2], stride: [stride; 2], pad, from, to };
        Self { geometry, framed }
    }
}

/// What a stage keeps for the way down.
#[derive(Debug)]
struct Kept {
    from: Map,
    to: Map,
    filters: Vec<Between>,
    /// First place of its modulations.
    first: usize,
    /// What came in, where it came from the stage before.
    before: Option<Rc<Array>>,
    /// What the first convolution read, where that is not what came in.
    read: Option<Array>,
    /// Within a block: sums of the first convolution, what the second one read.
    inner: Option<(Array, Option<Array>)>,
    /// The last sums as they were before the gain, where the weights are to be learned.
    sums: Option<Array>,
    /// The last sums as the activation reads them.
    z: Array,
}

/// A batch on its way: what stands between up and down.
#[derive(Debug)]
pub struct Up {
    x: u64,
    images: usize,
    learns: bool,
    stages: Vec<Kept>,
    last: Rc<Array>,
    /// Sums over pixels of the rectified channels, `(images, channels)`.
    sums: Array,
}

/// Gradients of a weighted sum of energies.
#[derive(Debug)]
pub struct Gradients {
    /// In the images, channels innermost, where they were asked for.
    pub x: Option<CudaSlice<f32>>,
    /// In each filter, laid as [`Numbers::filters`]; none unless the way up was for learning.
    pub filters: Vec<CudaSlice<f32>>,
    /// In the modulations, `(images, modulations)`; as the filters.
    pub rows: Option<CudaSlice<f32>>,
}

/// A network on a card: its shape, and memory. What it computes is a function of the weights that each call brings.
#[derive(Debug, Clone)]
pub struct Cards {
    layers: ConvLayers,
    mode: Mode,
    pool: Pool,
}

fn act(of: Activation) -> Act {
    match of {
        Activation::Swish => Act(2, 0.0),
        Activation::Leaky(leak) => Act(1, leak),
    }
}

const NONE: Act = Act(0, 0.0);

impl Cards {
    /// The network of these shapes (the weights within are not read).
    pub fn new(layers: ConvLayers, mode: Mode, pool: Pool) -> Self {
        Self { layers, mode, pool }
    }

    fn take(&self, card: &Card, map: Map) -> Result<Array> {
        self.pool.take(&card.device, map.numbers())
    }

    fn rectify(&self) -> i32 {
        self.layers.rectify.map_or(0, |of| act(of).0)
    }

    fn rows(&self, card: &Card, numbers: &Numbers<'_>) -> Rows {
        Rows(address(&card.device, &numbers.rows), self.layers.modulations() as i32, numbers.each.into())
    }

    fn check(&self, x: &CudaView<'_, f32>, numbers: &Numbers<'_>) -> Result<usize> {
        let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
        let images = x.len() / self.layers.numbers();
        if images == 0 || x.len() != images * self.layers.numbers() {
            return wrong("images", x.len(), format!("whole images of {} numbers", self.layers.numbers()));
        }
        let rows = if numbers.each { images } else { 1 } * self.layers.modulations();
        if numbers.rows.len() != rows {
            return wrong("modulations", numbers.rows.len(), format!("{rows}"));
        }
        let (mut from, mut weights) = ((self.layers.height, self.layers.width), numbers.filters.iter());
        for stage in &self.layers.stages {
            for filter in stage.filters() {
                let taps = match filter.reach {
                    Reach::Window { kernel, .. } => kernel * kernel,
                    Reach::Whole => from.0 * from.1,
                };
                let expected = filter.inputs * filter.outputs * taps;
                let found = weights.next().map_or(0, CudaView::len);
                if found != expected {
                    return wrong("weight of a convolution", found, format!("{expected}"));
                }
            }
            from = stage.size(from);
        }
        let channels = self.layers.stages.last().map_or(0, Stage::outputs);
        if numbers.head.len() != channels || weights.next().is_some() {
            return wrong("head of a network", numbers.head.len(), format!("{channels}, behind the last filter"));
        }
        Ok(images)
    }

    /// Images `x` (channels innermost) up through the network; `learns` where [`Cards::down`] is to give the gradient in the
    /// weights. `x` and the weights must stay until then.
    ///
    /// # Errors
    /// [`Error::Shape`] when numbers do not fit the network; [`Error::Tensor`] when the card or cuDNN fails.
    pub fn up(&self, device: &CudaDevice, x: &CudaView<'_, f32>, numbers: &Numbers<'_>, learns: bool) -> Result<Up> {
        let images = self.check(x, numbers)?;
        let card = Card::of(device)?;
        let rows = self.rows(&card, numbers);
        let activation = act(self.layers.activation);
        let x = address(device, x);
        let mut weights = numbers.filters.iter().map(|w| address(device, w));
        let size = [self.layers.height, self.layers.width];
        let mut from = Map { images, size, channels: self.layers.channels };
        // What the stage before has left: its output, and that with the next block's first bias.
        let (mut before, mut shifted): (Option<Rc<Array>>, Option<Array>) = (None, None);
        let (mut first, mut stages) = (0, Vec::new());
        for (i, stage) in self.layers.stages.iter().enumerate() {
            let at = before.as_ref().map_or(x, |h| h.at());
            let filters: Vec<Between> = stage.filters().into_iter().map(|f| Between::new(f, from.size)).collect();
            let channels = stage.outputs();
            let (height, width) = stage.size((from.size[0], from.size[1]));
            let to = Map { images, size: [height, width], channels };
            let widths = stage.modulations();
            let next_first = first + widths.iter().sum::<usize>();
            let next = matches!(self.layers.stages.get(i + 1), Some(Stage::Block { .. })).then_some(next_first);
            let run = |between: &Between, from: u64, weight: Option<u64>, to: u64| -> Result<()> {
                let (plan, scratch) = card.plan(images, between.geometry, self.mode)?;
                // SAFETY: `check` has compared the weights, `take` made the maps.
                unsafe { plan.forward(&card.handle, from, weight.unwrap_or_default(), to, scratch) }
            };
            let (mut read, mut inner, mut round, mut places, mut pool) = (None, None, None, Places::default(), false);
            let whole; // the map of the last sums
            let sums = match stage {
                Stage::Conv { gained, .. } => {
                    whole = to;
                    let between = &filters[0];
                    if let Some(begin) = between.framed {
                        let wide = Map { size: between.geometry.from, ..from };
                        let framed = self.take(&card, wide)?;
                        // SAFETY: maps of these sizes.
                        unsafe { card.kernels.frame(from, wide.size, begin, [framed.at(), at], false) }?;
                        read = Some(framed);
                    }
                    let sums = self.take(&card, whole)?;
                    run(between, read.as_ref().map_or(at, Array::at), weights.next(), sums.at())?;
                    places.bias = Some(first);
                    places.gain = gained.then_some(first + channels);
                    sums
                }
                Stage::Block { first: one, skip, down, .. } => {
                    whole = Map { size: from.size, ..to };
                    pool = *down;
                    let shifted = match shifted.take() {
                        Some(shifted) => shifted,
                        None => {
                            let shifted = self.take(&card, from)?;
                            // SAFETY: maps of this size; the row begins with this bias.
                            unsafe { card.kernels.shift(from, shifted.at(), at, rows, first, NONE) }?;
                            shifted
                        }
                    };
                    let within = Map { channels: one.outputs, ..whole };
                    let (u, second) = (self.take(&card, within)?, self.take(&card, within)?);
                    run(&filters[0], shifted.at(), weights.next(), u.at())?;
                    // SAFETY: as above.
                    unsafe { card.kernels.shift(within, second.at(), u.at(), rows, first + widths[0], activation) }?;
                    let sums = self.take(&card, whole)?;
                    run(&filters[1], second.at(), weights.next(), sums.at())?;
                    if skip.is_some() {
                        let way = self.take(&card, whole)?;
                        run(&filters[2], at, weights.next(), way.at())?;
                        round = Some(way);
                    }
                    places.gain = Some(first + widths[0] + widths[1]);
                    read = learns.then_some(shifted);
                    inner = Some((u, learns.then_some(second)));
                    sums
                }
            };
            let block = inner.is_some();
            places.next = next;
            let h = Rc::new(self.take(&card, to)?);
            shifted = next.map(|_| self.take(&card, to)).transpose()?;
            let apart = pool || (learns && places.gain.is_some());
            let (z, sums) = match apart {
                true => (self.take(&card, to)?, Some(sums)),
                false => (sums, None),
            };
            let (from_sums, way) = (sums.as_ref().map_or(z.at(), Array::at), round.as_ref().map(Array::at));
            let way = if block { way.unwrap_or(at) } else { 0 };
            let maps = [z.at(), h.at(), shifted.as_ref().map_or(0, Array::at), from_sums, way];
            // SAFETY: maps of these sizes; the row holds the places.
            unsafe { card.kernels.finish(to, whole.size, maps, rows, places, activation, pool) }?;
            let sums = sums.filter(|_| learns);
            stages.push(Kept { from, to, filters, first, before, read, inner, sums, z });
            if !learns && !matches!(stage, Stage::Conv { .. }) {
                stages[i].before = None;
            }
            (before, from, first) = (Some(h), to, next_first);
        }
        let Some(last) = before else { return Err(Error::Other("a network without stages".into())) };
        let sums = self.pool.take(device, images * from.channels)?;
        // SAFETY: maps of these sizes.
        unsafe { card.kernels.total(from, [sums.at(), last.at(), 0], self.rectify(), from.channels, 0) }?;
        Ok(Up { x, images, learns, stages, last, sums })
    }

    /// Down again: gradients of the sum of energies, each times its coefficient `(images,)`, in the images where `inputs`, and in
    /// the weights where the way up was for that.
    ///
    /// # Errors
    /// As [`Cards::up`], whose `numbers` these must be.
    pub fn down(
        &self,
        device: &CudaDevice,
        up: &Up,
        numbers: &Numbers<'_>,
        coefficients: &CudaView<'_, f32>,
        inputs: bool,
    ) -> Result<Gradients> {
        if coefficients.len() != up.images {
            let (found, expected) = (vec![coefficients.len()], format!("{}", up.images));
            return Err(Error::Shape { what: "coefficients of energies", found, expected });
        }
        let card = Card::of(device)?;
        let (k, rows) = (&card.kernels, self.rows(&card, numbers));
        let activation = act(self.layers.activation);
        let weights: Vec<u64> = numbers.filters.iter().map(|w| address(device, w)).collect();
        let width = self.layers.modulations();
        let of_rows = if up.learns { Some(self.pool.take(device, up.images * width)?) } else { None };
        let mut of_filters: Vec<Option<CudaSlice<f32>>> = weights.iter().map(|_| None).collect();
        let Some(last) = up.stages.last() else { return Err(Error::Other("a network without stages".into())) };
        let mut delta = self.take(&card, last.to)?;
        let (head, factors) = (address(device, &numbers.head), address(device, coefficients));
        // SAFETY: maps of these sizes, one coefficient an image, one weight a channel.
        unsafe { k.seed(last.to, [delta.at(), up.last.at(), head, factors], self.rectify()) }?;
        let total = |map: Map, one: u64, other: u64, place: usize| -> Result<()> {
            match &of_rows {
                // SAFETY: maps of this size; the row holds the place.
                Some(sums) => unsafe { k.total(map, [sums.at(), one, other], 0, width, place) },
                None => Ok(()),
            }
        };
        let mut end = weights.len();
        for (i, (stage, kept)) in self.layers.stages.iter().zip(&up.stages).enumerate().rev() {
            let begin = end - kept.filters.len();
            let (from, to) = (kept.from, kept.to);
            let at = kept.before.as_ref().map_or(up.x, |h| h.at());
            let wants = inputs || i > 0;
            let pull = |part: usize, delta: u64, to: u64, add: bool| -> Result<()> {
                let (plan, scratch) = card.plan(up.images, kept.filters[part].geometry, self.mode)?;
                // SAFETY: `up` has checked the weights; maps of the filter's sizes.
                unsafe { plan.input(&card.handle, weights[begin + part], delta, to, add, scratch) }
            };
            let mut gather = |part: usize, read: u64, delta: u64| -> Result<()> {
                if !up.learns {
                    return Ok(());
                }
                let (plan, scratch) = card.plan(up.images, kept.filters[part].geometry, self.mode)?;
                let to = self.pool.take(device, numbers.filters[begin + part].len())?;
                // SAFETY: as above.
                unsafe { plan.weight(&card.handle, read, delta, to.at(), scratch) }?;
                of_filters[begin + part] = to.keep();
                Ok(())
            };
            delta = match (stage, &kept.inner) {
                (Stage::Block { down, skip, .. }, Some((u, second))) => {
                    let widths = stage.modulations();
                    let whole = Map { size: from.size, ..to };
                    let within = Map { channels: widths[1], ..whole };
                    let gain = kept.first + widths[0] + widths[1];
                    let source = delta.at();
                    let plain = if *down { self.take(&card, whole)? } else { delta };
                    let gained = self.take(&card, whole)?;
                    let maps = [plain.at(), gained.at(), source, kept.z.at()];
                    // SAFETY: maps of these sizes; the row holds the gain. `plain` may be `source`: a thread reads its numbers
                    // before it writes them.
                    unsafe { k.unfinish(whole, to.size, maps, rows, Some(gain), activation, *down) }?;
                    let middle = self.take(&card, within)?;
                    pull(1, gained.at(), middle.at(), false)?;
                    if let (Some(second), Some(sums)) = (second, &kept.sums) {
                        total(whole, plain.at(), sums.at(), gain)?;
                        gather(1, second.at(), gained.at())?;
                        total(within, middle.at(), 0, kept.first + widths[0])?;
                    }
                    drop(gained);
                    // SAFETY: maps of this size.
                    unsafe { k.unshift(within, middle.at(), u.at(), activation) }?;
                    if let Some(read) = &kept.read {
                        gather(0, read.at(), middle.at())?;
                    }
                    match skip {
                        Some(_) => {
                            gather(2, at, plain.at())?;
                            let below = self.take(&card, from)?;
                            pull(0, middle.at(), below.at(), false)?;
                            total(from, below.at(), 0, kept.first)?;
                            if wants {
                                pull(2, plain.at(), below.at(), true)?;
                            }
                            below
                        }
                        None if up.learns => {
                            let below = self.take(&card, from)?;
                            pull(0, middle.at(), below.at(), false)?;
                            total(from, below.at(), 0, kept.first)?;
                            // SAFETY: maps of this size.
                            unsafe { k.add(from, below.at(), plain.at()) }?;
                            below
                        }
                        None => {
                            pull(0, middle.at(), plain.at(), true)?;
                            plain
                        }
                    }
                }
                (Stage::Conv { gained, .. }, _) => {
                    let gain = gained.then_some(kept.first + to.channels);
                    // With a gain, learning needs the gradient before it and behind it.
                    let apart = match up.learns && *gained {
                        true => Some(self.take(&card, to)?),
                        false => None,
                    };
                    let maps = match &apart {
                        Some(behind) => [delta.at(), behind.at(), delta.at(), kept.z.at()],
                        None => [0, delta.at(), delta.at(), kept.z.at()],
                    };
                    // SAFETY: maps of this size; the row holds the gain. In place as above.
                    unsafe { k.unfinish(to, to.size, maps, rows, gain, activation, false) }?;
                    let sums = apart.as_ref().map_or(&delta, |behind| behind);
                    if up.learns {
                        total(to, delta.at(), 0, kept.first)?;
                        if let (Some(gain), Some(sums)) = (gain, &kept.sums) {
                            total(to, delta.at(), sums.at(), gain)?;
                        }
                        gather(0, kept.read.as_ref().map_or(at, Array::at), sums.at())?;
                    }
                    match (wants, kept.filters[0].framed) {
                        (false, _) => delta,
                        (true, None) => {
                            let below = self.take(&card, from)?;
                            pull(0, sums.at(), below.at(), false)?;
                            below
                        }
                        (true, Some(begin)) => {
                            let wide = Map { size: kept.filters[0].geometry.from, ..from };
                            let (framed, below) = (self.take(&card, wide)?, self.take(&card, from)?);
                            pull(0, sums.at(), framed.at(), false)?;
                            // SAFETY: maps of these sizes.
                            unsafe { k.frame(from, wide.size, begin, [below.at(), framed.at()], true) }?;
                            below
                        }
                    }
                }
                _ => return Err(Error::Other("a block that was not kept as one".into())),
            };
            end = begin;
        }
        let filters = if up.learns { of_filters.into_iter().flatten().collect() } else { Vec::new() };
        Ok(Gradients { x: if inputs { delta.keep() } else { None }, filters, rows: of_rows.and_then(Array::keep) })
    }
}

impl Up {
    /// Sums over pixels of the rectified channels, `(images, channels)`: the energy is their product with the head, and its bias.
    pub fn sums(&self, device: &CudaDevice) -> Result<CudaSlice<f32>> {
        Ok(self.sums.copy(device)?)
    }
}
