//! The verbs of `mpsc`'s receiver.

use super::input::Input;
use super::mpsc_model::Model;
use super::payload::Payload;
use ringmail::{RecvError, RecvTimeoutError, TryRecvError};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

impl<T: Payload> Model<T> {
    /// A message was received, or none.
    pub fn received_one<E: PartialEq + std::fmt::Debug>(
        &mut self,
        answer: Result<T, E>,
        none: impl FnOnce(TryRecvError) -> E,
    ) {
        match answer {
            Ok(value) => {
                self.looks();
                self.took(value.id());
                self.given_back();
            }
            Err(error) => assert_eq!(error, none(self.nothing())),
        }
    }

    pub fn try_recv(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = rx.try_recv();
        self.received_one(answer, |error| error);
    }

    pub fn recv_timeout(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = rx.recv_timeout(Duration::ZERO);
        self.received_one(answer, |error| {
            if error.is_empty() { RecvTimeoutError::Timeout } else { RecvTimeoutError::Disconnected }
        });
    }

    pub fn poll_recv(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match self.rx_wakes.poll(|cx| rx.poll_recv(cx)) {
            Poll::Ready(answer) => {
                if answer.is_err() {
                    // It may have closed itself after it asked to be woken.
                    self.rx_wakes.disarm();
                }
                self.received_one(answer, over);
            }
            Poll::Pending => self.receiver_waits(),
        }
    }

    pub fn recv_async(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = self.rx_wakes.poll(|cx| pin!(rx.recv_async()).poll(cx));
        match answer {
            Poll::Ready(answer) => self.received_one(answer, over),
            Poll::Pending => self.receiver_waits(),
        }
        self.rx_wakes.disarm();
    }

    pub fn receiver_waits(&mut self) {
        assert!(self.nothing().is_empty());
        self.rx_wakes.arm(self.sleeps);
        if self.sleeps {
            self.receiver_sleeps();
        }
    }

    pub fn peek(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match rx.peek().map(Payload::id) {
            Ok(id) => {
                assert!(self.looks());
                assert_eq!(Some(id), self.run().next());
                self.owed = false;
            }
            Err(error) => assert_eq!(error, self.nothing()),
        }
    }

    pub fn read_chunk(&mut self, input: &mut Input<'_>) {
        let (Some(mut rx), n) = (self.rx.take(), input.amount()) else { return };
        self.read_chunk_of(&mut rx, n, input);
        self.rx = Some(rx);
    }

    pub fn read_chunk_of(&mut self, rx: &mut ringmail::mpsc::Receiver<T>, n: usize, input: &mut Input<'_>) {
        let chunk = match rx.read_chunk(n) {
            Ok(chunk) => chunk,
            Err(error) => {
                assert!(n > 0);
                assert_eq!(error, self.nothing());
                return;
            }
        };
        if n > 0 {
            assert!(self.looks());
        }
        let len = self.run().take(n).count();
        assert_eq!((chunk.len(), chunk.is_empty()), (len, len == 0));
        assert!(chunk.iter().map(Payload::id).eq(self.run().take(len)));
        match input.below(6) {
            0 => drop(chunk),
            #[allow(clippy::forget_non_drop)] // today it has none
            1 => std::mem::forget(chunk),
            verb @ 2..=3 => {
                let k = if verb == 2 { input.amount() } else { usize::MAX };
                if verb == 2 {
                    chunk.commit(k)
                } else {
                    chunk.commit_all()
                }
                for id in self.run().take(len.min(k)).collect::<Vec<_>>() {
                    self.took(id);
                }
                self.given_back();
            }
            verb => {
                let mut taken = chunk.into_iter();
                for left in (0..=len).rev().take(1 + input.below(24)) {
                    assert_eq!(taken.len(), left);
                    let value = taken.next();
                    assert_eq!(value.is_some(), left > 0);
                    if let Some(value) = value {
                        self.took(value.id());
                    }
                    if left == 1 {
                        self.given_back();
                    }
                }
                if verb == 4 {
                    drop(taken);
                    self.given_back();
                } else {
                    std::mem::forget(taken);
                }
            }
        }
    }

    pub fn try_recv_many(&mut self, input: &mut Input<'_>) {
        let (Some(rx), limit) = (&mut self.rx, input.amount()) else { return };
        let mut buffer = Vec::new();
        match rx.try_recv_many(&mut buffer, limit) {
            Ok(n) if limit == 0 => assert_eq!((n, buffer.len()), (0, 0)),
            Ok(n) => {
                assert!(self.looks());
                assert_eq!((n, buffer.len()), (self.run().take(limit).count(), n));
                buffer.iter().for_each(|value| self.took(value.id()));
                self.given_back();
            }
            Err(error) => {
                assert!(limit > 0);
                assert_eq!(error, self.nothing());
            }
        }
    }

    pub fn drain(&mut self, input: &mut Input<'_>) {
        let (Some(rx), max) = (&mut self.rx, input.amount()) else { return };
        let mut seen = Vec::new();
        let n = rx.drain(max, |value| seen.push(value.id()));
        if max > 0 {
            self.looks();
        }
        assert_eq!((n, seen.len()), (self.run().take(max).count(), n));
        seen.into_iter().for_each(|id| self.took(id));
        self.given_back();
    }
}

fn over(error: TryRecvError) -> RecvError {
    assert!(error.is_disconnected());
    RecvError
}
