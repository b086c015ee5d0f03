//! Random operations on one thread, held against a list of all that was sent and one queue for each receiver.

use ringmail::TryRecvError;
use ringmail::broadcast::lossy::{Builder, Receiver, Resume, Seen};
use std::collections::VecDeque;

/// A generator of numbers with a seed (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A receiver, and what it has not seen yet.
struct Beside {
    rx: Receiver<[u64; 3]>,
    queue: VecDeque<u64>,
    resume: Resume,
    received: u64,
    lost: u64,
    skipped: u64,
    /// Position at which it began.
    from: u64,
}

const RESUMES: [Resume; 3] = [Resume::Oldest, Resume::Middle, Resume::Newest];

fn message(number: u64) -> [u64; 3] {
    [number, !number, number.wrapping_mul(0x9E37_79B9_7F4A_7C15)]
}

impl Beside {
    fn new(rx: Receiver<[u64; 3]>, resume: Resume, queue: VecDeque<u64>) -> Self {
        let from = rx.position();
        Self { rx, queue, resume, received: 0, lost: 0, skipped: 0, from }
    }

    fn receive(&mut self, capacity: usize, ended: bool) {
        let said = self.rx.try_recv();
        let kept = match self.resume {
            Resume::Oldest => capacity,
            Resume::Middle => capacity / 2,
            Resume::Newest => 1,
        };
        if self.queue.len() > capacity {
            let lost = self.queue.len() - kept;
            assert_eq!(said, Ok(Seen::Lost(lost as u64)));
            drop(self.queue.drain(..lost));
            self.lost += lost as u64;
        } else if let Some(number) = self.queue.pop_front() {
            assert_eq!(said, Ok(Seen::Message(message(number))));
            self.received += 1;
        } else {
            assert_eq!(said, Err(if ended { TryRecvError::Disconnected } else { TryRecvError::Empty }));
        }
    }

    fn change(&mut self) {
        let said = self.rx.try_changed();
        match self.queue.pop_back() {
            Some(number) => {
                assert_eq!(said, Ok((number, message(number))));
                self.skipped += self.queue.len() as u64;
                self.received += 1;
                self.queue.clear();
            }
            None => assert!(said.is_err()),
        }
    }

    fn check(&self, sent: u64) {
        let rx = &self.rx;
        assert_eq!(rx.lag(), self.queue.len() as u64);
        assert_eq!(rx.position() + rx.lag(), sent);
        assert_eq!(rx.position(), self.from + self.received + self.lost + self.skipped);
        assert_eq!(rx.is_empty(), self.queue.is_empty());
        assert_eq!(rx.latest(), sent.checked_sub(1).map(|number| (number, message(number))));
    }
}

#[test]
fn it_agrees_with_a_queue_for_each_receiver() {
    for seed in 0..200 {
        let random = &mut Random(seed * 77 + 1);
        let resume = RESUMES[random.below(3) as usize];
        let (mut tx, rx) = Builder::new(1 << random.below(6)).resume(resume).build().unwrap();
        let capacity = tx.capacity();
        let mut all = vec![Beside::new(rx, resume, VecDeque::new())];
        let mut sent = 0;
        for _ in 0..1000 {
            let i = random.below(all.len() as u64) as usize;
            match random.below(16) {
                0 if all.len() < 8 => {
                    let one = &all[i];
                    let fresh = Beside::new(one.rx.clone(), one.resume, one.queue.clone());
                    all.push(fresh);
                }
                1 if all.len() < 8 => all.push(Beside::new(tx.subscribe(), resume, VecDeque::new())),
                2 if all.len() > 1 => drop(all.swap_remove(i)),
                3 => {
                    all[i].resume = RESUMES[random.below(3) as usize];
                    let resume = all[i].resume;
                    all[i].rx.set_resume(resume);
                }
                4 => all[i].change(),
                5 => {
                    let n = random.below(80);
                    let messages: Vec<_> = (sent..sent + n).map(message).collect();
                    tx.send_slice(&messages);
                    all.iter_mut().for_each(|one| one.queue.extend(sent..sent + n));
                    sent += n;
                }
                6..10 => {
                    tx.send(message(sent));
                    all.iter_mut().for_each(|one| one.queue.push_back(sent));
                    sent += 1;
                }
                _ => all[i].receive(capacity, false),
            }
            assert_eq!(tx.sent(), sent);
            all.iter().for_each(|one| one.check(sent));
        }
        drop(tx);
        for one in &mut all {
            while !one.queue.is_empty() {
                one.receive(capacity, true);
            }
            one.receive(capacity, true);
            one.check(sent);
        }
    }
}
