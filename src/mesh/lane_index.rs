//! Where a peer's lane is in a table of lanes.

use crate::error::BuildError;
use crate::try_alloc::slice;
use alloc::boxed::Box;

/// No lane.
const NONE: u32 = u32::MAX;

/// By peer: the place of its lane in a table, if there is a lane.
pub(super) struct LaneIndex(Box<[u32]>);

impl LaneIndex {
    /// Of no lanes, for `shards` peers.
    pub(super) fn new(shards: usize) -> Result<Self, BuildError> {
        Ok(Self(slice(shards, |_| NONE)?))
    }

    pub(super) fn set(&mut self, peer: usize, at: usize) {
        self.0[peer] = at as u32;
    }

    #[inline(always)]
    pub(super) fn at(&self, peer: usize) -> Option<usize> {
        let at = *self.0.get(peer)?;
        if at == NONE { None } else { Some(at as usize) }
    }

    /// The lane of `peer` in `lanes`, the table that this is for. [`NONE`] is no index of any table.
    #[inline(always)]
    pub(super) fn find<'a, L>(&self, peer: usize, lanes: &'a mut [L]) -> Option<&'a mut L> {
        lanes.get_mut(*self.0.get(peer)? as usize)
    }
}
