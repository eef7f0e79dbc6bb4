//! The operations of volumes.

use utoipa::openapi::HttpMethod::{Delete, Get, Post};

use super::{
    Shape::{self, Many, One},
    operations::{Operation, operation},
};

pub(super) const VOLUMES: &[Operation] = &[
    operation(
        Get,
        "/v1/apps/{app}/volumes",
        ("volumes", "The volumes of an app"),
        &[],
        (Shape::None, Many("Volume")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/volumes",
        ("createVolume", "Make a volume, or give one another size"),
        &[],
        (One("CreateVolume"), One("Volume")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/volumes/{volume}",
        ("volume", "One volume"),
        &[],
        (Shape::None, One("Volume")),
    ),
    operation(
        Delete,
        "/v1/apps/{app}/volumes/{volume}",
        ("destroyVolume", "Destroy a volume that no release has"),
        &["confirm"],
        (Shape::None, One("Volume")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/volumes/{volume}/snapshots",
        ("snapshots", "The snapshots of a volume, newest first"),
        &[],
        (Shape::None, Many("Snapshot")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/volumes/{volume}/snapshots",
        ("snapshotVolume", "Keep what is in a volume now; its `job` says when that is done"),
        &[],
        (Shape::None, One("Volume")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/volumes/{volume}/move",
        ("moveVolume", "Have a volume go to another machine; its `job` says when that is done"),
        &[],
        (One("MoveVolume"), One("Volume")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/volumes/{volume}/backups",
        ("backups", "The backups of a volume, or of that of another app, newest first"),
        &["from"],
        (Shape::None, Many("Backup")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/volumes/{volume}/backups",
        ("backupVolume", "Back up what is in a volume; its `job` says when that is done"),
        &[],
        (Shape::None, One("Volume")),
    ),
    operation(
        Get,
        "/v1/backups",
        ("allBackups", "The backups of all volumes"),
        &[],
        (Shape::None, Many("Backup")),
    ),
    operation(
        Get,
        "/v1/backups/key",
        ("backupKeys", "The keys that open backups, to be kept elsewhere"),
        &[],
        (Shape::None, One("BackupKeys")),
    ),
    operation(
        Post,
        "/v1/backups/key",
        ("importBackupKeys", "Take over keys of another server"),
        &[],
        (One("ImportBackupKeys"), One("ImportedBackupKeys")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/volumes/{volume}/restore",
        ("restoreVolume", "Have a snapshot or a backup take the place of what is in a volume"),
        &[],
        (One("RestoreVolume"), One("Volume")),
    ),
];
