//! Randomness that belongs to a record.
//!
//! Every record draws from a stream of its own, made from the seed, the record's kind and its number. So a record looks
//! the same however and whenever it is rendered, and nothing but a few compact facts has to be kept in memory.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of draws.
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream for one purpose of one record.
    pub fn new(seed: u64, purpose: u64, number: u64) -> Self {
        let mixed = [purpose, number]
            .iter()
            .fold(seed ^ 0x9e37_79b9_7f4a_7c15, |sum, part| {
                let mut z = (sum ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            });
        Self(ChaCha8Rng::seed_from_u64(mixed))
    }

    /// A number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.0.next_u64() % n }
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(u64::try_from(to - from + 1).unwrap_or(0)) as i64
    }

    /// True in so many of a thousand draws.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of the items, or the default when there are none.
    pub fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = self.below(items.len() as u64) as usize;
        items.get(at).copied().unwrap_or_default()
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_for_the_same_record_and_different_for_another() {
        let first = |purpose, number| Draw::new(1, purpose, number).below(u64::MAX);
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 2), first(1, 3));
        assert_eq!(Draw::new(1, 1, 1).below(0), 0);
    }
}
