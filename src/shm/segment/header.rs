//! The first page of a segment: what it is. Written once, before another process can see the file; only ever compared, never
//! computed with.
//!
//! ```text
//!   0  magic "RINGMAIL"     8  ABI major, minor     12  length of all this     16  flags that a reader must know
//!  20  kind    24  page size    28  alignment of a slot    32  capacity    40  bytes of a message    48  bytes of a slot
//!  56  schema version    60  oldest version that the creator reads    64  schema name (64 bytes, zero-padded)
//! 128  time of creation (ns since 1970)    136  boot (16 bytes)    152  lanes    156  what its maker left open: 1 capacity, 2 lanes    160  zero
//! 252  crc32c of the 252 bytes before
//! ```
//! Numbers are little-endian.

use crate::shm::error::{Mismatch, OpenError};
use crate::shm::schema::Schema;
use crate::shm::segment::attach::Requested;
use crate::shm::segment::layout::{Kind, Layout};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

pub(crate) const LEN: usize = 256;
pub(crate) const MAGIC: &[u8; 8] = b"RINGMAIL";
/// Another major number: neither side can use the other's segments. Another minor one: both can.
const MAJOR: u16 = 3;
const MINOR: u16 = 0;
/// What a segment's maker did not ask for: a side that does takes what is at least as much.
const OPEN_CAPACITY: u32 = 1;
const OPEN_LANES: u32 = 2;

/// What a segment says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) flags: u32,
    pub(crate) kind: u32,
    pub(crate) page: u32,
    pub(crate) align: u32,
    pub(crate) capacity: u64,
    pub(crate) size: u64,
    pub(crate) stride: u64,
    pub(crate) version: u32,
    pub(crate) oldest: u32,
    pub(crate) schema: [u8; Schema::MAX_NAME],
    pub(crate) created: u64,
    pub(crate) boot: [u8; 16],
    pub(crate) lanes: u32,
    pub(crate) open: u32,
}

impl Header {
    pub(crate) fn new(layout: &Layout, schema: Schema) -> Self {
        let mut name = [0; Schema::MAX_NAME];
        name[..schema.name.len()].copy_from_slice(schema.name.as_bytes());
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            flags: 0,
            kind: layout.kind as u32,
            page: layout.page as u32,
            align: layout.align as u32,
            capacity: layout.capacity,
            size: layout.size,
            stride: layout.stride,
            version: schema.version,
            oldest: schema.oldest,
            schema: name,
            created: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            boot: boot(),
            lanes: layout.lanes,
            open: 0,
        }
    }

    /// The same, of a segment whose maker has asked for this.
    pub(crate) fn left_open(&self, asked: Requested) -> Self {
        let bit = |asked, bit| if asked { 0 } else { bit };
        Self { open: bit(asked.capacity, OPEN_CAPACITY) | bit(asked.lanes, OPEN_LANES), ..self.clone() }
    }

    /// Whether it may be used since the machine was started; not known where one of the two processes had no `/proc`.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        let boot = boot();
        self.boot == boot || self.boot == UNKNOWN || boot == UNKNOWN
    }

    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, MAGIC);
        put(8, &MAJOR.to_le_bytes());
        put(10, &MINOR.to_le_bytes());
        put(12, &(LEN as u32).to_le_bytes());
        put(16, &self.flags.to_le_bytes());
        put(20, &self.kind.to_le_bytes());
        put(24, &self.page.to_le_bytes());
        put(28, &self.align.to_le_bytes());
        put(32, &self.capacity.to_le_bytes());
        put(40, &self.size.to_le_bytes());
        put(48, &self.stride.to_le_bytes());
        put(56, &self.version.to_le_bytes());
        put(60, &self.oldest.to_le_bytes());
        put(64, &self.schema);
        put(128, &self.created.to_le_bytes());
        put(136, &self.boot);
        put(152, &self.lanes.to_le_bytes());
        put(156, &self.open.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..LEN - 4]);
        bytes[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What the bytes say, if they are a header of this ABI.
    pub(crate) fn decode(bytes: &[u8; LEN], path: &Path) -> Result<Self, OpenError> {
        fn field<const N: usize>(bytes: &[u8; LEN], at: usize) -> [u8; N] {
            let mut field = [0; N];
            field.copy_from_slice(&bytes[at..at + N]);
            field
        }
        let u32_at = |at| u32::from_le_bytes(field(bytes, at));
        let u64_at = |at| u64::from_le_bytes(field(bytes, at));
        if &bytes[..8] != MAGIC {
            return Err(OpenError::NotASegment { path: path.into() });
        }
        // Before the sum: another major version may lay it out in another way.
        let major = u16::from_le_bytes(field(bytes, 8));
        if major != MAJOR {
            return Err(OpenError::Abi { path: path.into(), found: major, supported: MAJOR });
        }
        if crc32c::crc32c(&bytes[..LEN - 4]) != u32_at(LEN - 4) {
            return Err(OpenError::NotASegment { path: path.into() });
        }
        Ok(Self {
            flags: u32_at(16),
            kind: u32_at(20),
            page: u32_at(24),
            align: u32_at(28),
            capacity: u64_at(32),
            size: u64_at(40),
            stride: u64_at(48),
            version: u32_at(56),
            oldest: u32_at(60),
            schema: field(bytes, 64),
            created: u64_at(128),
            boot: field(bytes, 136),
            lanes: u32_at(152),
            open: u32_at(156),
        })
    }

    /// Refuses a segment that is not what `ours` would have made.
    pub(crate) fn check(&self, ours: &Self, asked: Requested) -> Result<(), OpenError> {
        if self.flags != 0 {
            return Err(OpenError::Flags { found: self.flags });
        }
        if !self.is_of_this_boot() {
            return Err(OpenError::OtherBoot);
        }
        let differ = |what, found: u64, wanted: u64| match found == wanted {
            true => Ok(()),
            false => Err(OpenError::Mismatch(Mismatch { what, found, wanted, left_open: false })),
        };
        let suits = |what, bit, found: u64, wanted: u64| match self.open & bit {
            0 => differ(what, found, wanted),
            _ if found >= wanted => Ok(()),
            _ => Err(OpenError::Mismatch(Mismatch { what, found, wanted, left_open: true })),
        };
        differ("kind of channel", self.kind.into(), ours.kind.into())?;
        // Before the sizes: of two messages it is the schema that people know.
        let understood = self.version >= ours.oldest && ours.version >= self.oldest;
        if self.schema != ours.schema || !understood {
            return Err(OpenError::Schema { found: self.schema_text(), wanted: ours.schema_text() });
        }
        differ("bytes of a message", self.size, ours.size)?;
        differ("bytes of a slot", self.stride, ours.stride)?;
        differ("alignment", self.align.into(), ours.align.into())?;
        differ("page size", self.page.into(), ours.page.into())?;
        let has_lanes = Kind::from_number(self.kind).is_some_and(Kind::has_lanes);
        if !has_lanes {
            differ("lanes", self.lanes.into(), ours.lanes.into())?;
        } else if asked.lanes {
            suits("lanes", OPEN_LANES, self.lanes.into(), ours.lanes.into())?;
        }
        if asked.capacity {
            let what = if Kind::from_number(self.kind).is_some_and(Kind::is_bytes) {
                "capacity in words of 8 bytes"
            } else {
                "capacity"
            };
            suits(what, OPEN_CAPACITY, self.capacity, ours.capacity)?;
        }
        Ok(())
    }

    /// The schema for people.
    pub(crate) fn schema_text(&self) -> String {
        let len = self.schema.iter().position(|&byte| byte == 0).unwrap_or(self.schema.len());
        let name = String::from_utf8_lossy(&self.schema[..len]);
        format!("{} version {} (reads {} and later)", name.escape_debug(), self.version, self.oldest)
    }
}

/// The boot that is not known: the kernel does not tell, or `/proc` is not there.
const UNKNOWN: [u8; 16] = [0; 16];

/// This boot of the machine, or [`UNKNOWN`].
fn boot() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}
