//! `openssl s_client`: versions, protocols inside, and sessions that are taken up again.

use super::{Said, run, tls_stage};
use crate::stage::{Origin, Stage};

fn s_client(stage: &Stage, arguments: &[&str]) -> Said {
    let address = stage.address().to_string();
    let common = ["s_client", "-connect", &address, "-servername", "app.test"];
    run("openssl", "openssl", &[&common[..], arguments].concat())
}

#[test]
fn old_versions_are_refused() {
    let (stage, _) = tls_stage(&Origin::ok());
    for version in ["-tls1", "-tls1_1"] {
        // openssl itself refuses them at its default level.
        let said = s_client(&stage, &[version, "-cipher", "DEFAULT@SECLEVEL=0"]);
        assert!(!said.content, "{version} was accepted:\n{}", said.text);
        // Which alert depends on what else such an old greeting lacks.
        said.has("SSL alert number");
    }
}

#[test]
fn both_current_versions_are_spoken() {
    let (stage, _) = tls_stage(&Origin::ok());
    s_client(&stage, &["-tls1_2"]).has("New, TLSv1.2");
    s_client(&stage, &["-tls1_3"]).has("New, TLSv1.3");
}

#[test]
fn alpn_chooses_what_is_spoken_inside() {
    let (stage, _) = tls_stage(&Origin::ok());
    s_client(&stage, &["-alpn", "h2,http/1.1"]).has("ALPN protocol: h2");
    s_client(&stage, &["-alpn", "http/1.1"]).has("ALPN protocol: http/1.1");
    s_client(&stage, &[]).has("No ALPN negotiated");
}

#[test]
fn sessions_are_resumed() {
    let (stage, _) = tls_stage(&Origin::ok());
    let said = s_client(&stage, &["-tls1_2", "-reconnect"]);
    assert_eq!(said.text.matches("Reused, TLSv1.2").count(), 5, "{}", said.text);
}
