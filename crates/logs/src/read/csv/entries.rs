//! What may become a channel: a column, an item of its lists, a quantity of a joint that cells name.

use super::cell;
use super::columns::{Columns, Role};
use super::names;
use super::time::is_value;

/// Something that may become a channel.
pub(super) struct Entry {
    pub column: usize,
    pub name: String,
    pub unit: Option<String>,
    pub place: Place,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    Cell,
    /// An item of a list, from 0.
    Item(usize),
    /// A kind of quantity of a joint, both by number.
    Joint {
        kind: usize,
        joint: usize,
    },
}

impl Entry {
    /// Of a column: one, or one for each item of its lists.
    pub fn of(columns: &Columns, column: usize) -> Vec<Self> {
        let (name, unit) = (&columns.names[column], &columns.units[column]);
        let first = columns.sample(column).find(|cell| !cell.is_empty()).unwrap_or_default();
        match cell::list(first.as_bytes()) {
            None => vec![Self { column, name: name.clone(), unit: unit.clone(), place: Place::Cell }],
            Some(items) => (0..items.count())
                .map(|k| Self { column, name: format!("{name}[{k}]"), unit: unit.clone(), place: Place::Item(k) })
                .collect(),
        }
    }
}

/// Joints that cells name: columns such as `name0` beside `position0` and `velocity0`.
pub(super) struct Joints {
    /// In the order of the first row.
    pub names: Vec<String>,
    /// What stands before the words and the word, of each kind of quantity.
    pub kinds: Vec<(String, String)>,
    roles: Vec<(usize, Role)>,
}

impl Joints {
    pub fn of(columns: &Columns, left: &[usize]) -> Option<Self> {
        let part = |i: usize| names::numbered(&columns.names[i]);
        let is_name = |i: usize| {
            part(i).is_some_and(|(_, word, _)| word.eq_ignore_ascii_case("name"))
                && columns.sample(i).all(|cell| !cell.is_empty() && !is_value(cell))
        };
        let slots: Vec<usize> = left.iter().copied().filter(|i| is_name(*i)).collect();
        let first: Vec<String> = slots.iter().filter_map(|i| columns.sample(*i).next()).map(Into::into).collect();
        if slots.is_empty() || first.len() != slots.len() {
            return None;
        }
        let mut joints = Self { names: first, kinds: Vec::new(), roles: Vec::new() };
        joints.roles.extend(slots.iter().enumerate().map(|(slot, i)| (*i, Role::Name(slot))));
        for i in left.iter().copied().filter(|i| !slots.contains(i)) {
            let Some((before, word, number)) = part(i) else { continue };
            let of_same = |j: &usize| part(*j).is_some_and(|(b, _, n)| b == before && n == number);
            let Some(slot) = slots.iter().position(of_same) else { continue };
            let kind = joints.kinds.iter().position(|(b, w)| b == before && w == word).unwrap_or_else(|| {
                joints.kinds.push((before.into(), word.into()));
                joints.kinds.len() - 1
            });
            joints.roles.push((i, Role::OfJoint { slot, kind }));
        }
        (!joints.kinds.is_empty()).then_some(joints)
    }

    pub fn role(&self, column: usize) -> Option<Role> {
        self.roles.iter().find(|(i, _)| *i == column).map(|(_, role)| role.clone())
    }

    /// Each kind of quantity of each joint.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (kind, (before, word)) in self.kinds.iter().enumerate() {
            let of_kind = |role: &Role| matches!(role, Role::OfJoint { kind: k, .. } if *k == kind);
            let Some(column) = self.roles.iter().find(|(_, role)| of_kind(role)).map(|(i, _)| *i) else { continue };
            for (joint, name) in self.names.iter().enumerate() {
                let has = |role: &Role| matches!(role, Role::OfJoint { kind: k, slot } if *k == kind && *slot == joint);
                if self.roles.iter().any(|(_, role)| has(role)) {
                    let name = names::of_joint(before, name, word);
                    entries.push(Entry { column, name, unit: None, place: Place::Joint { kind, joint } });
                }
            }
        }
        entries
    }
}
