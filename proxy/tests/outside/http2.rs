//! nghttp and h2load: the reference implementation of HTTP/2.

use super::{run, tls_stage};
use crate::stage::Origin;

#[test]
fn nghttp_gets_a_response() {
    let origin = Origin::ok();
    let (stage, _) = tls_stage(&origin);
    let url = format!("https://{}/", stage.address());
    let said = run("nghttp", "nghttp2-client", &["-v", "-y", "-H:authority: app.test", &url]);
    said.has("The negotiated protocol: h2").has(":status: 200");
}

#[test]
fn h2load_gets_every_response() {
    let origin = Origin::ok();
    let (stage, _) = tls_stage(&origin);
    let to = format!("--connect-to={}", stage.address());
    let load = ["-n", "2000", "-c", "8", "-m", "20", &to, "https://app.test/"];
    let said = run("h2load", "nghttp2-client", &load);
    said.has("2000 succeeded, 0 failed, 0 errored, 0 timeout").has("2000 2xx").has("protocol: h2");
    assert_eq!(origin.seen().len(), 2000);
}
