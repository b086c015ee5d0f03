//! In the style of crossbeam-channel: clients send orders to an engine, an operator pauses it, `select!` waits for both.
//!
//! As it is written there:
//!
//! ```ignore
//! fn engine(orders: Receiver<Order>, control: Receiver<Control>) -> Totals {
//!     let mut totals = Totals::default();
//!     loop {
//!         select! {
//!             recv(orders) -> order => match order {
//!                 Ok(order) => totals.fill(order),
//!                 Err(_) => return totals, // all clients are gone
//!             },
//!             recv(control) -> change => match change {
//!                 Ok(Control::Limit(limit)) => totals.limit = limit,
//!                 Err(_) => return totals,
//!             },
//!             default(Duration::from_millis(50)) => totals.heartbeats += 1,
//!         }
//!     }
//! }
//!
//! let (tx, orders) = bounded(64);
//! let (operator, control) = bounded(4);
//! let engine = thread::spawn(move || engine(orders, control));
//! for client in 0..4 {
//!     let tx = tx.clone();
//!     thread::spawn(move || { for n in 0..1000 { tx.send(Order { client, quantity: n }).unwrap(); } });
//! }
//! ```

use ringmail::wait::EventCount;
use ringmail::{TryRecvError, mpsc, spsc};
use std::thread;
use std::time::Duration;

#[derive(Debug)]
struct Order {
    client: usize,
    quantity: u64,
}

#[derive(Debug)]
enum Control {
    Limit(u64),
}

#[derive(Debug)]
struct Totals {
    limit: u64,
    filled: [u64; 4],
    rejected: u64,
    heartbeats: u64,
}

impl Totals {
    fn fill(&mut self, order: Order) {
        if order.quantity <= self.limit { self.filled[order.client] += order.quantity } else { self.rejected += 1 }
    }
}

fn engine(mut orders: mpsc::Receiver<Order>, mut control: spsc::Receiver<Control>, event: EventCount) -> Totals {
    let mut totals = Totals { limit: u64::MAX, filled: [0; 4], rejected: 0, heartbeats: 0 };
    loop {
        let order = orders.try_recv();
        let change = control.try_recv();
        let idle = matches!((&order, &change), (Err(TryRecvError::Empty), Err(TryRecvError::Empty)));
        match order {
            Ok(order) => totals.fill(order),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return totals, // all clients are gone
        }
        match change {
            Ok(Control::Limit(limit)) => totals.limit = limit,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return totals,
        }
        // Both channels notify one event count: a message or a close of either ends the wait.
        let ready = || !orders.is_empty() || orders.is_closed() || !control.is_empty() || control.is_closed();
        if idle && !event.wait(Some(Duration::from_millis(50)), ready) {
            totals.heartbeats += 1;
        }
    }
}

#[test]
fn an_engine_with_select() -> Result<(), ringmail::BuildError> {
    let event = EventCount::new();
    let (tx, orders) = mpsc::Builder::new(64).receiver_event(event.clone()).build()?;
    let (mut operator, control) = spsc::Builder::new(4).receiver_event(event.clone()).build()?;
    operator.send(Control::Limit(900)).unwrap();
    let engine = thread::spawn(move || engine(orders, control, event));
    thread::sleep(Duration::from_secs(1)); // nothing comes for some heartbeats
    for client in 0..4 {
        let mut tx = tx.clone(); // a handle for each thread: `send` takes `&mut self`
        thread::spawn(move || {
            for n in 0..1000 {
                tx.send(Order { client, quantity: n }).unwrap();
            }
        });
    }
    drop(tx);
    let totals = engine.join().unwrap();
    assert_eq!(totals.filled, [(0..=900).sum(); 4]);
    assert_eq!(totals.rejected, 4 * 99);
    assert!(totals.heartbeats > 0);
    drop(operator);
    Ok(())
}
