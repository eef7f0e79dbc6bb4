//! Uploads that are broken or mean harm: refused with a reason, and nothing of them is left.

use std::{io::Write, net::Shutdown, os::unix::net::UnixStream, process::Command};

use crate::{
    http,
    server::{Server, says, until},
    sources,
};

/// A tar of one file that works, and one entry that does not.
fn archive(bad: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    entry(&mut tar, b"app.js", tar::EntryType::Regular, b"", b"// fine\n");
    bad(&mut tar);
    tar.into_inner().unwrap()
}

/// An entry with exactly this name, whatever a decent library thinks of it.
fn entry(
    tar: &mut tar::Builder<Vec<u8>>,
    name: &[u8],
    kind: tar::EntryType,
    target: &[u8],
    body: &[u8],
) {
    let mut header = tar::Header::new_ustar();
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name);
    old.linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(body.len() as u64);
    header.set_cksum();
    tar.append(&header, body).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn hostile_and_broken_uploads_are_refused_and_leave_nothing() {
    use tar::EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
    let server = Server::start();
    server.deploy("app", sources::server("safe").path()).ok();
    let canary = server.home().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    let outside = canary.display().to_string();
    let before = (server.containers(), listing(&server));
    let good = gzip(&archive(|_| ()));
    let bomb = archive(|tar| {
        let zeroes = vec![0; 300 << 20];
        entry(tar, b"bomb", Regular, b"", &zeroes);
    });
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    let cases: Vec<(&str, u16, &str, Vec<u8>)> = vec![
        ("no archive", 400, "not a tar archive", b"hello, this is no archive. ".repeat(50)),
        ("nothing", 400, "", Vec::new()),
        ("cut short", 400, "ended before its archive did", good[..good.len() / 2].to_vec()),
        ("damaged", 400, "", flipped),
        (
            "absolute",
            400,
            "absolute",
            archive(|tar| entry(tar, b"/etc/paas-e2e-canary", Regular, b"", b"x")),
        ),
        ("climbs", 400, "`..`", archive(|tar| entry(tar, b"a/../../b", Regular, b"", b"x"))),
        (
            "through a link",
            400,
            "not a folder",
            archive(|tar| {
                entry(tar, b"way", Symlink, b"/tmp", b"");
                entry(tar, b"way/paas-e2e-canary", Regular, b"", b"x");
            }),
        ),
        (
            "a hard link out",
            400,
            "hard link",
            archive(|tar| entry(tar, b"hard", Link, b"/etc/hostname", b"")),
        ),
        ("a device", 400, "device", archive(|tar| entry(tar, b"null", Char, b"", b""))),
        ("a disk", 400, "device", archive(|tar| entry(tar, b"sda", Block, b"", b""))),
        ("a pipe", 400, "device", archive(|tar| entry(tar, b"pipe", Fifo, b"", b""))),
        ("twice", 400, "twice", archive(|tar| entry(tar, b"app.js", Regular, b"", b"// other\n"))),
        ("a whiteout", 400, ".wh.", archive(|tar| entry(tar, b".wh.app.js", Regular, b"", b""))),
        ("a bomb", 413, "bomb", gzip(&bomb)),
    ];
    for (name, status, told, body) in cases {
        let answer = server.api("POST", "/v1/apps/app/builds", &body);
        println!("{name}: {} {}", answer.status, answer.text());
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        says(&answer.text(), &[told, "request_id"]);
    }
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "alive");
    for path in ["/etc/paas-e2e-canary", "/tmp/paas-e2e-canary"] {
        assert!(!std::path::Path::new(path).exists(), "{path}");
    }

    // A sender who goes away in the middle, with and without waiting for an answer.
    for patient in [true, false] {
        let mut stream = UnixStream::connect(server.socket()).unwrap();
        let head = "POST /v1/apps/app/builds HTTP/1.1\r\nHost: paas\r\nContent-Length: 100000\r\n";
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&good).unwrap();
        if patient {
            stream.shutdown(Shutdown::Write).unwrap();
            if let Ok(answer) = http::read(stream) {
                assert!((400..500).contains(&answer.status), "{}", answer.text());
            }
        }
    }

    until("nothing is left", || (listing(&server) == before.1).then_some(()));
    assert_eq!(server.containers(), before.0);
    let builds = server.paas(&["builds", "-a", "app", "--json"]).json();
    assert_eq!(builds.as_array().unwrap().len(), 1, "{builds}");
    assert_eq!(server.page("app", "/"), "safe\n");

    let nobody = server.api("POST", "/v1/apps/nobody/builds", &good);
    assert_eq!(nobody.status, 404);
    for name in ["..", "%2e%2e%2fetc", "UPPER", "a;reboot"] {
        let answer = server.api("POST", &format!("/v1/apps/{name}/builds"), &good);
        assert!([400, 404].contains(&answer.status), "{name}: {}", answer.status);
        let body = format!(r#"{{"name":"{name}"}}"#);
        assert_eq!(server.api("POST", "/v1/apps", body.as_bytes()).status, 400, "{name}");
    }
}

fn listing(server: &Server) -> String {
    let found = Command::new("find").arg(server.data().join("apps")).output().unwrap();
    let mut lines: Vec<_> =
        String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}
