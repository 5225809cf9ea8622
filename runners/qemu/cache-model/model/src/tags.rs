//! Which lines a private cache holds, and in which set and way: what ops by set/way address, and what
//! decides who must make room.

use std::collections::HashMap;

use crate::Geometry;

/// The places of one private cache.
#[derive(Clone, Debug)]
pub(crate) struct Tags {
    geometry: Geometry,
    line_shift: u32,
    /// Per set that was ever used, the line in each way.
    sets: HashMap<u32, Set>,
}

#[derive(Clone, Debug)]
struct Set {
    ways: Vec<Option<u64>>,
    /// The way that has to make room next.
    next: u32,
}

impl Tags {
    pub(crate) fn new(geometry: Geometry, line_shift: u32) -> Self {
        Self {
            geometry,
            line_shift,
            sets: HashMap::new(),
        }
    }

    /// Every place is free.
    pub(crate) fn clear(&mut self) {
        self.sets.clear();
    }

    fn set_of(&self, at: u64) -> u32 {
        ((at >> self.line_shift) & u64::from(self.geometry.sets - 1)) as u32
    }

    /// The line in this place.
    pub(crate) fn line_at(&self, set: u32, way: u32) -> Option<u64> {
        let set = self.sets.get(&set)?;
        *set.ways.get(way as usize)?
    }

    /// Puts a line into its set. If the set is full, the lines in its ways go in turn.
    pub(crate) fn insert(&mut self, at: u64) -> Option<u64> {
        let ways = self.geometry.ways as usize;
        let set = self.set_of(at);
        let set = self.sets.entry(set).or_insert_with(|| Set {
            ways: vec![None; ways],
            next: 0,
        });
        if let Some(free) = set.ways.iter_mut().find(|way| way.is_none()) {
            *free = Some(at);
            return None;
        }
        let way = set.next as usize;
        set.next = (set.next + 1) % ways as u32;
        set.ways[way].replace(at)
    }

    /// The line has gone.
    pub(crate) fn remove(&mut self, at: u64) {
        let set = self.set_of(at);
        if let Some(set) = self.sets.get_mut(&set) {
            for way in set.ways.iter_mut().filter(|way| **way == Some(at)) {
                *way = None;
            }
        }
    }
}
