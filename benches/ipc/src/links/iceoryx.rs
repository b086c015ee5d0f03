//! iceoryx2: publish and subscribe, one of each, nothing overwritten. To block, an event goes with each message, as its documentation
//! shows it.

use std::thread::yield_now;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    BackpressureStrategy, LogLevel, Node, NodeBuilder, ServiceName, SignalHandlingMode, ipc, set_log_level,
};
use iceoryx2::service::port_factory::{event, publish_subscribe};
use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};

use super::{CAPACITY, Link, Place, Ticket};
use crate::message::Parcel;

/// A service of its own.
#[derive(Debug)]
pub struct Iceoryx2;

/// The sending end. A port holds on to its service, and that to its node.
#[derive(Debug)]
pub struct Tx<T: Parcel>(Publisher<ipc::Service, T, ()>, Option<Notifier<ipc::Service>>);

/// The receiving end.
#[derive(Debug)]
pub struct Rx<T: Parcel>(Subscriber<ipc::Service, T, ()>, Option<Listener<ipc::Service>>);

impl Iceoryx2 {
    pub(crate) fn make(name: &str) -> Ticket {
        Ticket { text: name.into(), ..Ticket::default() }
    }
}

fn node() -> Node<ipc::Service> {
    set_log_level(LogLevel::Error);
    let builder = NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled);
    builder.create().expect("iceoryx2: a node")
}

fn name(place: &Place<'_>) -> ServiceName {
    place.ticket.try_into().expect("iceoryx2: a name")
}

fn messages<T: Parcel>(
    node: &Node<ipc::Service>,
    place: &Place<'_>,
) -> publish_subscribe::PortFactory<ipc::Service, T, ()> {
    let builder = node.service_builder(&name(place)).publish_subscribe::<T>();
    let builder = builder.max_publishers(1).max_subscribers(1).subscriber_max_buffer_size(CAPACITY);
    builder.enable_safe_overflow(false).history_size(0).open_or_create().expect("iceoryx2: a service")
}

fn events(node: &Node<ipc::Service>, place: &Place<'_>) -> Option<event::PortFactory<ipc::Service>> {
    let open = || node.service_builder(&name(place)).event().open_or_create().expect("iceoryx2: an event service");
    place.blocking.then(open)
}

impl<T: Parcel> Link<T> for Iceoryx2 {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn tx(place: &Place<'_>) -> Tx<T> {
        let node = node();
        // Its wait for room when it blocks; else a refusal, seen in the number of receivers.
        let full =
            if place.blocking { BackpressureStrategy::RetryUntilDelivered } else { BackpressureStrategy::DiscardData };
        let publisher = messages(&node, place).publisher_builder().backpressure_strategy(full).create();
        let notifier = events(&node, place).map(|e| e.notifier_builder().create().expect("iceoryx2: a notifier"));
        Tx(publisher.expect("iceoryx2: a publisher"), notifier)
    }
    fn rx(place: &Place<'_>) -> Rx<T> {
        let node = node();
        let subscriber = messages(&node, place).subscriber_builder().create();
        let listener = events(&node, place).map(|e| e.listener_builder().create().expect("iceoryx2: a listener"));
        Rx(subscriber.expect("iceoryx2: a subscriber"), listener)
    }
}

impl<T: Parcel> Tx<T> {
    /// Into how many buffers it went: one, or none.
    #[inline(always)]
    fn publish(&self, value: T) -> usize {
        let sample = self.0.loan_uninit().expect("iceoryx2: a sample");
        sample.write_payload(value).send().expect("iceoryx2: sending")
    }
}

impl<T: Parcel> TrySend<T> for Tx<T> {
    #[inline(always)]
    fn try_send(&mut self, value: T) -> bool {
        self.publish(value) == 1
    }
}

impl<T: Parcel> TryRecv<T> for Rx<T> {
    #[inline(always)]
    fn try_recv(&mut self) -> Option<T> {
        self.0.receive().expect("iceoryx2: receiving").map(|sample| *sample.payload())
    }
}

impl<T: Parcel> BlockSend<T> for Tx<T> {
    #[inline(always)]
    fn send(&mut self, value: T) {
        // A subscriber joins with its first look; until then a full buffer refuses here as well.
        while self.publish(value) == 0 {
            yield_now();
        }
        self.1.as_ref().expect("a notifier").notify().expect("iceoryx2: notifying");
    }
}

impl<T: Parcel> BlockRecv<T> for Rx<T> {
    #[inline(always)]
    fn recv(&mut self) -> T {
        loop {
            if let Some(value) = self.try_recv() {
                return value;
            }
            self.1.as_ref().expect("a listener").blocking_wait(|_| Default::default()).expect("iceoryx2: waiting");
        }
    }
}
