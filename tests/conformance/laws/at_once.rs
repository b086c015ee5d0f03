//! What becomes of messages whose receiver has gone.

use super::channel;
use crate::support::Ledger;

#[test]
fn what_was_not_received_is_dropped_with_the_receiver() {
    let ledger = Ledger::default();
    let (mut tx, mut rx) = channel(5).unwrap();
    (0..5).for_each(|_| tx.send(ledger.value()).ok().unwrap());
    drop((rx.recv(), rx.recv()));
    assert_eq!(ledger.drops(), [1, 1, 0, 0, 0]);
    drop(rx);
    assert_eq!(ledger.drops(), [1; 5], "at once, with the sender alive");
    drop(tx);
    ledger.settle();
}
