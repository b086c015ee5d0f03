//! A panic of the user's code, in a handler or an iterator, leaves the handles of mapped channels usable: positions move before that code runs.

use super::{broadcast, bytes, fan_in, lossy, spsc};
use crate::shm::Message;
use core::panic::{RefUnwindSafe, UnwindSafe};

impl<T: Message> UnwindSafe for spsc::Sender<T> {}
impl<T: Message> RefUnwindSafe for spsc::Sender<T> {}
impl<T: Message> UnwindSafe for spsc::Receiver<T> {}
impl<T: Message> RefUnwindSafe for spsc::Receiver<T> {}
impl<T: Message> UnwindSafe for fan_in::Receiver<T> {}
impl<T: Message> RefUnwindSafe for fan_in::Receiver<T> {}
impl<T: Message> UnwindSafe for broadcast::Sender<T> {}
impl<T: Message> RefUnwindSafe for broadcast::Sender<T> {}
impl<T: Message + Copy> UnwindSafe for lossy::Sender<T> {}
impl<T: Message + Copy> RefUnwindSafe for lossy::Sender<T> {}
impl<T: Message + Copy> UnwindSafe for lossy::Receiver<T> {}
impl<T: Message + Copy> RefUnwindSafe for lossy::Receiver<T> {}
impl UnwindSafe for bytes::Sender {}
impl RefUnwindSafe for bytes::Sender {}
impl UnwindSafe for bytes::Receiver {}
impl RefUnwindSafe for bytes::Receiver {}
impl UnwindSafe for bytes::fan_in::Receiver {}
impl RefUnwindSafe for bytes::fan_in::Receiver {}

#[cfg(test)]
mod assertions {
    use super::*;
    use static_assertions::assert_impl_all;

    assert_impl_all!(fan_in::Sender<u64>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(bytes::fan_in::Sender: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(crate::shm::Anonymous: UnwindSafe, RefUnwindSafe);
}
