//! How a consumer comes to its seat.

use super::consumer::Consumer;
use super::memory::Member;
use super::seat::SeatRef;
use crate::error::BuildError;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::try_alloc::room;
use crate::wait::EventCount;
use alloc::vec::Vec;

/// Where a consumer begins.
pub(crate) enum Start<'a> {
    /// On a seat of its own, with the messages from now on.
    Now(Option<&'a EventCount>),
    /// On a vacant seat, where its last owner ended.
    At(SeatRef),
}

impl<T> Consumer<T> {
    /// A consumer that sees a message when the owners of all seats of `after` have committed it. `None` if the seat of [`Start::At`] is not vacant.
    /// [`Consumer::tell_join`] is to follow.
    pub(crate) fn join(member: Member<T>, start: Start<'_>, after: &[SeatRef]) -> Result<Option<Self>, BuildError> {
        let mut before: Vec<SeatRef> = room(after.len())?;
        before.extend_from_slice(after);
        let memory = member.memory();
        let head = match start {
            Start::At(vacant) => {
                let seat = memory.seat(vacant.seat);
                if !seat.try_take_vacant(vacant.generation, false) {
                    return Ok(None);
                }
                // No position to settle: the seat gates all the time. The others are to look at its event count from here on.
                before.iter().for_each(|one| memory.seat(one.seat).add_follower());
                memory.changed();
                memory.join_barrier(&seat.event);
                (seat, seat.own_head())
            }
            Start::Now(event) => {
                let (seat, new) = memory.take_seat(event.or(memory.options.event.as_ref()))?;
                let early = Position::from_word(memory.tail.0.load(order!(observe_cast)));
                seat.commit(early);
                seat.begin(!before.is_empty());
                if new {
                    memory.add_seat(seat);
                }
                before.iter().for_each(|one| memory.seat(one.seat).add_follower());
                memory.changed();
                memory.join_barrier(&seat.event);
                let now = if mutant!(SecondLook) {
                    early
                } else {
                    Position::from_word(memory.tail.0.load(order!(observe_cast)))
                };
                seat.settle(now);
                memory.changed();
                (seat, now)
            }
        };
        let (seat, head) = head;
        let seat = SeatRef::of(seat);
        Ok(Some(Self::new(member, seat, head, before)))
    }
}
