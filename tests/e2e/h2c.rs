//! An app that speaks HTTP/2 without TLS and nothing else, as gRPC servers do: found ready and served.

use crate::{server::Server, sources};

const APP: &str = r"
const seen = new Set();
const server = require('node:http2').createServer((request, response) => {
  if (request.url === '/up') seen.add(`${request.headers['user-agent']} over ${request.httpVersion}`);
  response.end([...seen].join('\n') + '\n');
});
server.on('sessionError', (error) => seen.add(`fault ${error.code}`));
server.on('unknownProtocol', () => seen.add('unknown protocol'));
server.listen(PORT, '0.0.0.0');
";

#[test]
fn its_health_is_asked_by_the_protocol_that_it_speaks() {
    let server = Server::start();
    let folder = sources::node(APP);
    let settings = "[http]\nprotocol = \"h2c\"\n[process.web.health]\npath = \"/up\"\n";
    sources::write(folder.path(), "paas.toml", &format!("app = \"app\"\n{settings}"));
    server.deploy("app", folder.path()).ok();
    assert_eq!(server.page("app", "/"), "paas-health over 2.0\n");
}
