//! Manifests: kept by their digest, and deployed by a tag. The answer says that a deploy is recorded, not that
//! it serves: nobody who pushes an image is shown more than one line.

use std::pin::pin;

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;

use super::{
    Client, named, shelf,
    told::{Code, Told},
};
use crate::{
    build::{
        Parts,
        stack::{TARGET_ARCH, TARGET_OS},
    },
    model::{AppName, BlobDigest, Pushed},
    registry::{self, Image, MAX_MANIFEST, Manifest, Platform, Reference, Shelf, Variant},
    server::{
        patient::patient,
        state::Api,
        uploads::{Arrival, Order, accept_image},
    },
};

/// Whether a manifest was pushed lately, which builders ask before they push it again. What a tag means is
/// not told: whoever pushes one means the deploy.
pub(super) async fn head(
    _: Client,
    State(api): State<Api>,
    Path((name, reference)): Path<(String, String)>,
) -> Result<Response, Told> {
    let (app, own) = shelf(&api, &name)?;
    let found = match parsed(&reference)? {
        Reference::Tag(_) => None,
        Reference::Digest(digest) => {
            let bytes = if own.size(&digest)?.is_some() { own.manifest(&digest)? } else { None };
            let kind = bytes.as_deref().and_then(registry::media_type);
            bytes.zip(kind).map(|(bytes, kind)| (digest, bytes.len(), kind))
        }
    };
    let Some((digest, size, kind)) = found else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let about = [(header::CONTENT_LENGTH, size.to_string()), (header::CONTENT_TYPE, kind)];
    Ok((about, named(place(&app, &digest), &digest)).into_response())
}

pub(super) async fn take(
    client: Client,
    State(api): State<Api>,
    Path((name, reference)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    let (app, own) = shelf(&api, &name)?;
    let reference = parsed(&reference)?;
    let bytes = whole(body).await?;
    let digest = registry::digest(&bytes);
    match reference {
        Reference::Digest(wanted) if wanted != digest => {
            let what = format!("the manifest that came is {digest}");
            return Err(Told::new(Code::DigestInvalid, what));
        }
        // A part of something larger, which is judged when a tag says what it is for.
        Reference::Digest(_) => drop(own.put(&bytes)?),
        Reference::Tag(tag) => {
            let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let image = chosen(&own, Manifest::parse(&bytes, kind)?)?;
            let parts = present(&own, image)?;
            own.put(&bytes)?;
            let pushed = Some(Pushed { tag, digest: digest.clone() });
            let (by, order) = (&client.actor, Order::default());
            let arrival = Arrival { app: &app, by, earlier: None, commit: None, pushed, order };
            let uploaded = accept_image(&api, arrival, parts, own.blobs()).await?;
            tracing::info!(%app, %digest, ?uploaded, "an image was pushed");
        }
    }
    Ok((StatusCode::CREATED, named(place(&app, &digest), &digest)).into_response())
}

/// The image, or of several platforms' the one that runs here.
fn chosen(own: &Shelf, manifest: Manifest) -> Result<Image, Told> {
    let variants = match manifest {
        Manifest::Image(image) => return Ok(image),
        Manifest::Index(variants) => variants,
    };
    let here = Platform { os: TARGET_OS.to_owned(), architecture: TARGET_ARCH.to_owned() };
    let Some(Variant { manifest, .. }) = Manifest::choose(&variants, &here) else {
        let what = format!("of its platforms none is {TARGET_OS}/{TARGET_ARCH}, as this server is");
        let hint = format!("`docker build --platform {TARGET_OS}/{TARGET_ARCH} …`, and push that");
        return Err(Told::new(Code::Unsupported, what).hint(hint));
    };
    let bytes = own.manifest(manifest)?.ok_or_else(|| lacking(manifest))?;
    match Manifest::parse(&bytes, None)? {
        Manifest::Image(image) => Ok(image),
        Manifest::Index(_) => {
            Err(Told::new(Code::Unsupported, "an index of indexes is not looked into"))
        }
    }
}

/// Its parts, if all of them are here.
fn present(own: &Shelf, image: Image) -> Result<Parts, Told> {
    for blob in [&image.config].into_iter().chain(&image.layers) {
        let size = own.size(&blob.digest)?.ok_or_else(|| lacking(&blob.digest))?;
        if size != blob.size {
            let what = format!("{} has {size} bytes, not {}", blob.digest, blob.size);
            return Err(Told::new(Code::SizeInvalid, what));
        }
    }
    let layers = image.layers.into_iter().map(|layer| layer.digest).collect();
    Ok(Parts { config: image.config.digest, layers })
}

fn lacking(digest: &BlobDigest) -> Told {
    Told::new(Code::ManifestBlobUnknown, format!("{digest}, which it names, was not pushed"))
        .hint("push again: `docker push`")
}

fn parsed(reference: &str) -> Result<Reference, Told> {
    reference.parse().map_err(|error| Told::new(Code::ManifestInvalid, format!("{error}")))
}

async fn whole(body: Body) -> Result<Vec<u8>, Told> {
    let (mut pieces, mut bytes) = (pin!(patient(body)), Vec::new());
    while let Some(piece) = pieces.next().await.transpose()? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_MANIFEST {
            let what = format!("a manifest has {MAX_MANIFEST} bytes at most");
            return Err(Told::new(Code::Denied, what));
        }
    }
    Ok(bytes)
}

fn place(app: &AppName, digest: &BlobDigest) -> String {
    format!("/v2/{app}/manifests/{digest}")
}
