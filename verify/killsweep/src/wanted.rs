//! What is enough.

/// Texts of violations. A sweep of a library with planted faults ends at the first violation with one of them; without any, it goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a>(pub(crate) &'a [&'a str]);

impl Wanted<'_> {
    pub(crate) fn is_in(self, violation: &str) -> bool {
        self.0.iter().any(|text| violation.contains(text))
    }
}
