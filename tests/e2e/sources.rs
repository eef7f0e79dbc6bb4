//! The apps that tests deploy: the examples as they stand, and small ones made of texts.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A copy of an example, to be changed at will.
pub(crate) fn example(name: &str) -> tempfile::TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let folder = tempfile::tempdir().unwrap();
    copy(&from, folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A folder of a few files.
pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, contents) in files {
        write(folder.path(), path, contents);
    }
    folder
}

/// Writes or replaces one file.
pub(crate) fn write(folder: &Path, path: &str, contents: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

/// A Node app without dependencies. `script` is its whole text, in which `PORT` is the port. It is not
/// watched for long after a deploy, so that a test sees the old instances leave.
pub(crate) fn node(script: &str) -> tempfile::TempDir {
    let package =
        r#"{"name":"app","version":"1.0.0","private":true,"scripts":{"start":"exec node app.js"}}"#;
    let script = format!("const PORT = Number(process.env.PORT);\n{script}\n");
    folder(&[("package.json", package), ("app.js", &script), ("paas.toml", WATCHED_BRIEFLY)])
}

/// A Node server that is asked what it finds out about others, by path:
///
/// - `/` answers who it is, and `/find/NAME` which addresses a name has
/// - `/ask/HOST/PORT/…` answers what that one does to the rest of the path
pub(crate) fn asker() -> tempfile::TempDir {
    node(ASKER)
}

const ASKER: &str = r"
const http = require('node:http');
http.createServer((request, response) => {
  const [verb, host, port, ...rest] = request.url.slice(1).split('/');
  if (verb === 'ask') {
    const asked = { host, port, path: '/' + rest.join('/'), agent: false, timeout: 4000 };
    http.get(asked, (answer) => answer.pipe(response))
      .on('timeout', () => response.end('TIMEOUT'))
      .on('error', (fault) => response.end(fault.code));
  } else if (verb === 'find') {
    require('node:dns').lookup(host, { all: true, family: 4 }, (fault, found) => {
      response.end(fault ? fault.code : found.map((one) => one.address).sort().join(' '));
    });
  } else {
    response.end(process.env.PAAS_PROCESS);
  }
}).listen(PORT, '0.0.0.0');";

/// A `paas.toml` with which old instances stand by for a moment only.
pub(crate) const WATCHED_BRIEFLY: &str = "[deploy]\nwatch = \"200ms\"\n";

/// A Node server that does many things, by path:
///
/// - `/` answers `text`, and `/env/NAME` a variable as it is (404 if there is none)
/// - `/slow/MS` answers after so long, `/log/TEXT` writes a line to its output
/// - `/exit/CODE` ends it, `/eat` uses up its memory, `/who` says which run of it answers
pub(crate) fn server(text: &str) -> tempfile::TempDir {
    node(&SERVER.replace("TEXT", text))
}

const SERVER: &str = r"
const me = require('node:crypto').randomUUID();
const server = require('node:http').createServer((request, response) => {
  const [, verb, rest] = request.url.split('/').map(decodeURIComponent);
  if (verb === 'env') {
    const value = process.env[rest];
    response.statusCode = value === undefined ? 404 : 200;
    response.end(value);
  } else if (verb === 'slow') {
    console.log('slow begins');
    setTimeout(() => response.end('slow\n'), Number(rest));
  } else if (verb === 'log') {
    console.log(rest);
    response.end('logged\n');
  } else if (verb === 'exit') {
    response.end('bye\n', () => process.exit(Number(rest)));
  } else if (verb === 'eat') {
    const eaten = [];
    for (;;) eaten.push(Buffer.alloc(1e7, 1));
  } else if (verb === 'who') {
    response.end(me);
  } else {
    response.end('TEXT\n');
  }
});
server.listen(PORT, '0.0.0.0', () => console.log('serving TEXT'));
process.on('SIGTERM', () => {
  console.log('leaving TEXT');
  server.close();
  server.closeIdleConnections();
});";
