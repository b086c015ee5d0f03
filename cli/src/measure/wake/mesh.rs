//! A mesh of two as a subject.

use std::task::Waker;

use ringmail::mesh::{self, Endpoint, Ready, Seat};
use ringmail::wait::EventFd;

use super::executor::Executor;
use super::subject::{CAPACITY, Ends, Receives, Sends, Way, unbuilt};
use crate::measure::round_trip::StopReason;

/// Its memory is touched by the threads that take its seats.
pub(super) fn build(way: Way, fd: Option<EventFd>) -> Result<Ends, StopReason> {
    let mesh = mesh::Builder::new().shards(2).capacity(CAPACITY).wait(way.strategy()).prefault(true);
    let mut seats = mesh.build::<u32>().map_err(unbuilt)?.into_iter();
    let (Some(sending), Some(receiving)) = (seats.next(), seats.next()) else { return Err(StopReason::Gone) };
    let join = |seat: Seat<u32>| seat.join().map_err(unbuilt);
    Ok((
        Box::new(move || Ok(Box::new(join(sending)?) as _)),
        Box::new(move || {
            let endpoint = join(receiving)?;
            Ok(match (way, fd) {
                (Way::Fd, Some(fd)) => Box::new(MeshDescriptor { endpoint, waker: fd.clone().into(), fd }) as _,
                (Way::Async, _) => Box::new(MeshFuture { endpoint, executor: Executor::new() }) as _,
                _ => Box::new(endpoint) as _,
            })
        }),
    ))
}

impl Sends for Endpoint<u32> {
    #[inline]
    fn send(&mut self, message: u32) -> Result<(), StopReason> {
        self.send_to(1, message).map_err(|_| StopReason::Gone)
    }
}

impl Receives for Endpoint<u32> {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        self.recv().map(|(_, message)| message).map_err(|_| StopReason::Gone)
    }
}

/// As a reactor sleeps, with the waker of an endpoint.
struct MeshDescriptor {
    endpoint: Endpoint<u32>,
    fd: EventFd,
    waker: Waker,
}

impl Receives for MeshDescriptor {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        loop {
            match self.endpoint.try_recv() {
                Ok((_, message)) => return Ok(message),
                Err(mesh::TryRecvError::Empty) => {}
                Err(_) => return Err(StopReason::Gone),
            }
            match self.endpoint.arm(&self.waker) {
                Ok(armed) => armed.sleep(|limit| self.fd.wait(limit)).map(drop).map_err(unbuilt)?,
                Err(Ready::AllDisconnected | Ready::Disconnected) => return Err(StopReason::Gone),
                Err(_) => {}
            }
        }
    }
}

/// An endpoint whose future is polled on this thread.
struct MeshFuture {
    endpoint: Endpoint<u32>,
    executor: Executor,
}

impl Receives for MeshFuture {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        let received = self.executor.block_on(self.endpoint.recv_async());
        received.map(|(_, message)| message).map_err(|_| StopReason::Gone)
    }
}
