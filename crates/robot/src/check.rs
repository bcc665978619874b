//! Is it a tree with one root, and does every mimic joint follow one that has a value?

use crate::robot::Robot;
use crate::tree::parents_first;
use ebmotion_engine::error::Result;

impl Robot {
    /// Checks what the parts alone cannot say, when all of them are known.
    ///
    /// # Errors
    /// [`crate::Error::Log`] with the line of the first link or joint at fault.
    pub(crate) fn checked(self) -> Result<Self> {
        self.check_root()?;
        self.check_circles()?;
        self.check_mimics()?;
        Ok(self)
    }

    fn check_root(&self) -> Result<()> {
        let roots: Vec<_> = self.links.iter().filter(|link| link.joint.is_none()).collect();
        match roots[..] {
            // None at all: they hang on each other, which `check_circles` tells.
            [] | [_] => Ok(()),
            [first, second, ..] => {
                let found = format!(
                    "{} links without a joint that carries them: `{}` (line {}), `{}`{}",
                    roots.len(),
                    first.name,
                    first.line,
                    second.name,
                    if roots.len() > 2 { " and more" } else { "" }
                );
                Err(self.fault(second.line, found, "one root: every other link is the child of a joint"))
            }
        }
    }

    fn check_circles(&self) -> Result<()> {
        let above = |link: usize| self.links[link].joint.map(|joint| self.joints[joint].parent);
        let Err(stuck) = parents_first(self.links.len(), above) else { return Ok(()) };
        let circle = circle(&stuck, above);
        let names: Vec<&str> = circle.iter().map(|link| self.links[*link].name.as_str()).collect();
        let line = circle.first().and_then(|link| self.links[*link].joint).map_or(1, |joint| self.joints[joint].line);
        let found = format!("links that hang on each other in a circle: {}", told(&names));
        Err(self.fault(line, found, "a tree of links with one root"))
    }

    fn check_mimics(&self) -> Result<()> {
        for joint in &self.joints {
            let Some(mimic) = joint.mimic else { continue };
            let followed = &self.joints[mimic.joint];
            if !followed.kind.has_value() {
                let found = format!(
                    "joint `{}`, which mimics the {} joint `{}`",
                    joint.name,
                    followed.kind.name(),
                    followed.name
                );
                return Err(self.fault(joint.line, found, "a joint to follow that turns or slides"));
            }
        }
        let followed = |joint: usize| self.joints[joint].mimic.map(|mimic| mimic.joint);
        let Err(stuck) = parents_first(self.joints.len(), followed) else { return Ok(()) };
        let circle = circle(&stuck, followed);
        let names: Vec<&str> = circle.iter().map(|joint| self.joints[*joint].name.as_str()).collect();
        let found = format!("joints that mimic each other in a circle: {}", told(&names));
        let line = circle.first().map_or(1, |joint| self.joints[*joint].line);
        Err(self.fault(line, found, "a joint with a value of its own at the end"))
    }
}

/// One circle among `stuck`, from its first in the file: each before the one that hangs on it.
fn circle(stuck: &[usize], above: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    // Who is stuck leads up to a circle after at most as many steps as there are.
    let Some(first) = stuck.first() else { return Vec::new() };
    let mut at = *first;
    for _ in stuck {
        at = above(at).unwrap_or(at);
    }
    let mut found = vec![at];
    while let Some(next) = above(found[found.len() - 1]).filter(|next| *next != at) {
        found.push(next);
    }
    let least = found.iter().enumerate().min_by_key(|(_, link)| **link).map_or(0, |(place, _)| place);
    found.rotate_left(least);
    found[1..].reverse();
    found
}

/// `a -> b -> a`, the middle of a long circle left out.
fn told(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" -> ");
    let more = if names.len() > SHOWN { " -> ..." } else { "" };
    format!("{shown}{more} -> `{}`", names.first().unwrap_or(&""))
}
