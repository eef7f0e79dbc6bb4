//! A head as the plainest of readers sees it: split at line ends and colons, nothing forgiven.
//! Not the edge's own parser, which it is here to check.

pub struct Head<'a> {
    pub first: &'a str,
    pub fields: Vec<(String, &'a str)>,
}

impl<'a> Head<'a> {
    /// Reads a whole head, or panics over whatever could be read in another way.
    pub fn read(bytes: &'a [u8]) -> Self {
        for (at, byte) in bytes.iter().enumerate() {
            let line_end = match byte {
                b'\r' => bytes.get(at + 1) == Some(&b'\n'),
                b'\n' => at > 0 && bytes[at - 1] == b'\r',
                byte => *byte == b'\t' || *byte >= b' ' && *byte != 0x7f,
            };
            assert!(line_end, "byte {byte} at {at}");
        }
        // Values may have any bytes above ASCII; each is one character here.
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let text: &'a str = text.leak();
        let body = text.strip_suffix("\r\n\r\n").expect("an empty line at its end");
        let mut lines = body.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let fields = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").expect("a name, a colon and a blank");
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                assert!(!name.is_empty() && name.chars().all(token), "field name {name:?}");
                (name.to_ascii_lowercase(), value)
            })
            .collect();
        Self { first, fields }
    }

    /// How many fields have this name, in lower case.
    pub fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|(found, _)| found == name).count()
    }
}
