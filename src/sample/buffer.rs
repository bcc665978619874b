//! Replay buffer: chains that go on in the next training step instead of starting again (Du and Mordatch 2019, section
//! 3.2), each with the context it was sampled for and the sampling it has seen.

use super::column::Column;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor, WithDType};

/// A first-in, first-out store of chains: rows of `T` (f32 unless said otherwise) with a row of context each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Replay<T = f32> {
    capacity: usize,
    x: Column<T>,
    context: Option<Column<T>>,
    /// Sampling steps that each slot's chain has seen.
    age: Vec<u64>,
    /// The slot that the next fresh chain takes once the buffer is full.
    next: usize,
}

/// Chains to be sampled further. Hand it back to [`Replay::write_back`].
#[derive(Debug, Clone)]
pub(crate) struct ReplayBatch {
    /// Where the chains start, `(B, *S)`.
    pub x: Tensor,
    /// What each was and is sampled for, `(B, *C)`.
    pub context: Option<Tensor>,
    /// The slot each comes from, no slot twice; `None` for a fresh chain.
    pub slots: Vec<Option<usize>>,
    /// Sampling steps each has seen.
    pub ages: Vec<u64>,
}

impl ReplayBatch {
    /// Number of chains that come from the buffer.
    pub fn resumed(&self) -> usize {
        self.slots.iter().flatten().count()
    }
}

impl<T: WithDType> Replay<T> {
    /// An empty buffer for `capacity` chains whose rows have shape `x_shape`, each with a context of `context_shape`
    /// where there is one.
    ///
    /// # Errors
    /// [`Error::Config`] when `capacity` is 0.
    pub fn new(capacity: usize, x_shape: &[usize], context_shape: Option<&[usize]>) -> Result<Self> {
        if capacity == 0 {
            return Err(Error::config("replay capacity", 0, "1 or more"));
        }
        Ok(Self {
            capacity,
            x: Column::new(x_shape),
            context: context_shape.map(Column::new),
            age: Vec::new(),
            next: 0,
        })
    }

    /// Chains held.
    pub fn len(&self) -> usize {
        self.age.len()
    }

    /// True before the first chain is written.
    pub fn is_empty(&self) -> bool {
        self.age.is_empty()
    }

    /// Mean number of sampling steps that the chains held have seen; 0 when there are none.
    pub fn mean_age(&self) -> f64 {
        self.age.iter().map(|a| *a as f64).sum::<f64>() / self.len().max(1) as f64
    }

    /// Draws as many chains as `fresh` `(B, *S)` has rows. With probability `fresh_probability` row `b` is that of
    /// `fresh` and `context`, else a chain of the buffer with *its own* context. No chain is drawn twice; fresh rows
    /// stand in when the buffer holds too few.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Data`] when `fresh` or `context` does not have the buffer's row shape, number type
    /// or batch; [`Error::Config`] when the probability is not within 0 to 1.
    pub fn draw(
        &self,
        fresh: &Tensor,
        context: Option<&Tensor>,
        fresh_probability: f64,
        noise: &mut Noise,
    ) -> Result<ReplayBatch> {
        if !(0.0..=1.0).contains(&fresh_probability) {
            return Err(Error::config("fresh probability", fresh_probability, "0 to 1"));
        }
        let batch = fresh.dims().first().copied().unwrap_or(0);
        let mut x = self.x.rows_of(fresh, batch, "fresh chains")?;
        let mut contexts = self.contexts_of(context, batch)?;
        let uniforms = noise.uniform(batch, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
        let resumed: Vec<usize> = (0..batch).filter(|b| uniforms[*b] >= fresh_probability).take(self.len()).collect();
        let chosen = distinct(resumed.len(), self.len(), noise);
        let mut drawn_slots = vec![None; batch];
        let mut ages = vec![0; batch];
        for (b, slot) in resumed.into_iter().zip(chosen) {
            self.x.copy(slot, &mut x, b);
            if let (Some(column), Some(contexts)) = (&self.context, &mut contexts) {
                column.copy(slot, contexts, b);
            }
            drawn_slots[b] = Some(slot);
            ages[b] = self.age[slot];
        }
        let context = match (&self.context, contexts) {
            (Some(column), Some(values)) => Some(column.tensor(values, batch, fresh.device())?),
            _ => None,
        };
        Ok(ReplayBatch { x: self.x.tensor(x, batch, fresh.device())?, context, slots: drawn_slots, ages })
    }

    /// Stores the chains of `drawn`, each with its own context, after `steps` more sampling steps have brought them to
    /// `x`, `(B, *S)`. A resumed chain goes back to its slot. A fresh one takes a new slot or, in a full buffer, that
    /// of the chain that was stored first.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Data`] when `x` is not a batch of the buffer's rows as long as `drawn`.
    pub fn write_back(&mut self, drawn: &ReplayBatch, x: &Tensor, steps: u64) -> Result<()> {
        let batch = drawn.slots.len();
        let x = self.x.rows_of(x, batch, "sampled chains")?;
        let contexts = self.contexts_of(drawn.context.as_ref(), batch)?;
        if drawn.slots.iter().flatten().any(|slot| *slot >= self.len()) {
            return Err(Error::data("chains to be stored", "chains of another buffer", "chains drawn from this one"));
        }
        // Old chains first: a fresh one may then evict one of them, and never the other way round.
        let (fresh, resumed): (Vec<_>, Vec<_>) = (0..batch).partition(|b| drawn.slots[*b].is_none());
        for b in resumed.into_iter().chain(fresh) {
            let slot = drawn.slots[b].unwrap_or_else(|| self.new_slot());
            self.x.set(slot, &x, b);
            // The context too: the slot may have changed hands since it was drawn.
            if let (Some(column), Some(contexts)) = (&mut self.context, &contexts) {
                column.set(slot, contexts, b);
            }
            self.age[slot] = drawn.ages[b] + steps;
        }
        Ok(())
    }

    /// A slot at the end, or that of the oldest entry.
    fn new_slot(&mut self) -> usize {
        if self.len() < self.capacity {
            self.age.push(0);
            self.x.grow();
            if let Some(context) = &mut self.context {
                context.grow();
            }
            return self.len() - 1;
        }
        let slot = self.next;
        self.next = (slot + 1) % self.capacity;
        slot
    }

    fn contexts_of(&self, context: Option<&Tensor>, batch: usize) -> Result<Option<Vec<T>>> {
        match (&self.context, context) {
            (Some(column), Some(context)) => Ok(Some(column.rows_of(context, batch, "contexts of chains")?)),
            (None, None) => Ok(None),
            (kept, _) => {
                let word = |with: bool| if with { "with context" } else { "without context" };
                Err(Error::data("chains of a replay buffer", word(context.is_some()), word(kept.is_some())))
            }
        }
    }

    /// The whole state as named tensors; [`Replay::from_tensors`] restores it bit by bit.
    ///
    /// `x` is `(N, *S)`, `context` `(N, *C)`, `age` `(N,)` and `place` holds capacity and next slot; `x` and `context`
    /// are left out while empty.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the tensor library fails.
    pub fn to_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let place = vec![self.capacity as i64, self.next as i64];
        let mut tensors = vec![("place".to_string(), Tensor::new(place, &Device::Cpu)?)];
        if !self.is_empty() {
            let age: Vec<i64> = self.age.iter().map(|a| *a as i64).collect();
            tensors.push(("age".to_string(), Tensor::new(age, &Device::Cpu)?));
            tensors.push(("x".to_string(), self.x.tensor(self.x.values.clone(), self.len(), &Device::Cpu)?));
            if let Some(column) = &self.context {
                let values = column.values.clone();
                tensors.push(("context".to_string(), column.tensor(values, self.len(), &Device::Cpu)?));
            }
        }
        Ok(tensors)
    }

    /// A buffer for rows of these shapes with the state that [`Replay::to_tensors`] gave.
    ///
    /// # Errors
    /// [`Error::Data`] or [`Error::Shape`] when a tensor is missing or fits neither the shapes nor the others.
    pub fn from_tensors(
        tensors: &[(String, Tensor)],
        x_shape: &[usize],
        context_shape: Option<&[usize]>,
    ) -> Result<Self> {
        let missing =
            |name: &str| Error::data("the state of a replay buffer", format!("no `{name}`"), "all its tensors");
        let find = |name: &str| tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t);
        let place = find("place").ok_or_else(|| missing("place"))?.to_vec1::<i64>()?;
        let &[capacity, next] = place.as_slice() else {
            return Err(Error::data("the place of a replay buffer", format!("{} numbers", place.len()), "2"));
        };
        let mut buffer = Self::new(capacity.max(0) as usize, x_shape, context_shape)?;
        let Some(age) = find("age") else { return Ok(buffer) };
        buffer.age = age.to_vec1::<i64>()?.into_iter().map(|a| a as u64).collect();
        let held = buffer.len();
        if held > buffer.capacity || next < 0 || next as usize >= buffer.capacity {
            let found = format!("{held} chains, next slot {next}");
            return Err(Error::data("the state of a replay buffer", found, format!("at most {capacity}")));
        }
        buffer.next = next as usize;
        buffer.x.values = buffer.x.rows_of(find("x").ok_or_else(|| missing("x"))?, held, "x of a replay buffer")?;
        if let Some(column) = &mut buffer.context {
            let context = find("context").ok_or_else(|| missing("context"))?;
            column.values = column.rows_of(context, held, "context of a replay buffer")?;
        }
        Ok(buffer)
    }
}

/// `count` of `0..below`, none twice, in random order.
fn distinct(count: usize, below: usize, noise: &mut Noise) -> Vec<usize> {
    if 2 * count > below {
        let mut order = noise.permutation(below);
        order.truncate(count);
        return order;
    }
    // At most every second try hits one that is taken.
    let mut chosen = Vec::with_capacity(count);
    let mut taken = std::collections::HashSet::new();
    while chosen.len() < count {
        let tries = noise.indices(count - chosen.len(), below);
        chosen.extend(tries.into_iter().filter(|slot| taken.insert(*slot)));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fresh chains whose two numbers say who they are, with their context: `[id, 0]` and `[1000 + id]`.
    fn fresh(first: usize, count: usize) -> (Tensor, Tensor) {
        let x: Vec<f64> = (first..first + count).flat_map(|id| [id as f64, 0.0]).collect();
        let context: Vec<f64> = (first..first + count).map(|id| 1000.0 + id as f64).collect();
        let x = Tensor::from_vec(x, (count, 1, 2), &Device::Cpu).unwrap();
        (x, Tensor::from_vec(context, (count, 1), &Device::Cpu).unwrap())
    }

    fn buffer(capacity: usize) -> Replay<f64> {
        Replay::new(capacity, &[1, 2], Some(&[1])).unwrap()
    }

    /// One round of training: draw, check, pretend to sample (the second number counts rounds), write back.
    fn round(buffer: &mut Replay<f64>, first: usize, batch: usize, probability: f64, noise: &mut Noise) -> ReplayBatch {
        let (x, context) = fresh(first, batch);
        let drawn = buffer.draw(&x, Some(&context), probability, noise).unwrap();
        let mut x = drawn.x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let contexts = drawn.context.as_ref().unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        for (b, row) in x.chunks_mut(2).enumerate() {
            assert_eq!(contexts[b], 1000.0 + row[0], "a chain met another's context");
            assert_eq!(drawn.ages[b], 7 * row[1] as u64, "a chain's age is not its own");
            assert_eq!(drawn.slots[b].is_none(), row[1] == 0.0, "fresh chains are those that were never written");
            row[1] += 1.0;
        }
        let mut slots: Vec<usize> = drawn.slots.iter().flatten().copied().collect();
        slots.sort_unstable();
        assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "a slot was drawn twice");
        buffer.write_back(&drawn, &Tensor::from_vec(x, (batch, 1, 2), &Device::Cpu).unwrap(), 7).unwrap();
        drawn
    }

    #[test]
    fn every_chain_keeps_its_slot_its_context_and_its_age() {
        for (seed, capacity, batch, probability) in
            [(1, 50, 8, 0.05), (2, 5, 8, 0.3), (3, 64, 16, 1.0), (4, 20, 16, 0.0), (5, 1, 1, 0.5), (6, 100, 3, 0.5)]
        {
            let mut noise = Noise::new(seed);
            let mut buffer = buffer(capacity);
            for k in 0..100 {
                let before = buffer.clone();
                let drawn = round(&mut buffer, 1 + k * batch, batch, probability, &mut noise);
                let born = batch - drawn.resumed();
                assert_eq!(buffer.len(), (before.len() + born).min(capacity));
                let evicted: Vec<usize> =
                    (0..(before.len() + born).saturating_sub(capacity)).map(|i| (before.next + i) % capacity).collect();
                for slot in 0..before.len() {
                    let touched = drawn.slots.contains(&Some(slot)) || evicted.contains(&slot);
                    let same = before.x.values[2 * slot..][..2] == buffer.x.values[2 * slot..][..2];
                    assert_eq!(same, !touched, "round {k}, slot {slot}");
                    if drawn.slots.contains(&Some(slot)) && !evicted.contains(&slot) {
                        assert_eq!(before.x.values[2 * slot], buffer.x.values[2 * slot], "who sits there changed");
                        assert_eq!(before.x.values[2 * slot + 1] + 1.0, buffer.x.values[2 * slot + 1]);
                    }
                }
            }
        }
    }

    #[test]
    fn the_first_in_is_the_first_out() {
        let mut buffer = buffer(3);
        for id in 1..=5 {
            round(&mut buffer, id, 1, 1.0, &mut Noise::new(1));
        }
        let ids: Vec<f64> = buffer.x.values.chunks(2).map(|row| row[0]).collect();
        assert_eq!(ids, [4.0, 5.0, 3.0]);
        assert_eq!(buffer.mean_age(), 7.0);
    }

    /// Within four binomial standard errors: 2000 rounds of 10 rows; slots each with 2000 * about 9.5 / 40 visits.
    #[test]
    fn chains_are_drawn_evenly_and_fresh_ones_as_often_as_asked() {
        let mut noise = Noise::new(8);
        let mut buffer = buffer(40);
        while buffer.len() < 40 {
            round(&mut buffer, 1, 10, 1.0, &mut noise);
        }
        let (x, context) = fresh(1, 10);
        let (mut visits, mut born) = ([0.0_f64; 40], 0.0_f64);
        for _ in 0..2000 {
            let drawn = buffer.draw(&x, Some(&context), 0.05, &mut noise).unwrap();
            born += (10 - drawn.resumed()) as f64;
            drawn.slots.iter().flatten().for_each(|slot| visits[*slot] += 1.0);
        }
        assert!((born - 1000.0).abs() < 4.0 * (20_000.0 * 0.05 * 0.95_f64).sqrt(), "{born} fresh of 20000");
        let p: f64 = 9.5 / 40.0;
        for (slot, visits) in visits.iter().enumerate() {
            assert!((visits - 2000.0 * p).abs() < 4.0 * (2000.0 * p * (1.0 - p)).sqrt(), "slot {slot}: {visits}");
        }
    }

    #[test]
    fn a_restored_buffer_goes_on_as_if_nothing_had_happened() {
        let mut noise = Noise::new(4);
        let mut first = buffer(30);
        for k in 0..20 {
            let state = first.to_tensors().unwrap();
            let mut second = Replay::<f64>::from_tensors(&state, &[1, 2], Some(&[1])).unwrap();
            assert_eq!(first, second);
            let mut again = noise.clone();
            let a = round(&mut first, 1 + 7 * k, 7, 0.4, &mut noise);
            let b = round(&mut second, 1 + 7 * k, 7, 0.4, &mut again);
            assert_eq!(a.slots, b.slots);
            assert_eq!(first, second);
        }
        let state = first.to_tensors().unwrap();
        assert!(Replay::<f64>::from_tensors(&state, &[2, 1], Some(&[1])).is_err(), "another shape");
        assert!(Replay::<f32>::from_tensors(&state, &[1, 2], Some(&[1])).is_err(), "another number type");
        assert!(Replay::<f64>::from_tensors(&state[1..], &[1, 2], Some(&[1])).is_err(), "no place");
        assert!(Replay::<f64>::from_tensors(&state[..2], &[1, 2], Some(&[1])).is_err(), "no x");
    }

    #[test]
    fn a_stale_draw_writes_its_own_context() {
        let mut noise = Noise::new(2);
        let mut buffer = buffer(2);
        round(&mut buffer, 1, 2, 1.0, &mut noise);
        let (x, context) = fresh(7, 2);
        let stale = buffer.draw(&x, Some(&context), 0.0, &mut noise).unwrap();
        round(&mut buffer, 3, 2, 1.0, &mut noise); // both slots change hands
        buffer.write_back(&stale, &stale.x, 7).unwrap();
        let ids = buffer.x.values.chunks(2).map(|row| 1000.0 + row[0]).collect::<Vec<_>>();
        assert_eq!(buffer.context.unwrap().values, ids);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (x, context) = fresh(1, 4);
        let mut noise = Noise::new(1);
        assert!(Replay::<f32>::new(0, &[1], None).is_err());
        assert!(buffer(3).draw(&x, None, 0.5, &mut noise).is_err(), "no context");
        assert!(buffer(3).draw(&context, Some(&context), 0.5, &mut noise).is_err(), "another shape");
        assert!(buffer(3).draw(&x, Some(&context), 1.5, &mut noise).is_err(), "no probability");
        let narrow = Replay::<f32>::new(3, &[1, 2], Some(&[1])).unwrap();
        assert!(narrow.draw(&x, Some(&context), 0.5, &mut noise).is_err(), "another number type");
        let drawn = buffer(3).draw(&x, Some(&context), 0.5, &mut noise).unwrap();
        assert!(buffer(3).write_back(&drawn, &x.narrow(0, 0, 3).unwrap(), 1).is_err(), "too few rows");
    }
}

#[cfg(test)]
mod example {
    use crate::{noise::Noise, sample::buffer::Replay};
    use candle_core::{DType, Device, Tensor};

    #[test]
    fn an_empty_buffer_gives_fresh_chains() -> crate::Result<()> {
        let mut buffer: Replay = Replay::new(100, &[3], None)?;
        let (fresh, mut noise) = (Tensor::zeros((8, 3), DType::F32, &Device::Cpu)?, Noise::new(1));
        let drawn = buffer.draw(&fresh, None, 0.05, &mut noise)?;
        assert_eq!(drawn.resumed(), 0); // the buffer is empty: all chains are fresh
        let sampled = (&drawn.x + 1.0)?; // in a training: some steps of a sampler
        buffer.write_back(&drawn, &sampled, 20)?;
        assert_eq!((buffer.len(), buffer.mean_age()), (8, 20.0));
        assert_eq!(buffer.draw(&fresh, None, 0.0, &mut noise)?.resumed(), 8);
        Ok(())
    }
}
