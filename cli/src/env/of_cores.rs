//! What differs from core to core: the governor, the caches.

use serde::{Deserialize, Deserializer, Serialize};

use crate::topology::list;

/// A value, and the cores under test that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OfCores {
    pub(crate) value: String,
    pub(crate) cores: Vec<usize>,
}

/// Reads also what earlier versions wrote: values of the lowest core, as texts.
pub(crate) fn now_or_before<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<OfCores>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Now(Vec<OfCores>),
        Before(Vec<String>),
    }
    Ok(match Either::deserialize(from)? {
        Either::Now(groups) => groups,
        Either::Before(values) if values.is_empty() => vec![],
        Either::Before(values) => vec![OfCores { value: values.join(", "), cores: vec![] }],
    })
}

/// Where a core does not say and another does.
pub(crate) const UNKNOWN: &str = "unknown";

/// Groups cores by what they say, in the order of `cores`. Empty if none of them says anything.
pub(crate) fn group(cores: &[usize], read: impl Fn(usize) -> Option<String>) -> Vec<OfCores> {
    let mut groups: Vec<OfCores> = Vec::new();
    let mut known = false;
    for &core in cores {
        let said = read(core);
        known |= said.is_some();
        let value = said.unwrap_or_else(|| UNKNOWN.to_owned());
        match groups.iter_mut().find(|group| group.value == value) {
            Some(group) => group.cores.push(core),
            None => groups.push(OfCores { value, cores: vec![core] }),
        }
    }
    for group in &mut groups {
        group.cores.sort_unstable();
    }
    if known { groups } else { Vec::new() }
}

/// `performance`, or `performance (0-3), powersave (4-7)`; `None` if there is nothing to say.
pub(crate) fn words(groups: &[OfCores]) -> Option<String> {
    match groups {
        [] => None,
        [all] => Some(all.value.clone()),
        _ => {
            let each = groups.iter().map(|group| format!("{} ({})", group.value, list(&group.cores)));
            let comma = if groups.iter().any(|group| group.value.contains(',')) { "; " } else { ", " };
            Some(each.collect::<Vec<_>>().join(comma))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(read: impl Fn(usize) -> Option<&'static str>) -> Option<String> {
        words(&group(&[4, 5, 0, 1, 2, 3], |core| read(core).map(str::to_owned)))
    }

    #[test]
    fn groups_are_named_in_words_where_they_differ() {
        assert_eq!(told(|_| Some("performance")).as_deref(), Some("performance"));
        assert_eq!(
            told(|core| Some(if core < 4 { "performance" } else { "powersave" })).as_deref(),
            Some("powersave (4-5), performance (0-3)")
        );
        assert_eq!(
            told(|core| (core != 2).then_some("powersave")).as_deref(),
            Some("powersave (0-1,3-5), unknown (2)")
        );
        assert_eq!(told(|_| None), None);
    }
}
