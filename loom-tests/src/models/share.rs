//! A counted reference: what each owner did with the value is seen by the one that drops it, or changes it.

use crate::check::model;
use crate::payload::Unordered;
use loom::thread;
use ringmail::model::Arc;

/// A value whose drop writes to the memory that its owners read.
struct Written(Unordered);

impl Drop for Written {
    fn drop(&mut self) {
        self.0.write();
    }
}

/// Two owners read and go; the last one drops the value.
pub fn the_last_owner_has_seen_what_the_others_did() {
    model("share::the_last_owner_has_seen_what_the_others_did", None, || {
        let Ok(one) = Arc::try_new(Written(Unordered::new())) else { panic!("memory") };
        let other = one.clone();
        let thread = thread::spawn(move || other.0.read());
        one.0.read();
        drop(one);
        thread.join().unwrap();
    });
}

/// One owner reads and goes; the other finds itself alone and writes.
pub fn an_owner_that_is_alone_has_seen_what_the_others_did() {
    model("share::an_owner_that_is_alone_has_seen_what_the_others_did", None, || {
        let Ok(mut one) = Arc::try_new(Unordered::new()) else { panic!("memory") };
        let other = one.clone();
        let thread = thread::spawn(move || other.read());
        while Arc::get_mut(&mut one).map(|value| value.write()).is_none() {
            thread::yield_now();
        }
        thread.join().unwrap();
    });
}
