//! Numbers of a log, whatever holds them.

use super::file::Mapped;
use std::fmt::{Debug, Formatter};
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

/// The numbers of an [`Episode`](crate::Episode): a slice of `f64`, whatever holds them.
///
/// What is read or resampled lies in memory up to 64 MB (256 MB of a Parquet table), beyond in a temporary file without
/// a name, of which only what is in use is in memory. The file is in the folder that the environment variable `TMPDIR`
/// names, else in `/var/tmp`, else where the system has its temporary files; it is gone when the last of its numbers
/// is. Clones share their numbers. Changing them copies them into memory first where they are shared.
///
/// ```
/// use ebmotion_logs::Values;
///
/// let mut values = Values::from(vec![1.0, 2.0, 3.0]);
/// let before = values.clone();
/// values[1] = 5.0;
/// assert_eq!((values.iter().sum::<f64>(), before[1]), (9.0, 2.0));
/// ```
#[derive(Clone)]
pub struct Values {
    pub(super) store: Arc<Store>,
    range: Range<usize>,
}

/// Numbers that one pass goes through before they are left to the file: 32 MB.
const PASSED: usize = 4 << 20;

/// What holds numbers.
pub(super) enum Store {
    Memory(Vec<f64>),
    File(Mapped),
}

impl Values {
    pub(super) fn of(store: Store) -> Self {
        let range = 0..store.all().len();
        Self { store: Arc::new(store), range }
    }

    /// Some of them, which are not copied.
    ///
    /// # Panics
    /// Where there are fewer, as a slice does.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        let length = self[range.clone()].len();
        let start = self.range.start + range.start;
        Self { store: self.store.clone(), range: start..start + length }
    }

    /// Rows of `width` numbers, in order. Unlike those of a slice they do not all stay in memory: what was gone through
    /// is left to the file.
    ///
    /// ```
    /// use ebmotion_logs::Values;
    ///
    /// let values = Values::from(vec![1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(values.rows(2).nth(1), Some(&[3.0, 4.0][..]));
    /// ```
    pub fn rows(&self, width: usize) -> impl Iterator<Item = &[f64]> + Clone {
        let (width, mut left) = (width.max(1), PASSED);
        self.chunks_exact(width).inspect(move |_| {
            left = left.saturating_sub(width);
            if left == 0 {
                self.release();
                left = PASSED;
            }
        })
    }

    /// Leaves what was looked at to the file.
    pub(crate) fn release(&self) {
        if let Store::File(mapped) = &*self.store {
            mapped.release();
        }
    }

    /// Leaves the first `length` of them.
    pub(crate) fn truncate(&mut self, length: usize) {
        *self = self.part(0..length);
    }

    /// Whether they lie in a file.
    pub(crate) fn in_file(&self) -> bool {
        matches!(*self.store, Store::File(_))
    }
}

impl Store {
    fn all(&self) -> &[f64] {
        match self {
            Self::Memory(values) => values,
            Self::File(mapped) => mapped.numbers(),
        }
    }
}

impl Deref for Values {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.store.all()[self.range.clone()]
    }
}

impl DerefMut for Values {
    fn deref_mut(&mut self) -> &mut [f64] {
        if Arc::strong_count(&self.store) > 1 {
            *self = self.to_vec().into();
        }
        match Arc::get_mut(&mut self.store) {
            Some(Store::Memory(values)) => &mut values[self.range.clone()],
            Some(Store::File(mapped)) => &mut mapped.numbers_mut()[self.range.clone()],
            // Whoever has the only one can change it.
            None => &mut [],
        }
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Self {
        Self::of(Store::Memory(values))
    }
}

impl FromIterator<f64> for Values {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        values.into_iter().collect::<Vec<f64>>().into()
    }
}

impl Default for Values {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl AsRef<[f64]> for Values {
    fn as_ref(&self) -> &[f64] {
        self
    }
}

impl<T: AsRef<[f64]> + ?Sized> PartialEq<T> for Values {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl<'a> IntoIterator for &'a Values {
    type Item = &'a f64;
    type IntoIter = std::slice::Iter<'a, f64>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Debug for Values {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}
