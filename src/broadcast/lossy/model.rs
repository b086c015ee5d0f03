//! For the models: a sender that is killed and comes again, and receivers that believe nothing, as those of `shm::lossy`, in memory that loom sees.

#![allow(missing_docs, unsafe_code)]

use super::{Message, Receiver, Seen, Sender};
use crate::ring::stamped::Look;

impl<T: Message> Sender<T> {
    /// Writes `whole`, begins to write `torn`, is killed before it publishes any of them, and is followed by another sender.
    pub fn is_killed(&mut self, whole: &[T], torn: T) {
        self.writer.is_killed(whole, &torn).expect("a writer left such words");
    }
}

impl<T: Message> Receiver<T> {
    pub fn recv_checked(&mut self) -> Option<Seen<T>> {
        match self.reader.take_copy() {
            // SAFETY: the words of one message, which a sender of this type wrote.
            Look::Message(copy) => Some(Seen::Message(unsafe { copy.assume_init() })),
            Look::NotYet => {
                self.reader.check_nothing().expect("an honest sender is found out");
                None
            }
            Look::Overrun(stamp) => {
                let skipped = self.reader.skip_checked(stamp, self.resume);
                Some(Seen::Lost(skipped.expect("an honest sender is found out")))
            }
        }
    }

    pub fn latest_checked(&self) -> Option<(u64, T)> {
        let (number, copy) = self.reader.newest_copy().expect("an honest sender is found out")?;
        // SAFETY: as above.
        Some((number, unsafe { copy.assume_init() }))
    }
}
