//! A process of a slice: opens its ends, does its part, prints its report in one line and ends.

use std::io::{Write, stdout};
use std::os::fd::RawFd;
use std::thread;

use ringmail::shm::spsc::{Receiver, Sender};
use ringmail_benches::pair_slice::{end_on_panic, pin};
use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::catalog::{
    BARE, BARE_FUTEX, BROADCAST, BY_REFERENCE, IN_PLACE, Kind, MAPPED, MAPPED_AT_ONCE, ONE_PROCESS, PROTECTED, SUITES,
    Suite, Waits,
};
use crate::endpoint::{Endpoint, EndpointReport, Side};
use crate::links::{
    Broadcast, CAPACITY, Iceoryx2, IpcChannel, Link, Mapped, MappedAtOnce, MappedProtected, Pipe, Place, Seqpacket,
    inherit,
};
use crate::message::{Parcel, Words};
use crate::shared_page::{self, SharedPage};
use crate::wake_latency::{receive_asleep, send_to_sleeper};
use crate::work::{
    Blocking, Racing, Spinning, Verbs, answer, ask, receive, receive_by_reference, receive_in_place, send,
    send_by_reference, send_in_place,
};

/// What a process has to do, from its command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The workload's name.
    pub suite: String,
    /// Who runs it.
    pub contender: String,
    /// Which side; none for both, each in a thread.
    pub side: Option<Side>,
    /// Messages or round trips to time; or milliseconds without a message.
    pub n: u64,
    /// A's core and B's.
    pub cores: [usize; 2],
    /// The page, inherited.
    pub page: RawFd,
    /// The links: the one from A to B, and the one back.
    pub tickets: Vec<String>,
}

/// Does what was ordered and prints the report.
///
/// # Errors
/// An order that makes no sense, or a system that refused; a failed slice ends the process.
pub fn serve(order: &str) -> Result<(), String> {
    end_on_panic();
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| format!("dying with the parent: {e}"))?;
    let order: Order = serde_json::from_str(order).map_err(|e| format!("not an order: {order}: {e}"))?;
    let suite = SUITES.iter().find(|suite| suite.name == order.suite).ok_or("no such suite")?;
    // SAFETY: the runner left the page open for this process, and it is taken only here.
    let page =
        shared_page::Mapped::new(unsafe { inherit(order.page) }).map_err(|e| format!("mapping the page: {e}"))?;
    match suite.bytes {
        8 => sized::<Words<1>>(suite, &order, &page),
        256 => sized::<Words<32>>(suite, &order, &page),
        4096 => sized::<Words<512>>(suite, &order, &page),
        other => Err(format!("no message of {other} bytes")),
    }
}

fn sized<T: Parcel>(suite: &Suite, order: &Order, page: &SharedPage) -> Result<(), String> {
    match suite.waits {
        Waits::Spinning => with::<Spinning, T>(suite, order, page),
        Waits::Racing => with::<Racing, T>(suite, order, page),
        Waits::Blocking => with::<Blocking, T>(suite, order, page),
    }
}

fn with<V: Verbs, T: Parcel>(suite: &Suite, order: &Order, page: &SharedPage) -> Result<(), String> {
    let task = Task { suite, order, page };
    match order.contender.as_str() {
        MAPPED => task.linked::<Mapped, V, T>(),
        BY_REFERENCE => task.one_way(send_by_reference::<V, T>, receive_by_reference::<V, T>),
        IN_PLACE => task.one_way(send_in_place::<V, T>, receive_in_place::<T>),
        PROTECTED => task.linked::<MappedProtected, V, T>(),
        BROADCAST => task.linked::<Broadcast, V, T>(),
        MAPPED_AT_ONCE => task.linked::<MappedAtOnce, V, T>(),
        "pipe" => task.linked::<Pipe, V, T>(),
        "seqpacket" => task.linked::<Seqpacket, V, T>(),
        "ipc-channel" => task.linked::<IpcChannel, V, T>(),
        "iceoryx2" => task.linked::<Iceoryx2, V, T>(),
        ONE_PROCESS => task.threads::<V, T>(),
        BARE => task.bare(),
        BARE_FUTEX => task.bare_futex(),
        other => Err(format!("no contender `{other}`")),
    }
}

fn say(report: &EndpointReport) -> Result<(), String> {
    let line = serde_json::to_string(report).map_err(|e| e.to_string())?;
    writeln!(stdout().lock(), "{line}").map_err(|e| format!("answering: {e}"))
}

/// A slice as one process sees it.
#[derive(Clone, Copy)]
struct Task<'a> {
    suite: &'a Suite,
    order: &'a Order,
    page: &'a SharedPage,
}

impl<'a> Task<'a> {
    fn endpoint(&self, side: Side) -> Endpoint<'a> {
        pin(self.order.cores[usize::from(side == Side::B)]);
        Endpoint { page: self.page, side, warm: self.suite.warm_up(), n: self.order.n }
    }

    fn side(&self) -> Result<Side, String> {
        self.order.side.ok_or_else(|| format!("{} needs two processes", self.order.contender))
    }

    fn place(&self, link: usize) -> Place<'a> {
        Place { ticket: &self.order.tickets[link], link, blocking: self.suite.blocks(), page: self.page }
    }

    /// A's part, with what it sends to and, on a round trip, what it receives from.
    fn a<V: Verbs, T: Parcel, X, Y>(&self, endpoint: Endpoint<'_>, mut tx: X, rx: Option<Y>) -> EndpointReport
    where
        X: TrySend<T> + BlockSend<T>,
        Y: TryRecv<T> + BlockRecv<T>,
    {
        match rx {
            None if self.suite.is_asleep() => {
                send_to_sleeper(self.suite.kind, endpoint, |sent| V::put(&mut tx, || T::make(sent)))
            }
            None => endpoint.run(send::<V, T, X>(tx)),
            Some(rx) => endpoint.run(ask::<V, T, X, Y>(tx, rx, &self.order.contender)),
        }
    }

    /// B's part.
    fn b<V: Verbs, T: Parcel, X, Y>(&self, endpoint: Endpoint<'_>, mut rx: Y, tx: Option<X>) -> EndpointReport
    where
        X: TrySend<T> + BlockSend<T>,
        Y: TryRecv<T> + BlockRecv<T>,
    {
        let (kind, who) = (self.suite.kind, &*self.order.contender);
        match tx {
            None if self.suite.is_asleep() => receive_asleep(kind, endpoint, who, || V::take::<T, Y>(&mut rx).seq()),
            None => endpoint.run(receive::<V, T, Y>(rx, who)),
            Some(tx) => endpoint.run(answer::<V, T, X, Y>(tx, rx)),
        }
    }

    /// The report of this process. Both sides open the links in the same order: some wait for the other side there.
    fn linked<L: Link<T>, V: Verbs, T: Parcel>(&self) -> Result<(), String> {
        let side = self.side()?;
        let endpoint = self.endpoint(side);
        let back = self.suite.kind == Kind::RoundTrip;
        say(&match side {
            Side::A => {
                let tx = L::tx(&self.place(0));
                self.a::<V, T, _, _>(endpoint, tx, back.then(|| L::rx(&self.place(1))))
            }
            Side::B => {
                let rx = L::rx(&self.place(0));
                self.b::<V, T, _, _>(endpoint, rx, back.then(|| L::tx(&self.place(1))))
            }
        })
    }

    /// The report of this process, over one mapped ring with verbs of its own.
    fn one_way<T: Parcel, A: FnMut(u64), B: FnMut(u64)>(
        &self,
        send: impl FnOnce(Sender<T>) -> A,
        receive: impl FnOnce(Receiver<T>, &'a str) -> B,
    ) -> Result<(), String> {
        let side = self.side()?;
        let endpoint = self.endpoint(side);
        let who = &*self.order.contender;
        say(&match side {
            Side::A => endpoint.run(send(Mapped::tx(&self.place(0)).into_inner())),
            Side::B => endpoint.run(receive(Mapped::rx(&self.place(0)).into_inner(), who)),
        })
    }

    /// Both reports, over rings on the heap.
    fn threads<V: Verbs, T: Parcel>(&self) -> Result<(), String> {
        let ring = || ringmail::spsc::channel::<T>(CAPACITY).map_err(|e| e.to_string());
        let (tx, rx) = ring()?;
        let (back_tx, back_rx) = if self.suite.kind == Kind::RoundTrip {
            let (tx, rx) = ring()?;
            (Some(tx), Some(rx))
        } else {
            (None, None)
        };
        let task = *self;
        thread::scope(|scope| {
            let other = scope.spawn(move || task.b::<V, T, _, _>(task.endpoint(Side::B), rx, back_tx));
            let report = task.a::<V, T, _, _>(task.endpoint(Side::A), tx, back_rx);
            say(&report)?;
            say(&other.join().map_err(|_| "the receiving thread panicked")?)
        })
    }

    fn bare(&self) -> Result<(), String> {
        let side = self.side()?;
        let mut done = 0;
        let report = self.endpoint(side).run(|n| {
            match side {
                Side::A => self.page.bare.ping(done, n),
                Side::B => self.page.bare.pong(done, n),
            }
            done += n;
        });
        say(&report)
    }

    fn bare_futex(&self) -> Result<(), String> {
        let side = self.side()?;
        let (send, recv) = self.page.wake.bare.verbs();
        say(&match side {
            Side::A => send_to_sleeper(self.suite.kind, self.endpoint(side), send),
            Side::B => receive_asleep(self.suite.kind, self.endpoint(side), &self.order.contender, recv),
        })
    }
}
