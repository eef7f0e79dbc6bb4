//! Standard input, in pieces.
//!
//! It is read in a thread of its own that nobody joins: a read from a terminal cannot be taken back,
//! and a command must be able to end while nobody types.

use std::io::{self, Read};

use tokio::sync::mpsc;

/// Reads it, at most `most` bytes ahead of whoever takes them; the channel ends with it.
pub(crate) fn read(most: usize) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut buffer = vec![0; most];
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    buffer.truncate(count);
                    if sender.blocking_send(buffer).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An input that cannot be read has ended.
                Err(_) => return,
            }
        }
    });
    receiver
}
