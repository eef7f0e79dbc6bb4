//! A small HTTP/1.1 client on any stream: the edge over TCP, the API and Docker over their sockets.
//!
//! It is written by hand so that a test sees exactly what was sent and what came back, also where
//! that is no good HTTP. One request a connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// What came back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn get(host: &'a str, path: &'a str) -> Self {
        Self { method: "GET", path, host, headers: &[], body: &[] }
    }

    /// Over TCP, to this machine.
    pub(crate) fn over_tcp(&self, port: u16) -> io::Result<Answer> {
        self.at(([127, 0, 0, 1], port).into())
    }

    /// Over TCP.
    pub(crate) fn at(&self, address: SocketAddr) -> io::Result<Answer> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        self.over(stream)
    }

    /// Over a socket file.
    pub(crate) fn over_socket(&self, path: &Path) -> io::Result<Answer> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        self.over(stream)
    }

    /// Over any stream.
    pub(crate) fn over(&self, mut stream: impl Read + Write) -> io::Result<Answer> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, self.host);
        for (name, value) in self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !self.body.is_empty() {
            head.extend(["Content-Length: ", &self.body.len().to_string(), "\r\n"]);
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        // A server that refuses early closes while we still send; its answer is there all the same.
        let _sent = stream.write_all(self.body);
        read(stream)
    }
}

/// Reads one answer.
pub(crate) fn read(stream: impl Read) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let first = line(&mut reader)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let Some(status) = status else { return Err(cut(&format!("no status line: {first:?}"))) };
    let mut answer = Answer { status, ..Answer::default() };
    loop {
        let line = line(&mut reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let chunked = answer.header("transfer-encoding").is_some_and(|value| value == "chunked");
    let length = answer.header("content-length").and_then(|value| value.parse::<usize>().ok());
    if chunked {
        loop {
            let size = line(&mut reader)?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| cut(&size))?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk)?;
            answer.body.extend(chunk);
            line(&mut reader)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = length {
        answer.body = vec![0; length];
        reader.read_exact(&mut answer.body)?;
    } else if status != 204 && status != 304 {
        reader.read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(cut("the connection was closed"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn cut(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, why.to_owned())
}

/// For any single read; a machine under load may take its time.
const PATIENCE: Duration = Duration::from_mins(2);
