//! A sender that never waits and readers at full speed: each gets whole messages in an exact sequence, or the exact number of those that it lost.

use crate::many::{block_on, task};
use crate::verbs::polling;
use ringmail::FenceMode;
use ringmail::broadcast::lossy::{Builder, Message, Receiver, Resume, Seen};
use std::thread::spawn;

/// A message whose words must agree.
type Words<const W: usize> = [u64; W];

type Reading<const W: usize> = fn(&mut Receiver<Words<W>>, &mut dyn FnMut(Seen<Words<W>>));

/// Ways to receive until the sender is gone.
fn reads<const W: usize>() -> [Reading<W>; 3]
where
    Words<W>: Message,
{
    [
        |rx, seen| polling(|| rx.try_recv().map(&mut *seen)),
        |rx, seen| {
            while let Ok(next) = rx.recv() {
                seen(next);
            }
        },
        |rx, seen| {
            let task = task();
            while let Ok(next) = block_on(&task, rx.recv_async()) {
                seen(next);
            }
        },
    ]
}

/// So many times as many messages as on a channel whose sender waits: an exchange lasts for some turns of the scheduler.
const MORE: u64 = 100;

/// Returns the number of exchanges.
pub(crate) fn readers_at_full_speed(messages: u64) -> u64 {
    let (mut exchanges, messages) = (0, MORE * messages);
    for capacity in [2, 8, 64] {
        for resume in [Resume::Oldest, Resume::Middle, Resume::Newest] {
            for barrier in [FenceMode::Auto, FenceMode::Fence] {
                // One that is copied for those that look for the newest, and one longer than a line.
                exchange::<2>(capacity, resume, barrier, messages);
                exchange::<9>(capacity, resume, barrier, messages);
                exchanges += 2;
            }
        }
    }
    exchanges
}

fn exchange<const W: usize>(capacity: usize, resume: Resume, barrier: FenceMode, messages: u64)
where
    Words<W>: Message,
{
    // Those of 9 words are too long for it.
    let copies = barrier == FenceMode::Fence;
    let builder = Builder::new(capacity).resume(resume).fence_mode(barrier).copy_newest(copies);
    let (mut tx, rx) = builder.build::<Words<W>>().expect("there is memory");
    let newest = rx.clone();
    let readers = reads::<W>().map(|read| {
        let mut rx = rx.clone();
        spawn(move || {
            let mut next = 0;
            read(&mut rx, &mut |seen| match seen {
                Seen::Message(words) => {
                    assert_eq!(words, [next; W], "torn, or another message");
                    next += 1;
                }
                Seen::Lost(count) => {
                    assert!(count > 0);
                    next += count;
                }
            });
            assert_eq!(next, messages, "received and lost add up to what was sent");
            rx
        })
    });
    let latest = spawn(move || {
        let mut last = 0;
        while !newest.is_closed() {
            if let Some((number, words)) = newest.latest() {
                assert!(words == [number; W] && number >= last, "torn, or older than before");
                last = number;
            }
        }
        newest
    });
    let sender = spawn(move || {
        for number in (0..messages).step_by(8) {
            let some: Vec<Words<W>> = (number..messages.min(number + 8)).map(|number| [number; W]).collect();
            // By turns one by one and as a slice.
            if number % 16 == 0 {
                some.iter().for_each(|words| tx.send(*words));
            } else {
                tx.send_slice(&some);
            }
        }
        drop(tx);
    });
    sender.join().expect("the sender does not panic");
    let latest = latest.join().expect("a reader does not panic");
    let readers = readers.map(|reader| reader.join().expect("a reader does not panic"));
    drop((rx, latest, readers));
}
