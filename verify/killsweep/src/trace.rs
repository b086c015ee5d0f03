//! What a child has reported, in order.

use crate::message::Event;

/// The events of one child, each with its number.
pub(crate) struct Trace {
    pub(crate) events: Vec<(Event, u64)>,
}

impl Trace {
    pub(crate) fn last(&self) -> Option<Event> {
        self.events.last().map(|event| event.0)
    }

    pub(crate) fn last_of(&self, what: Event) -> Option<u64> {
        self.events.iter().rev().find(|event| event.0 == what).map(|event| event.1)
    }

    /// Whether it certainly had its side open.
    pub(crate) fn inside(&self) -> bool {
        !matches!(self.last(), None | Some(Event::Closing | Event::Closed | Event::Finished))
    }
}
