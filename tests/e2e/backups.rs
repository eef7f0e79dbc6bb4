//! Backups: what is elsewhere comes back, on this server and on another, whatever dies meanwhile.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    bucket::{self, Bucket},
    server::{Output, Server, Setup, says, until},
};

/// A server whose backups go to that folder.
fn server(place: &Path) -> Server {
    with(vec![("PAAS_BACKUP_TO", place.display().to_string())])
}

/// A server with these settings, and an app with a volume.
fn with(settings: Vec<(&'static str, String)>) -> Server {
    let server = Server::starting(Setup { settings, ..Setup::default() });
    for command in [
        ["apps", "create", "shop"].as_slice(),
        ["volumes", "create", "data", "-a", "shop"].as_slice(),
    ] {
        server.paas(command).ok();
    }
    server
}

fn volumes(server: &Server, arguments: &[&str]) -> Output {
    server.paas(&[&["volumes"], arguments, &["-a", "shop"]].concat())
}

fn idle(server: &Server) -> serde_json::Value {
    until("nothing is done to the volume", || {
        let shown = volumes(server, &["show", "data", "--json"]);
        (shown.code == 0).then(|| shown.json()).filter(|volume| volume["job"].is_null())
    })
}

#[test]
fn what_is_backed_up_outlives_the_server() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("place");
    fs::create_dir(&place).unwrap();
    let mut first = server(&place);
    let file = |server: &Server| server.data().join("volumes/shop/data/data/file");
    fs::create_dir_all(file(&first).parent().unwrap()).unwrap();
    fs::write(file(&first), "one").unwrap();

    let told = volumes(&first, &["backup", "data"]).ok();
    says(&told, &["Backing up data of shop... done: b1", "keep what `paas backups key` shows"]);
    says(&first.paas(&["events", "-a", "shop"]).ok(), &["b1", "keep a copy"]);
    fs::write(file(&first), "two").unwrap();
    says(&volumes(&first, &["restore", "data", "b1"]).ok(), &["from b1... done"]);
    assert_eq!(fs::read_to_string(file(&first)).unwrap(), "one");
    says(&volumes(&first, &["snapshots", "data"]).ok(), &["s1", "replaced by b1"]);

    // The daemon dies while something is sent, before it is a backup, and before that is on record; and
    // while something comes back, and before anybody has it.
    for (point, verb) in [
        ("backups.packed:2", ["backup", "data"].as_slice()),
        ("backups.sent", ["backup", "data"].as_slice()),
        ("backups.described", ["backup", "data"].as_slice()),
        ("backups.unpacked", ["restore", "data", "b1"].as_slice()),
        ("backups.fetched", ["restore", "data", "b1"].as_slice()),
    ] {
        fs::write(file(&first), point).unwrap();
        first.kill9();
        first.start_again(&[("PAAS_FAULT", point)]);
        volumes(&first, verb);
        first.ended();
        first.start_again(&[]);
        let volume = idle(&first);
        assert!(volume["failure"].is_null(), "{point}: {volume}");
        let expected = if verb.contains(&"restore") { "one" } else { point };
        assert_eq!(fs::read_to_string(file(&first)).unwrap(), expected, "{point}");
        assert!(!first.data().join("volumes/shop/data/outgoing").exists(), "{point}");
    }
    let listed = volumes(&first, &["backups", "data", "--json"]).json();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    // The one that was all there but for its description was begun anew, and numbers are not given twice.
    assert_eq!(names, ["b5", "b4", "b2", "b1"]);
    assert_eq!(fs::read_dir(place.join("shop/data")).unwrap().count(), 8, "nothing else is there");

    // A backup of which a byte was flipped leaves the volume alone.
    let stored = fs::read_dir(place.join("shop/data")).unwrap().flatten();
    let archive = stored.map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("b2-") && path.extension().is_some_and(|ending| ending == "age")
    });
    let archive = archive.unwrap();
    let mut bytes = fs::read(&archive).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    fs::write(&archive, bytes).unwrap();
    says(&volumes(&first, &["restore", "data", "b2"]).ended(1), &["it is damaged"]);
    assert_eq!(fs::read_to_string(file(&first)).unwrap(), "one");
    says(&volumes(&first, &["restore", "data", "b9"]).ended(1), &["no backup b9", "paas backups"]);
    let key = first.paas(&["backups", "key"]);
    let (key, _) = (key.stdout.clone(), key.ok());
    drop(first);

    // Another machine: the same place, and the key that was kept.
    let second = server(&place);
    second.paas(&["apps", "create", "market"]).ok();
    second.paas(&["volumes", "create", "data", "-a", "market"]).ok();
    let from_b4 = ["volumes", "restore", "data", "b4", "--from-app", "shop", "-a", "market"];
    says(&second.paas(&from_b4).ended(1), &["does not have that", "backups key --import"]);
    fs::write(home.path().join("kept"), key).unwrap();
    let kept = home.path().join("kept").display().to_string();
    says(&second.paas(&["backups", "key", "--import", &kept]).ok(), &["Taken over: age1"]);
    says(&second.paas(&["backups"]).ok(), &["shop", "data", "b4", "here"]);
    second.paas(&from_b4).ok();
    let restored = second.data().join("volumes/market/data/data/file");
    assert_eq!(fs::read_to_string(restored).unwrap(), "backups.sent");

    // A place that is not there is told, and so is that there is none.
    fs::rename(&place, home.path().join("unmounted")).unwrap();
    says(&volumes(&second, &["backup", "data"]).ended(1), &["is its disk mounted?"]);
    let nowhere = with(Vec::new());
    says(&volumes(&nowhere, &["backup", "data"]).ended(1), &["no place for backups", "backup_to"]);
}

#[test]
fn a_bucket_is_a_place_too() {
    let bucket = Bucket::serve();
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    fs::write(&secret, format!("{}\n", bucket::SECRET)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = vec![
        ("PAAS_BACKUP_TO", format!("s3://{}/of/this-server", bucket::NAME)),
        ("PAAS_BACKUP_S3_ENDPOINT", bucket.endpoint.clone()),
        ("PAAS_BACKUP_S3_KEY_ID", bucket::KEY_ID.to_owned()),
        ("PAAS_BACKUP_S3_SECRET_FILE", secret.display().to_string()),
    ];
    let mut server = with(settings);
    let file = server.data().join("volumes/shop/data/data/file");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let bytes: Vec<u8> = (0..18 << 17).flat_map(|_| rand::random::<u64>().to_le_bytes()).collect();
    fs::write(&file, &bytes).unwrap();
    says(&volumes(&server, &["backup", "data"]).ok(), &["done: b1, 18."]);
    fs::write(&file, "small").unwrap();
    says(&volumes(&server, &["backup", "data"]).ok(), &["done: b2"]);
    let names = bucket.names();
    assert_eq!((names.len(), bucket.unfinished()), (4, 0), "{names:?}");
    assert!(names[0].starts_with("of/this-server/shop/data/b1-"), "{names:?}");
    volumes(&server, &["restore", "data", "b1"]).ok();
    assert!(fs::read(&file).unwrap() == bytes, "it is not what was sent");

    // A key that is not the one any more leaves nothing, and is told.
    server.kill9();
    fs::write(&secret, "another").unwrap();
    server.start_again(&[]);
    let told = volumes(&server, &["backup", "data"]).ended(1);
    says(&told, &["403 Forbidden", "SignatureDoesNotMatch"]);
    assert_eq!((bucket.names().len(), bucket.unfinished()), (4, 0));
}
