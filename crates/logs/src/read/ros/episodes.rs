//! What a log written by this program says about its episodes and units.

use super::gather::Gather;
use std::collections::{BTreeMap, HashMap};

/// Name of the metadata that tell episodes and units.
pub(crate) const ABOUT: &str = "ebmotion";

/// Reads the metadata `name`; those of other programs say nothing here.
pub(super) fn about(name: &str, values: &BTreeMap<String, String>, gather: &mut Gather) {
    if name != ABOUT {
        return;
    }
    let episodes = values.get("episodes").and_then(|text| serde_json::from_str::<Vec<(String, usize)>>(text).ok());
    gather.episodes.extend(episodes.unwrap_or_default());
    let units = values.get("units").and_then(|text| serde_json::from_str::<HashMap<String, String>>(text).ok());
    gather.units.extend(units.unwrap_or_default());
}
