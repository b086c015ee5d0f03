//! What another process may write into a mapped channel of records: single words, and whole records that break the rules.

use super::input::Input;
use super::shm_bytes::{HEADER, Subject};
use super::shm_file::{GONE, HEAD, PAGE, PARKED, SESSIONS, TABLE, TAIL, USED, wild};

/// Where the pages of the two sides, the data and the counts of records begin.
const SENDER: u64 = PAGE;
const RECEIVER: u64 = 2 * PAGE;
const DATA: u64 = 3 * PAGE;
const MARKS: u64 = SENDER + 2560;

impl Subject {
    /// Where the word `n` after a position lies.
    pub(super) fn data(&self, position: u64, n: u64) -> u64 {
        let mask = (self.capacity as u64).next_power_of_two() - 1;
        DATA + 8 * ((position >> 1).wrapping_add(n) & mask)
    }

    /// Writes a word.
    pub(super) fn interfere(&mut self, input: &mut Input<'_>) {
        let hot = [TAIL, HEAD, GONE, MARKS, MARKS + 8, MARKS + 16, MARKS + 24];
        let n = u64::from(input.byte());
        let at = match input.below(8) {
            0 => SENDER + 8 * ((4 * n / 3) % USED as u64),
            1 => self.words.in_table(n as usize / 16 % 2, n),
            2 => RECEIVER + 8 * ((4 * n / 3) % USED as u64),
            3 => self.data(0, n * 2),
            // What says how long a record is, what is behind it, and what was sent last.
            4 => self.data(self.words.get(HEAD), n % 4),
            5 => self.data(self.words.get(TAIL), (n % 64).wrapping_neg()),
            // Of the sessions alone.
            6 => SESSIONS[n as usize % 2] + [0, 8, 16, 24, 32, 40, PARKED][n as usize / 2 % 7],
            _ => hot[n as usize % 7],
        };
        let (old, byte) = (self.words.get(at), input.byte());
        let new = match input.below(12) {
            8 => self.words.get(hot[byte as usize % 7]),
            9 => old.wrapping_add(self.max_len() as u64).wrapping_add(byte.into()).wrapping_sub(16),
            10 => old ^ 1 << (byte % 64),
            11 => !u64::from(byte) >> 2,
            way => wild(old, byte, way, self.capacity as u64),
        };
        self.write(at, new);
    }

    pub(super) fn write(&mut self, at: u64, word: u64) {
        if word == self.words.get(at) {
            return;
        }
        self.words.set(at, word);
        self.untouched = false;
        // How often a side was taken, how many ends were told, and the table.
        let of_session = |at: u64| [0, 8, 32].contains(&at) || (TABLE..TABLE + 2048).contains(&at);
        let is_of_session = SESSIONS.iter().any(|&words| at >= words && of_session(at - words));
        if at >= DATA || [TAIL, HEAD, GONE].contains(&at) || is_of_session {
            self.model = None;
        }
        self.marked |= (MARKS..MARKS + 32).contains(&at);
    }

    /// Publishes a record as a sender might that breaks every rule.
    pub(super) fn forge(&mut self, input: &mut Input<'_>) {
        let (tail, max) = (self.words.get(TAIL), self.max_len() as u64);
        let len = match input.below(8) {
            0 => max,
            1 => max + 1,
            2 => u32::MAX.into(),
            3 => 1 << (input.byte() % 32),
            4 => max + u64::from(input.byte()),
            _ => input.below(64) as u64,
        };
        let odd = input.below(24);
        let bits = |which: usize| u64::from(odd == which) << (odd % 16);
        let words = match input.below(8) {
            0 => input.below(4) as u64,
            1 => self.capacity as u64,
            2 => self.capacity as u64 + 1,
            3 => HEADER as u64 + len.div_ceil(8) - 1,
            _ => HEADER as u64 + len.div_ceil(8),
        };
        self.write(self.data(tail, 0), (len | bits(1) << 48 | bits(2) << 32).to_le());
        self.write(self.data(tail, 1), (7 | bits(3) << 32 | bits(4)).to_le());
        self.write(self.data(tail, 2), u64::from(input.byte()).to_le());
        self.write(TAIL, tail.wrapping_add(2 * words));
    }
}
