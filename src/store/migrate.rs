//! Bringing a folder to this binary's schema: one export, then one commit with every changed
//! record and the new schema in it. A crash leaves the old folder or the new one.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::{OpenError, StoreError};
use super::export;
use super::exports::{self, Exports, Occasion};
use super::journal::{Change, Contents, Journal};
use super::open::failed;
use super::quorum::is_shared;
use super::record::{self, Bytes, MAX_VALUE, readable};
use super::schema::{Schema, Table, Versions};

/// Returns what the folder holds now; the same as before if it has this schema already. Records that several machines
/// keep are not changed by one of them, and new tables are no commit.
pub(super) fn bring_forward(
    journal: &Journal,
    dir: &Path,
    schema: &Schema,
    contents: Contents,
    now: SystemTime,
) -> Result<Contents, OpenError> {
    let stored = stored_versions(dir, contents.schema.as_deref())?;
    schema.admit(&stored)?;
    let wanted = schema.versions();
    if stored == wanted {
        return Ok(contents);
    }
    if !contents.entries.is_empty() {
        export_before(dir, &contents, &stored, now)
            .map_err(|source| OpenError::Export { source })?;
    }
    let mut migrated = Vec::new();
    for (name, key, old) in contents.entries {
        let Some(table) = schema.table(&name) else {
            return Err(OpenError::Newer { table: name, stored: 1, known: 0 });
        };
        if let Some(new) = migrate(dir, table, &key, &old)? {
            migrated.push((table.name, key, Bytes::from(old), new));
        }
    }
    // Each of several machines would count a commit that the others do not have, and change what they have.
    let is_shared = contents.minutes.as_deref().is_some_and(is_shared);
    if let Some((table, ..)) = migrated.first().filter(|_| is_shared) {
        return Err(OpenError::Shared { table });
    }
    tracing::info!(records = migrated.len(), dir = %dir.display(), "store migrated");
    let changes = migrated.iter().map(|(table, key, old, new)| Change {
        table,
        key,
        value: Some(new),
        old: Some(old),
    });
    journal
        .commit_schema(changes, &wanted, contents.sequence + u64::from(!is_shared))
        .and_then(|()| journal.contents())
        .map_err(|source| failed(dir, source))
}

fn stored_versions(dir: &Path, note: Option<&[u8]>) -> Result<Versions, OpenError> {
    let Some(note) = note else { return Ok(Versions::default()) };
    serde_json::from_slice(note)
        .map_err(|source| OpenError::Schema { exports: exports::folder(dir), source })
}

fn export_before(
    dir: &Path,
    contents: &Contents,
    stored: &Versions,
    now: SystemTime,
) -> Result<(), export::ExportError> {
    let exports = Exports::of_store(dir);
    let path = exports.prepare(Occasion::BeforeUpgrade, now)?;
    let records = contents.entries.iter();
    export::write(&path, records.map(|(t, k, v)| (t.as_str(), &**k, &**v)), stored, now)?;
    exports.prune(Occasion::BeforeUpgrade)
}

/// The record's new envelope; none if it needs no change.
fn migrate(dir: &Path, table: &Table, key: &[u8], old: &[u8]) -> Result<Option<Bytes>, OpenError> {
    let unreadable = |source| OpenError::Record {
        exports: exports::folder(dir),
        source: StoreError::Unreadable {
            table: table.name,
            key: readable(key),
            source: Arc::new(source),
        },
    };
    let (from, mut data) = record::open(old).map_err(unreadable)?;
    if from == table.version {
        return Ok(None);
    }
    if from > table.version {
        let (stored, known) = (from, table.version);
        return Err(OpenError::Newer { table: table.name.to_owned(), stored, known });
    }
    for version in from..table.version {
        data = (table.migrate)(version, data).map_err(|source| OpenError::Migrate {
            table: table.name.to_owned(),
            key: readable(key),
            from: version,
            to: version + 1,
            source,
        })?;
    }
    let sealed = record::seal(table.version, &data).map_err(unreadable)?;
    let checked = match sealed.len() {
        size if size > MAX_VALUE => Err(StoreError::RecordTooLarge {
            table: table.name,
            key: readable(key),
            size,
            limit: MAX_VALUE,
        }),
        _ => (table.check)(key, &sealed),
    };
    checked.map_err(|source| OpenError::Record { exports: exports::folder(dir), source })?;
    Ok(Some(sealed))
}
