//! What may be sent, and how the two sides make sure that they mean the same by it.

use core::fmt;
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

/// The name and version of a message type, compared when a segment is opened.
///
/// Two sides understand each other if the names are the same and the version of each is at least what the other still reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schema {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) oldest: u32,
}

impl Schema {
    /// Longest name, in bytes.
    pub const MAX_NAME: usize = 64;

    /// A message called `name`, of version 1, that reads nothing older.
    ///
    /// # Panics
    /// At compile time, in a constant: the name is empty or longer than [`Schema::MAX_NAME`] bytes.
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.len() <= Self::MAX_NAME, "a schema's name has 1 to 64 bytes");
        Self { name, version: 1, oldest: 1 }
    }

    /// The same message in `version`, which reads those from `oldest_readable` on.
    pub const fn version(self, version: u32, oldest_readable: u32) -> Self {
        Self { version, oldest: oldest_readable, ..self }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {} (reads {} and later)", self.name, self.version, self.oldest)
    }
}

/// A message that may travel between processes: its bytes are all there is to it, and any bytes can be checked for being one.
///
/// No pointers, no padding: [`zerocopy`] proves it when it derives the three traits, and nothing of the sender's memory
/// travels along by accident. The message is copied out before it is checked, so the other side cannot change it afterwards.
///
/// ```
/// use ringmail::shm::{Message, Schema};
///
/// #[derive(zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
/// #[repr(C)]
/// struct Quote {
///     price: u64,
///     size: u64,
/// }
///
/// impl Message for Quote {
///     const SCHEMA: Schema = Schema::new("quote").version(2, 1);
/// }
///
/// assert_eq!(Quote::SCHEMA.to_string(), "quote version 2 (reads 1 and later)");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot pass between processes",
    label = "a message for shared memory implements `ringmail::shm::Message`",
    note = "derive zerocopy's `TryFromBytes`, `IntoBytes` and `Immutable` with `#[repr(C)]`, then implement `Message` with a `SCHEMA`"
)]
pub trait Message: TryFromBytes + IntoBytes + Immutable + Send + 'static {
    /// What both sides must agree on.
    const SCHEMA: Schema;
}

macro_rules! plain {
    ($($type:ty)*) => {$(
        impl Message for $type {
            const SCHEMA: Schema = Schema::new(stringify!($type));
        }
    )*};
}

plain!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 bool char);
