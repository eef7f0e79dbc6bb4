//! What `paas volumes` asks and says.

use api::{Snapshot, Volume};

use super::{User, server::Server};

fn volume() -> Volume {
    Volume {
        name: "data".to_owned(),
        app: "shop".to_owned(),
        state: "attached".to_owned(),
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
