//! Named trainable tensors in a fixed order.

use crate::error::{Error, Result};
use candle_core::{Device, Tensor, Var};

/// The weights of a network: an ordered list, so that optimisers and checkpoints see the same order every time.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    items: Vec<(String, Var)>,
}

impl Parameters {
    /// The tensor of a name among those that were kept, which must be there.
    ///
    /// # Errors
    /// [`Error::Data`] where it is not.
    pub fn required(name: &str, kept: Option<Tensor>) -> Result<Tensor> {
        kept.ok_or_else(|| Error::data("what was kept", format!("no tensor `{name}`"), "one of this name"))
    }

    /// The count of a name among the tensors that were kept, which must be there.
    ///
    /// # Errors
    /// [`Error::Data`] where it is not, or is not one whole number from 0 up; [`Error::Tensor`] for numbers of another
    /// type.
    pub fn required_count(name: &str, kept: Option<Tensor>) -> Result<u64> {
        let numbers = Self::required(name, kept)?.flatten_all()?.to_vec1::<i64>()?;
        match numbers[..] {
            [count] if count >= 0 => Ok(count as u64),
            _ => Err(Error::data("what was kept", format!("`{name}` of {numbers:?}"), "one count")),
        }
    }

    /// Adds a trainable tensor and returns its variable.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the variable cannot be made.
    pub fn add(&mut self, name: impl Into<String>, value: &Tensor) -> Result<Var> {
        let var = Var::from_tensor(value)?;
        self.items.push((name.into(), var.clone()));
        Ok(var)
    }

    /// Adds the variables of another list, their names behind `part` and a dot; both lists then hold the same
    /// variables.
    pub fn join(&mut self, part: &str, other: &Parameters) {
        self.items.extend(other.iter().map(|(name, var)| (format!("{part}.{name}"), var.clone())));
    }

    /// Names and variables, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.items.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// Where the tensors are; the CPU for an empty list.
    pub fn device(&self) -> Device {
        self.items.first().map_or(Device::Cpu, |(_, var)| var.device().clone())
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True where there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Number of trainable numbers.
    pub fn count(&self) -> usize {
        self.items.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Every parameter's value by its name with `prefix` before it, as a file keeps them.
    pub fn named(&self, prefix: &str) -> Vec<(String, Tensor)> {
        self.iter().map(|(name, var)| (format!("{prefix}{name}"), var.as_detached_tensor())).collect()
    }

    /// Sets every parameter to the tensor that `get` gives for its name.
    ///
    /// # Errors
    /// What `get` returns for a name it does not know; [`Error::Shape`] when a tensor has another shape.
    pub fn assign(&self, get: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (name, var) in self.iter() {
            let value = get(name)?;
            if value.dims() != var.dims() {
                return Err(Error::Shape {
                    what: "parameter",
                    found: value.dims().to_vec(),
                    expected: format!("{:?} for `{name}`", var.dims()),
                });
            }
            var.set(&value.to_dtype(var.dtype())?.to_device(var.device())?.copy()?)?;
        }
        Ok(())
    }

    /// Copies of all parameters, in order, detached: a graph that began at a weight would grow with every average.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn values(&self) -> Result<Vec<Tensor>> {
        self.items.iter().map(|(_, var)| Ok(var.copy()?.detach())).collect()
    }

    /// Sets all parameters, in order, from values on any device.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a shape differs.
    pub fn set_values(&self, values: &[Tensor]) -> Result<()> {
        for ((_, var), value) in self.items.iter().zip(values) {
            var.set(&value.to_device(var.device())?)?;
        }
        Ok(())
    }
}
