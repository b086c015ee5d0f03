//! A pool: a returned buffer is whole, none is lost or handed out twice, and the owner may go first.

use crate::check::model;
use crate::payload::{Drops, Unordered};
use loom::thread;
use ringmail::pool::Pool;

/// Two threads bring buffers back while the owner takes: the next holder sees all that the last one did, and has the buffer alone.
///
/// The owner retries: loom does not try a load late that it could have done early, unless the thread yields.
pub fn a_buffer_comes_home_whole() {
    model("pool::a_buffer_comes_home_whole", Some(3), || {
        let mut pool = Pool::new(2, Unordered::new).unwrap();
        let threads = [0, 1].map(|_| {
            let buffer = pool.take().unwrap();
            thread::spawn(move || buffer.write())
        });
        let mut taken = vec![];
        while taken.len() < 2 {
            match pool.take() {
                Some(buffer) => {
                    buffer.write();
                    taken.push(buffer);
                }
                None => thread::yield_now(),
            }
        }
        assert!(pool.take().is_none(), "each once");
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A buffer is lent, written, returned and lent again.
pub fn a_buffer_travels_twice() {
    model("pool::a_buffer_travels_twice", Some(3), || {
        let mut pool = Pool::new(1, Unordered::new).unwrap();
        let (mut tx, mut rx) = ringmail::spsc::channel(1).unwrap();
        let receiver = thread::spawn(move || {
            for _ in 0..2 {
                rx.recv().map(|buffer: ringmail::pool::Pooled<Unordered>| buffer.write()).unwrap();
            }
        });
        for _ in 0..2 {
            let buffer = loop {
                match pool.take() {
                    Some(buffer) => break buffer,
                    None => thread::yield_now(),
                }
            };
            buffer.write();
            assert!(tx.send(buffer).is_ok());
        }
        receiver.join().unwrap();
    });
}

/// The owner goes while two buffers are returned: each value is dropped once, and no block keeps the pool's memory for ever.
pub fn the_owner_goes_while_buffers_come_home() {
    model("pool::the_owner_goes_while_buffers_come_home", None, || {
        let drops = Drops::default();
        let mut next = 0..;
        let mut pool = Pool::new(2, || drops.value(next.next().unwrap())).unwrap();
        let threads = [0, 1].map(|_| {
            let buffer = pool.take().unwrap();
            thread::spawn(move || drop(buffer))
        });
        drop(pool);
        for thread in threads {
            thread.join().unwrap();
        }
        drops.assert_each_once(2);
    });
}
