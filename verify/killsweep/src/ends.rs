//! Which ends of the swept side's sessions must be reported to the other side, and at which place.

use crate::message::Event;
use crate::scenario::Scenario;
use ringmail::shm::{Cause, Role};

/// An end, as it was reported to this side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct News {
    pub(crate) ended: Cause,
    /// How many messages it had received by then.
    pub(crate) at: u64,
    /// To a receiver: the session's number.
    pub(crate) number: Option<u64>,
    /// Of a lane: what was sent by then.
    pub(crate) sent: Option<u64>,
}

/// A session that is over.
#[derive(Debug)]
struct Session {
    /// The causes that may be reported.
    as_what: Vec<Cause>,
    /// Whether it may never have begun.
    may_not_be: bool,
    /// What was sent by its end, if that is known.
    at: Option<u64>,
}

/// All that the driver knows of the sessions of the swept side.
#[derive(Debug)]
pub(crate) struct Sessions {
    all: Vec<Session>,
}

impl Sessions {
    /// Of a child that reported these events, and was killed or not. An earlier holder was killed when it had sent `before`; the driver itself had the
    /// side once while the child was stopped, which had been inside `took` times by then.
    pub(crate) fn of(events: &[(Event, u64)], killed: bool, before: Option<u64>, took: Option<usize>) -> Self {
        let over = |as_what: &[Cause], at| Session { as_what: as_what.into(), may_not_be: false, at };
        let mut all: Vec<Session> = before.map(|before| over(&[Cause::PeerDied], Some(before))).into_iter().collect();
        let (mut opened, mut sent, mut inside) = (0, before.unwrap_or(0), false);
        // The first closes in order, the second panics.
        let how = |opened| if opened == 1 { Cause::Closed } else { Cause::GivenUp };
        let took_here = |opened: usize, all: &mut Vec<Session>| {
            if took == Some(opened) {
                all.push(over(&[Cause::Closed], None));
            }
        };
        took_here(0, &mut all);
        for (event, n) in events {
            match event {
                Event::Opened => (opened, inside) = (opened + 1, true),
                Event::Sent => sent = *n,
                Event::Closed => {
                    inside = false;
                    all.push(over(&[how(opened)], Some(sent)));
                    took_here(opened, &mut all);
                }
                Event::Removed => {
                    inside = false;
                    // Of what it was sending, some may be there.
                    all.push(over(&[Cause::Closed], None));
                }
                // No session of this file.
                Event::Apart => inside = false,
                _ => {}
            }
        }
        let last = events.last().map(|event| event.0);
        if killed && inside {
            let closing = last == Some(Event::Closing);
            let as_what = if closing { vec![Cause::PeerDied, how(opened)] } else { vec![Cause::PeerDied] };
            // A message that it had begun to send may be there.
            all.push(Session { as_what, may_not_be: false, at: None });
        } else if killed && last != Some(Event::Finished) {
            all.push(Session { as_what: vec![Cause::PeerDied], may_not_be: true, at: None });
        }
        Self { all }
    }

    /// Whether `news` is all that can be reported.
    pub(crate) fn is_all(&self, news: &[News]) -> bool {
        self.all.len() == news.len()
    }

    /// Whether `news` is what had to be reported: each end once and in order, with its right cause, place and number. `units`: what so many
    /// messages are counted as.
    pub(crate) fn check(
        &self,
        scenario: &Scenario,
        news: &[News],
        got: u64,
        units: impl Fn(u64) -> u64,
    ) -> Result<(), String> {
        let is = |session: &Session, news: &News| {
            session.as_what.contains(&news.ended)
                && (scenario.role == Role::Receiver || news.at == session.at.unwrap_or(news.at))
        };
        let least = self.all.iter().filter(|session| !session.may_not_be).count();
        let each = (least..=self.all.len()).contains(&news.len()) && self.all.iter().zip(news).all(|(s, n)| is(s, n));
        let numbered = (1..).zip(news).all(|(number, news)| {
            news.number.is_none_or(|is| is == number) && news.sent.is_none_or(|sent| sent == units(news.at))
        });
        // Behind the last end there is no message.
        let ends_last = scenario.role == Role::Receiver || news.last().is_none_or(|last| last.at == got);
        match each && numbered && ends_last {
            true => Ok(()),
            false => Err(format!("received {got}, told {news:?} of {:?}", self.all)),
        }
    }
}
