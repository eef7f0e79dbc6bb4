//! A client's connection to a stage that has agreed on HTTP/2.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::stage::{PATIENCE, Stage};

/// A connection, whatever it is made of.
pub(crate) trait Link: Read + Write {}

impl<T: Read + Write> Link for T {}

/// A new connection.
pub(crate) fn open(stage: &Stage) -> Box<dyn Link> {
    let stream = TcpStream::connect(stage.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    Box::new(stream)
}
