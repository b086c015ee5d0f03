//! A mapped channel whose header was changed before it is opened.
//!
//! Opening it, as a channel of messages or of records, and inspecting it must fail exactly where something is wrong, and say what. The
//! rules are written down here a second time.

use super::input::Input;
use super::shm_file::{HEADER, PAGE, Scratch, crc32c};
use ringmail::shm::{Kind, OpenError, TryRecvError, bytes, inspect, spsc};
use std::os::unix::fs::FileExt;

/// Changes a segment before it is opened: what is not exactly the channel asked for must be refused.
pub fn shm_header(data: &[u8]) {
    header(data, true);
}

/// The same with an oracle that expects every header to be accepted.
pub fn shm_header_credulous(data: &[u8]) {
    header(data, false);
}

/// Largest capacity.
const MOST: u64 = 1 << 30;
/// Most lanes.
const MOST_LANES: u32 = 128;
/// Most seats.
const MOST_SEATS: u32 = 64;
/// The kind whose slots begin with a stamp, the one whose receivers have seats, and the one whose workers have lanes.
const LOSSY: u32 = 5;
const BROADCAST: u32 = 6;
const FAN_OUT: u32 = 7;

/// The bytes of a header, the file's length, and this boot.
struct Found {
    bytes: [u8; HEADER],
    len: u64,
    boot: [u8; 16],
}

impl Found {
    fn u32_at(&self, at: usize) -> u32 {
        self.u64_at(at) as u32
    }

    fn u64_at(&self, at: usize) -> u64 {
        (0..8).map(|i| u64::from(self.bytes[at + i]) << (8 * i)).sum()
    }

    /// Whether it is a header at all.
    fn is_whole(&self) -> bool {
        self.bytes[..8] == *b"RINGMAIL"
            && self.bytes[8..10] == [3, 0]
            && self.len >= HEADER as u64
            && self.bytes[HEADER - 4..] == crc32c(&self.bytes[..HEADER - 4]).to_le_bytes()
    }

    /// Whether it is one of this version of the crate, this boot and this machine, of a file that is as long as it says.
    fn is_usable(&self) -> bool {
        let (capacity, size, stride) = (self.u64_at(32), self.u64_at(40), self.u64_at(48));
        let (align, lanes) = (u64::from(self.u32_at(28)), self.u32_at(152));
        let slots = || u128::from(capacity.next_power_of_two()) * u128::from(stride);
        self.is_whole()
            && self.u32_at(16) == 0
            && (self.bytes[136..152] == self.boot || self.bytes[136..152] == [0; 16])
            && u64::from(self.u32_at(24)) == PAGE
            && (8..=PAGE).contains(&align)
            && align.is_power_of_two()
            && size != 0
            && self.has_slots()
            && (1..=MOST).contains(&capacity)
            && slots() < 1 << 46
            && self.pages(lanes, slots().next_multiple_of(PAGE.into())) == self.len.into()
    }

    /// Bytes of the file: a page of header; pages of sender, receiver and `data` for each lane, or of the sender, of each seat, and `data`.
    fn pages(&self, lanes: u32, data: u128) -> u128 {
        let (page, lanes) = (u128::from(PAGE), u128::from(lanes));
        if self.u32_at(20) == BROADCAST { (2 + lanes) * page + data } else { page + lanes * (data + 2 * page) }
    }

    /// Whether a slot is as long as one for such a message, and there are as many as the kind has.
    fn has_slots(&self) -> bool {
        let (capacity, size, stride) = (self.u64_at(32), u128::from(self.u64_at(40)), u128::from(self.u64_at(48)));
        let align = self.u32_at(28);
        if self.u32_at(20) != LOSSY {
            return size.next_multiple_of(align.into()) == stride;
        }
        // A stamp before the message: in the same line if that is short, half a line before if it is long.
        let words = match 1 + size.div_ceil(8) {
            words @ ..=8 => words.next_power_of_two(),
            words @ ..=31 => words,
            words => (words + 3).next_multiple_of(8),
        };
        align == 8 && 8 * words == stride && capacity.is_power_of_two() && capacity > 1
    }

    /// Whether an observer sees a channel.
    fn can_be_seen(&self) -> bool {
        let (kind, lanes) = (self.u32_at(20), self.u32_at(152));
        let carries =
            [1, 3, LOSSY, BROADCAST, FAN_OUT].contains(&kind) || [2, 4].contains(&kind) && self.u64_at(40) == 8;
        let most = match kind {
            3 | 4 | FAN_OUT => MOST_LANES,
            BROADCAST => MOST_SEATS,
            _ => 1,
        };
        self.is_usable() && carries && (1..=most).contains(&lanes)
    }

    /// Whether that is its capacity; or at least that, where its maker did not ask for one.
    fn holds(&self, capacity: u64) -> bool {
        let found = self.u64_at(32);
        found == capacity || self.bytes[156] & 1 != 0 && found > capacity
    }

    /// Whether it is what `opener` asks for; `capacity`: in messages or words, if it asks for one.
    fn is(&self, opener: Opener, capacity: Option<u64>) -> bool {
        let mut name = [0; 64];
        name[..opener.schema().len()].copy_from_slice(opener.schema());
        self.is_usable()
            && (self.u32_at(20), self.u32_at(152)) == (opener.kind() as u32, 1)
            && self.bytes[64..128] == name
            && self.u32_at(56) >= 1
            && self.u32_at(60) <= 1
            && (self.u32_at(28), self.u64_at(40), self.u64_at(48)) == (8, 8, 8)
            && self.u64_at(32) >= opener.least()
            && capacity.is_none_or(|capacity| self.holds(capacity.max(opener.least())))
    }
}

/// As what a segment is opened.
#[derive(Clone, Copy, PartialEq)]
enum Opener {
    Messages,
    Records,
}

impl Opener {
    const ALL: [Self; 2] = [Self::Messages, Self::Records];

    fn kind(self) -> Kind {
        if self == Self::Messages { Kind::Spsc } else { Kind::Bytes }
    }

    fn schema(self) -> &'static [u8] {
        if self == Self::Messages { b"u64" } else { b"bytes" }
    }

    /// Fewest words that it has.
    fn least(self) -> u64 {
        if self == Self::Messages { 1 } else { 4 }
    }

    /// Opens one side, does what little there is to do, and leaves.
    fn visit(self, name: String, capacity: Option<u64>, sends: bool) -> Result<(), OpenError> {
        let messages = || {
            let builder = spsc::Builder::<u64>::new(name.clone());
            if let Some(capacity) = capacity { builder.capacity(capacity as usize) } else { builder }
        };
        let records = || {
            let builder = bytes::Builder::new(name.clone());
            if let Some(capacity) = capacity { builder.capacity(8 * capacity as usize) } else { builder }
        };
        // The sender before was gone when this one came, and had sent nothing.
        let nothing = TryRecvError::Empty;
        match (self, sends) {
            (Self::Messages, true) => drop(messages().open_sender()?),
            (Self::Records, true) => drop(records().open_sender()?),
            (Self::Messages, false) => assert_eq!(messages().open_receiver()?.try_recv(), Err(nothing)),
            (Self::Records, false) => {
                assert_eq!(records().open_receiver()?.try_recv_into(&mut Vec::new()), Err(nothing));
            }
        }
        Ok(())
    }
}

fn header(data: &[u8], strict: bool) {
    let mut input = Input::new(data);
    let scratch = Scratch::make();
    let made = Opener::ALL[input.below(2)];
    let capacity = 1 + input.below(40) as u64;
    made.visit(scratch.name(), Some(capacity), true).expect("a fresh segment");
    let file = scratch.file();
    let len = file.metadata().expect("its size").len();
    let mut before = [0; HEADER];
    file.read_exact_at(&mut before, 0).expect("its header");
    let mut found = Found { bytes: before, len, boot: before[136..152].try_into().expect("16 bytes") };
    assert!(found.is(made, Some(capacity)) && found.can_be_seen(), "what was made is right");
    let mends = input.below(4) != 0;
    let mut asks = [(); 2].map(|()| (input.below(3), input.below(2) != 0));
    while !input.is_over() {
        let bytes = &mut found.bytes;
        match input.below(9) {
            0 => found.len = [0, 100, PAGE, 3 * PAGE, len - 1, len + 1, len + PAGE, len][input.below(8)],
            // Whole fields, where one bit less or more matters.
            1 => {
                let field = [8, 16, 20, 24, 28, 32, 40, 48, 56, 60, 152, 156][input.below(12)];
                bytes[field] = bytes[field].wrapping_add(input.byte());
            }
            2 => {
                let field = [32, 40, 48][input.below(3)];
                let value: u64 = [0, 1, 3, 4, 8, 16, 512, 1024, 1 << 30, 1 << 31, 1 << 63, u64::MAX][input.below(12)];
                bytes[field..field + 8].copy_from_slice(&value.to_le_bytes());
            }
            // A channel of the other kind, or half of one.
            3 => {
                let other = Opener::ALL[input.below(2)];
                let halves = input.below(3);
                if halves != 0 {
                    bytes[20] = other.kind() as u8;
                }
                if halves != 1 {
                    bytes[64..128].fill(0);
                    bytes[64..64 + other.schema().len()].copy_from_slice(other.schema());
                }
            }
            4 => asks.swap(0, 1),
            _ => bytes[input.below(HEADER)] = input.byte(),
        }
    }
    if mends {
        let sum = crc32c(&found.bytes[..HEADER - 4]);
        found.bytes[HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
    }
    file.write_all_at(&found.bytes, 0).expect("the header is written");
    file.set_len(found.len).expect("the length is set");
    let judge = |result: Result<(), OpenError>, right: bool| match result {
        Ok(()) => assert!(!strict || right, "a segment that is not the one asked for was opened"),
        Err(error) => {
            assert!(strict || right, "refused");
            assert!(!right, "{error}");
            assert!(!matches!(error, OpenError::Io { .. } | OpenError::Taken { .. }), "{error}");
            assert!(!error.to_string().is_empty());
        }
    };
    for (opener, (asked, sends)) in Opener::ALL.into_iter().zip(asks) {
        let asked = [None, Some(capacity), Some(capacity + 1)][asked];
        judge(opener.visit(scratch.name(), asked, sends), found.is(opener, asked));
    }
    let seen = inspect(&scratch.name()).map(|seen| {
        assert_eq!((seen.kind as u32, seen.capacity), (found.u32_at(20), found.u64_at(32)));
        assert!(seen.depth() == 0 && seen.sent() == 0 && !seen.to_string().is_empty());
        let each = if seen.kind == Kind::Broadcast { seen.seats.len() } else { seen.lanes.len() };
        assert_eq!(each as u32, found.u32_at(152));
    });
    judge(seen, found.can_be_seen());
    let removed = bytes::Builder::new(scratch.name()).remove();
    judge(removed.map(|removed| assert!(removed, "no process has it")), found.is_whole());
}
