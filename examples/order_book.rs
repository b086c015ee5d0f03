//! An order book fed by many gateways, with a drop copy: a fourth party that gets all that the engine does, in order.
//!
//! ```text
//! cargo run --release --example order_book
//! ```
//!
//! The engine is one thread, so the order in which it takes orders is *the* order; the drop copy's record of it, replayed serially, must
//! give the same trades and the same book. What was bought must have been sold, and each gateway must have been told of its fills.

use ringmail::mesh::{Builder, Endpoint, Peers, RecvError, Role};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::thread;
use std::time::Duration;

const GATEWAYS: usize = 4;
const ENGINE: usize = GATEWAYS;
const DROP_COPY: usize = GATEWAYS + 1;
const ORDERS: u64 = 20_000;
type Failed = Box<dyn Error + Send + Sync>;

/// A gateway, and the number that it gave the order.
type OrderId = (usize, u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Order {
    id: OrderId,
    buys: bool,
    price: u64,
    quantity: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Trade {
    taker: OrderId,
    maker: OrderId,
    price: u64,
    quantity: u64,
}

enum Message {
    /// From a gateway to the engine, and on to the drop copy.
    Order(Order),
    /// From the engine to the drop copy, after the order that made it, and to both gateways.
    Trade(Trade),
}

/// Resting orders by price; the oldest of a price is the first.
#[derive(Default, PartialEq, Debug)]
struct Book {
    bids: BTreeMap<u64, VecDeque<Order>>,
    asks: BTreeMap<u64, VecDeque<Order>>,
}

impl Book {
    /// Trades with the best price, and of a price with the oldest, as long as the limit allows. What is left rests.
    fn enter(&mut self, mut order: Order, trades: &mut Vec<Trade>) {
        while order.quantity != 0 {
            let best = if order.buys { self.asks.first_entry() } else { self.bids.last_entry() };
            let Some(mut level) = best else { break };
            let price = *level.key();
            let crosses = if order.buys { price <= order.price } else { price >= order.price };
            if !crosses {
                break;
            }
            let maker = level.get_mut().front_mut().expect("a level without orders is removed");
            let quantity = order.quantity.min(maker.quantity);
            order.quantity -= quantity;
            maker.quantity -= quantity;
            trades.push(Trade { taker: order.id, maker: maker.id, price, quantity });
            if maker.quantity == 0 {
                level.get_mut().pop_front();
            }
            if level.get().is_empty() {
                level.remove();
            }
        }
        if order.quantity != 0 {
            let side = if order.buys { &mut self.bids } else { &mut self.asks };
            side.entry(order.price).or_default().push_back(order);
        }
    }

    fn resting(&self) -> u64 {
        self.bids.values().chain(self.asks.values()).flatten().map(|order| order.quantity).sum()
    }
}

/// What a gateway's clients want: prices about 1000 that look random, and are the same at every run.
fn orders(gateway: usize) -> impl Iterator<Item = Order> {
    (0..ORDERS).map(move |n| {
        let random = (n * GATEWAYS as u64 + gateway as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        Order { id: (gateway, n), buys: random % 2 == 0, price: 990 + random / 2 % 20, quantity: 1 + random / 64 % 100 }
    })
}

/// Sends its orders, and returns the quantity filled of each. While there is no room it takes fills, so that the engine, which waits
/// where it sends them, always gets on.
fn gateway(me: &mut Endpoint<Message>) -> Result<BTreeMap<u64, u64>, Failed> {
    let (id, mut filled) = (me.id(), BTreeMap::new());
    let mut fill = |message| {
        if let Message::Trade(trade) = message {
            for (_, order) in [trade.taker, trade.maker].into_iter().filter(|&(gateway, _)| gateway == id) {
                *filled.entry(order).or_default() += trade.quantity;
            }
        }
    };
    for order in orders(id) {
        me.send_or_poll_to(ENGINE, Message::Order(order), |_, message| fill(message))?;
    }
    me.close();
    me.drain(Duration::from_secs(60), |_, message| fill(message))?;
    Ok(filled)
}

/// Takes orders until all gateways have closed. It may wait to send: those that it sends to never wait without receiving.
fn engine(me: &mut Endpoint<Message>) -> Result<Book, Failed> {
    let (mut book, mut trades) = (Book::default(), Vec::new());
    loop {
        let order = match me.recv() {
            Ok((_, Message::Order(order))) => order,
            Ok((from, Message::Trade(_))) => return Err(format!("gateway {from} sent a trade").into()),
            Err(RecvError(Peers::All)) => return Ok(book),
            Err(RecvError(Peers::One(gone))) => return Err(gone.into()),
        };
        let mut send = |to, message| me.send_to(to, message);
        send(DROP_COPY, Message::Order(order))?;
        book.enter(order, &mut trades);
        for trade in trades.drain(..) {
            send(DROP_COPY, Message::Trade(trade))?;
            send(trade.taker.0, Message::Trade(trade))?;
            if trade.maker.0 != trade.taker.0 {
                send(trade.maker.0, Message::Trade(trade))?;
            }
        }
    }
}

/// All orders and all trades, each in the order in which the engine had them.
fn drop_copy(me: &mut Endpoint<Message>) -> Result<(Vec<Order>, Vec<Trade>), Failed> {
    let (mut orders, mut trades) = (Vec::new(), Vec::new());
    loop {
        match me.recv() {
            Ok((_, Message::Order(order))) => orders.push(order),
            Ok((_, Message::Trade(trade))) => trades.push(trade),
            Err(RecvError(Peers::All)) => return Ok((orders, trades)),
            Err(RecvError(Peers::One(gone))) => return Err(gone.into()),
        }
    }
}

fn main() -> Result<(), Failed> {
    let mut roles = vec![Role::Both; GATEWAYS + 1];
    roles.push(Role::Consumer);
    let mut seats = Builder::new().roles(roles).capacity(256).build()?.into_iter();
    let gateways: Vec<_> = seats.by_ref().take(GATEWAYS).map(|seat| thread::spawn(|| seat.run(gateway))).collect();
    let (Some(engine_seat), Some(copy_seat)) = (seats.next(), seats.next()) else {
        return Err("seats are missing".into());
    };
    let engine = thread::spawn(|| engine_seat.run(engine));
    let (entered, trades) = copy_seat.run(drop_copy)??;
    let book = engine.join().expect("the engine does not panic")??;

    let (mut replayed, mut again) = (Book::default(), Vec::new());
    entered.iter().for_each(|&order| replayed.enter(order, &mut again));
    assert_eq!(trades, again, "a serial replay makes the same trades");
    assert_eq!(book, replayed, "and the same book");
    let mut filled = BTreeMap::new();
    for trade in &trades {
        for order in [trade.taker, trade.maker] {
            *filled.entry(order).or_default() += trade.quantity;
        }
    }
    for (id, gateway) in gateways.into_iter().enumerate() {
        let told = gateway.join().expect("a gateway does not panic")??;
        let expected = filled.iter().filter(|((of, _), _)| *of == id).map(|((_, order), &quantity)| (*order, quantity));
        assert!(expected.eq(told), "gateway {id} was told of its fills");
        let sent = entered.iter().filter(|order| order.id.0 == id).copied();
        assert!(sent.eq(orders(id)), "the orders of gateway {id} are all there, in its order");
    }
    let quantity: u64 = entered.iter().map(|order| order.quantity).sum();
    let traded: u64 = trades.iter().map(|trade| trade.quantity).sum();
    assert_eq!(quantity, 2 * traded + book.resting(), "what was entered was traded, by two sides, or rests");
    let bought: u64 =
        entered.iter().filter(|order| order.buys).map(|order| filled.get(&order.id).copied().unwrap_or(0)).sum();
    assert_eq!(bought, traded, "what was bought was sold");
    println!(
        "{} orders of {GATEWAYS} gateways: {} trades, {traded} bought and sold, {} resting; a serial replay agrees",
        entered.len(),
        trades.len(),
        book.resting()
    );
    Ok(())
}
