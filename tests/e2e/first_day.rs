//! A first day: the examples, as a new user deploys them.

use crate::{
    server::{Server, says},
    sources,
};

#[test]
fn a_folder_becomes_an_app_that_answers() {
    let server = Server::start();
    let hello = sources::example("node-hello");
    let told = server.deploy("hello", hello.path()).ok();
    says(&told, &["http://hello.localhost:"]);
    assert_eq!(server.page("hello", "/"), "Hello from node-hello!\n");
    server.until_runs("hello", &["web.1"]);
}
