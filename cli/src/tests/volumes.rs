//! What `paas volumes` asks and says.

use api::{Backup, Snapshot, Volume};

use super::{User, server::Server};

fn volume() -> Volume {
    Volume {
        name: "data".to_owned(),
        app: "shop".to_owned(),
        state: "attached".to_owned(),
        node: Some("box".to_owned()),
        elsewhere: false,
        away: None,
        process: Some("web".to_owned()),
        path: Some("/data".to_owned()),
        size: Some(10 << 30),
        used: Some(3 << 20),
        measured_at: Some("2026-01-10T11:58:00Z".to_owned()),
        job: None,
        failure: None,
        backup: None,
        keep_backups: 7,
        last_backup: None,
        created_at: "2026-01-10T11:00:00Z".to_owned(),
        by: "admin".to_owned(),
    }
}

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("shop".to_owned());
    user
}

#[tokio::test]
async fn volumes_are_listed_with_what_they_take() {
    let server = Server::default();
    let free = Volume {
        name: "spare".to_owned(),
        process: None,
        path: None,
        used: None,
        size: None,
        state: "free".to_owned(),
        ..volume()
    };
    server.on("GET /v1/apps/shop/volumes", &[volume(), free]);
    server.on("GET /v1/apps/shop/volumes", &Vec::<Volume>::new());
    let expected = "\
VOLUME  STATE     PROCESS  PATH   USED     SIZE      AGE
data    attached  web      /data  3.0 MiB  10.0 GiB  60m
spare   free      -        -      -        -         60m
";
    let user = user(&server).await;
    user.types("paas volumes").await.succeeded(expected, "");
    let none = "shop has no volumes: write [volume.data] in paas.toml, with a path\n";
    user.types("paas volumes list").await.succeeded("", none);
}

#[tokio::test]
async fn who_is_on_another_machine_is_said_to_be() {
    let server = Server::default();
    let away = "it is on edge-1, which was removed";
    let other = Volume {
        name: "files".to_owned(),
        node: Some("edge-1".to_owned()),
        elsewhere: true,
        away: Some(away.to_owned()),
        used: None,
        ..volume()
    };
    server.on("GET /v1/apps/shop/volumes", &[volume(), other.clone()]);
    server.on("GET /v1/apps/shop/volumes/files", &other);
    let expected = "\
VOLUME  STATE     NODE    PROCESS  PATH   USED     SIZE      AGE
data    attached  box     web      /data  3.0 MiB  10.0 GiB  60m
files   attached  edge-1  web      /data  -        10.0 GiB  60m
";
    let user = user(&server).await;
    user.types("paas volumes").await.succeeded(expected, "");
    let shown = user.types("paas volumes show files").await;
    assert!(shown.out.contains(away), "{}", shown.out);
}

#[tokio::test]
async fn a_move_is_waited_for() {
    let server = Server::default();
    let moving = Volume { job: Some("moving it to edge-1".to_owned()), ..volume() };
    server.on("POST /v1/apps/shop/volumes/data/move", &moving);
    server.on("GET /v1/apps/shop/volumes/data", &moving);
    server.on("GET /v1/apps/shop/volumes/data", &volume());
    let user = user(&server).await;
    let told = "Moving data to edge-1... done\n";
    user.types("paas volumes move data --to edge-1").await.succeeded("", told);
}

#[tokio::test]
async fn what_is_destroyed_is_named_twice() {
    let server = Server::default();
    server.on("DELETE /v1/apps/shop/volumes/data?confirm=data", &volume());
    let user = user(&server).await;
    user.types("paas volumes destroy data").await.failed(
        2,
        "error: the volume data is not destroyed\n  because what is in it would be gone for good\n\
         hint: `paas volumes destroy data -a shop --confirm data`\n",
    );
    let told = "Destroying the volume data of shop... done\n";
    user.types("paas volumes:destroy data --confirm data").await.succeeded("", told);
}

#[tokio::test]
async fn a_snapshot_is_waited_for_and_a_failure_said() {
    let server = Server::default();
    let snapshot = Snapshot {
        name: "s3".to_owned(),
        at: "2026-01-10T11:00:00Z".to_owned(),
        by: "admin".to_owned(),
        size: Some(3 << 20),
        cause: "asked for".to_owned(),
    };
    server.on("POST /v1/apps/shop/volumes/data/snapshots", &volume());
    server.on("GET /v1/apps/shop/volumes/data", &volume());
    server.on("GET /v1/apps/shop/volumes/data/snapshots", &[snapshot]);
    let user = user(&server).await;
    user.types("paas volumes snapshot data").await.succeeded(
        "",
        "Making a snapshot of data... done: s3\n\
         hint: `paas volumes restore data s3 -a shop` brings it back\n",
    );
    let expected = "\
SNAPSHOT  SIZE     AGE  BY     CAUSE
s3        3.0 MiB  60m  admin  asked for
";
    user.types("paas volumes snapshots data").await.succeeded(expected, "");
    let server = Server::default();
    let user = self::user(&server).await;
    let failed = Volume { failure: Some("1 MiB of the disk are free".to_owned()), ..volume() };
    server.on("POST /v1/apps/shop/volumes/data/restore", &volume());
    server.on("GET /v1/apps/shop/volumes/data", &failed);
    user.types("paas volumes restore data s3").await.failed(
        1,
        "error: the volume data stays as it was\n  because 1 MiB of the disk are free\n\
         hint: `paas volumes show data -a shop`\n",
    );
}

#[tokio::test]
async fn backups_are_listed_with_whether_their_key_is_here() {
    let server = Server::default();
    let backup = Backup {
        name: "b3".to_owned(),
        app: "shop".to_owned(),
        volume: "data".to_owned(),
        at: "2026-01-10T11:00:00Z".to_owned(),
        by: "platform".to_owned(),
        bytes: 10 << 20,
        stored: 3 << 20,
        sha256: "00".to_owned(),
        key: "age1x".to_owned(),
        readable: true,
    };
    let others = Backup { app: "old".to_owned(), readable: false, ..backup.clone() };
    let ours = [backup];
    server.on("GET /v1/apps/shop/volumes/data/backups?from=old", &[others]);
    server.on("GET /v1/backups", &ours);
    server.on("GET /v1/backups", &Vec::<Backup>::new());
    let user = user(&server).await;
    let expected = "\
APP   VOLUME  BACKUP  SIZE      STORED   AGE  BY        KEY
shop  data    b3      10.0 MiB  3.0 MiB  60m  platform  here
";
    user.types("paas backups").await.succeeded(expected, "");
    let none = "There are no backups yet: `paas volumes backup VOLUME` makes one.\n";
    user.types("paas backups list").await.succeeded("", none);
    let expected = "\
APP  VOLUME  BACKUP  SIZE      STORED   AGE  BY        KEY
old  data    b3      10.0 MiB  3.0 MiB  60m  platform  missing
";
    user.types("paas volumes backups data --from-app old").await.succeeded(expected, "");
    server.on("POST /v1/apps/shop/volumes/data/backups", &volume());
    server.on("GET /v1/apps/shop/volumes/data", &volume());
    server.on("GET /v1/apps/shop/volumes/data/backups", &ours);
    user.types("paas volumes backup data").await.succeeded(
        "",
        "Backing up data of shop... done: b3, 3.0 MiB\n\
         hint: keep what `paas backups key` shows elsewhere: without it nobody reads a backup\n",
    );
}
