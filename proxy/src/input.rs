//! Bytes read from a peer and not used yet.
//!
//! Not a queue of buffers: one block of memory that starts small, grows while reads fill it and
//! shrinks when the connection rests, so that ten thousand idle connections cost little. It never
//! holds more than its cap.

/// A bounded buffer with a read end and a write end.
#[derive(Debug)]
pub(crate) struct Input {
    data: Vec<u8>,
    start: usize,
    end: usize,
    cap: usize,
    /// The last read filled all the room it had: the peer has more than we have room for.
    pressed: bool,
}

/// The first block, and what is kept while resting.
const SMALLEST: usize = 4 * 1024;

impl Input {
    pub(crate) fn new(cap: usize) -> Self {
        Self { data: Vec::new(), start: 0, end: 0, cap, pressed: false }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether a read could add anything.
    pub(crate) fn has_room(&self) -> bool {
        self.end - self.start < self.cap
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Room to read into; empty only when the cap is reached.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.pressed || self.data.is_empty() {
                self.grow();
            }
        } else if self.end == self.data.len() {
            if self.start > 0 {
                self.data.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.grow();
            }
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// Says how much of [`Input::room`] was filled.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = self.data.len().min(self.end + count);
        self.pressed = self.end == self.data.len();
    }

    /// Gives back memory that a busy connection needed and a resting one does not.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() && self.data.len() > SMALLEST {
            *self = Self::new(self.cap);
        }
    }

    fn grow(&mut self) {
        let size = (self.data.len() * 4).max(SMALLEST).min(self.cap);
        if size > self.data.len() {
            self.data.resize(size, 0);
        }
        self.pressed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &mut Input, bytes: &[u8]) -> usize {
        let room = input.room();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        input.filled(count);
        count
    }

    #[test]
    fn it_grows_to_its_cap_and_no_further() {
        let mut input = Input::new(10_000);
        let bytes = vec![7; 20_000];
        let mut taken = 0;
        while input.has_room() {
            taken += read(&mut input, &bytes);
        }
        assert_eq!(taken, 10_000);
        assert!(input.room().is_empty());
        input.consume(9_999);
        assert_eq!(input.bytes(), [7]);
        assert_eq!(read(&mut input, &[8]), 1);
        assert_eq!(input.bytes(), [7, 8]);
    }

    #[test]
    fn it_rests_small() {
        let mut input = Input::new(64 * 1024);
        for _ in 0..4 {
            read(&mut input, &vec![1; 70_000]);
            input.consume(usize::MAX / 2);
        }
        assert_eq!(input.room().len(), 64 * 1024);
        input.rest();
        assert_eq!(input.room().len(), SMALLEST);
    }
}
