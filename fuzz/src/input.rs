//! Numbers out of bytes, by hand: any bytes are an input, and a byte more or less changes little.

/// The bytes not yet used.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 after the end.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below `n`, at most 256.
    pub fn below(&mut self, n: usize) -> usize {
        self.byte() as usize % n
    }

    /// How many to ask for: small, sometimes everything.
    pub fn amount(&mut self) -> usize {
        match self.byte() {
            255 => usize::MAX,
            b => b as usize % 24,
        }
    }
}
