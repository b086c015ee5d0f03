//! One sender that overwrites, one receiver that copies. (Not generic over the length: whether words of any number are a message cannot be said
//! in a bound of a constant.)

use super::{Contender, Suite, stream};
use crate::peers::{PlainStores, RingmailLossy, SequenceLock, Swapped, TokioLossy, TokioWatch};
use crate::work::lossy::{newest, received, sent};

macro_rules! suites {
    ($received:ident, $sent:ident, $newest:ident, $words:literal, $bytes:literal) => {
        /// Messages received beside a sender at full speed.
        pub(super) const $received: Suite = stream(
            concat!("lossy-recv-", $bytes),
            concat!("received beside a sender at full speed, ", $bytes, " bytes"),
            rows![
                "ringmail" => received::<RingmailLossy<false>, $words>,
                "tokio-broadcast" => received::<TokioLossy, $words>,
            ],
        );

        /// Messages sent beside a receiver that reads what it can.
        pub(super) const $sent: Suite = stream(
            concat!("lossy-send-", $bytes),
            concat!("sent beside a receiver that reads what it can, ", $bytes, " bytes"),
            rows![
                "plain-stores" => sent::<PlainStores, $words>,
                "ringmail" => sent::<RingmailLossy<false>, $words>,
                "tokio-broadcast" => sent::<TokioLossy, $words>,
            ],
        );

        /// Looks at the newest message that found one, beside a sender at full speed.
        pub(super) const $newest: Suite = stream(
            concat!("latest-", $bytes),
            concat!("newest message beside a sender at full speed, ", $bytes, " bytes"),
            rows![
                "ringmail" => newest::<RingmailLossy<true>, $words>,
                "sequence-lock" => newest::<SequenceLock, $words>,
                "arc-swap" => newest::<Swapped, $words>,
                "tokio-watch" => newest::<TokioWatch, $words>,
            ],
        );
    };
}

suites!(RECEIVED_8, SENT_8, NEWEST_8, 1, "8");
suites!(RECEIVED_64, SENT_64, NEWEST_64, 8, "64");
