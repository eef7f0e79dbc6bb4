//! The OpenAPI document: schemas come from the wire contract, paths from the table below, which a
//! test holds against the router.

mod arrivals;
mod beside;
mod nodes;
mod operations;
mod volumes;

use axum::Json;
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Document, PathItem, Ref, RefOr, Required, ResponseBuilder, Schema,
        content::ContentBuilder,
        path::{OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder},
        request_body::RequestBodyBuilder,
        schema::{ArrayBuilder, ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use arrivals::ARRIVALS;
use beside::BESIDE;
use nodes::NODES;
use operations::{OPERATIONS, Operation, Shape};
use volumes::VOLUMES;

/// Serves the document; it needs no token.
pub(super) async fn document() -> Json<Document> {
    Json(describe())
}

#[derive(OpenApi)]
#[openapi(
    info(title = "paas", description = "Deploy, run, scale and watch apps on your own server."),
    components(schemas(
        api::AddDomain,
        api::AddKey,
        api::AddRecord,
        api::App,
        api::Awaited,
        api::Backup,
        api::BackupKeys,
        api::Build,
        api::Certificate,
        api::Change,
        api::Commit,
        api::PushedImage,
        api::Config,
        api::ConfigPatch,
        api::CreateApp,
        api::CreateJoinToken,
        api::CreateVolume,
        api::CronJob,
        api::CronRun,
        api::Declared,
        api::Difference,
        api::DeployRef,
        api::DeployUrl,
        api::DnsSetting,
        api::Domain,
        api::Drained,
        api::Event,
        api::Fault,
        api::FaultCode,
        api::Frame,
        api::Git,
        api::GitRef,
        api::ImportBackupKeys,
        api::ImportedBackupKeys,
        api::Instance,
        api::InstanceProgress,
        api::Join,
        api::JoinToken,
        api::Joined,
        api::Kept,
        api::Key,
        api::Keys,
        api::LabelsPatch,
        api::LastBackup,
        api::Link,
        api::LogLine,
        api::Move,
        api::NewJoinToken,
        api::Node,
        api::Pin,
        api::Plan,
        api::Pointing,
        api::Promotion,
        api::Rebalance,
        api::Record,
        api::Release,
        api::Remark,
        api::Watched,
        api::MoveVolume,
        api::RestoreVolume,
        api::Why,
        api::Rollback,
        api::Rotation,
        api::Rollout,
        api::Run,
        api::Scale,
        api::Secret,
        api::SecretsPatch,
        api::Server,
        api::Snapshot,
        api::session::Size,
        api::session::Terminal,
        api::SetBranch,
        api::SetMaintenance,
        api::SetPin,
        api::SetProtection,
        api::Shift,
        api::SshHost,
        api::StartRun,
        api::SupplyCertificate,
        api::Volume,
        api::Zone,
    ))
)]
struct Schemas;

fn describe() -> Document {
    let mut document = Schemas::openapi();
    let mut paths = PathsBuilder::new();
    for operation in all() {
        let (path, method, item) = (operation.path, operation.method.clone(), item(operation));
        paths = paths.path(path, PathItem::new(method, item));
    }
    document.paths = paths.build();
    if let Some(components) = &mut document.components {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    document
}

fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().chain(ARRIVALS).chain(VOLUMES).chain(BESIDE).chain(NODES)
}

fn item(operation: &Operation) -> utoipa::openapi::path::Operation {
    let text = || RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build()));
    let mut builder = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .summary(Some(operation.summary))
        .response("default", response("Why it was not done", One("Fault")))
        .response("200", response("Done", operation.gives));
    let in_path =
        operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in in_path {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
        builder = builder.parameter(parameter.required(Required::True).schema(Some(text())));
    }
    for name in operation.query {
        let parameter = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Query);
        builder = builder.parameter(parameter.required(Required::False).schema(Some(text())));
    }
    if let Some((kind, schema)) = body(operation.takes) {
        let content = ContentBuilder::new().schema(schema).build();
        builder =
            builder.request_body(Some(RequestBodyBuilder::new().content(kind, content).build()));
    }
    builder.build()
}

fn response(description: &str, shape: Shape) -> utoipa::openapi::Response {
    let builder = ResponseBuilder::new().description(description);
    match body(shape) {
        Some((kind, schema)) => {
            builder.content(kind, ContentBuilder::new().schema(schema).build()).build()
        }
        None => builder.build(),
    }
}

use Shape::{Lines, Many, One, Tar, Text};

fn body(shape: Shape) -> Option<(&'static str, Option<RefOr<Schema>>)> {
    let named = |name: &str| RefOr::Ref(Ref::from_schema_name(name));
    match shape {
        Shape::None => None,
        One(name) => Some(("application/json", Some(named(name)))),
        Many(name) => {
            let list = ArrayBuilder::new().items(named(name)).build();
            Some(("application/json", Some(RefOr::T(Schema::Array(list)))))
        }
        Lines(name) => Some((api::NDJSON, Some(named(name)))),
        Text => Some(("text/plain", None)),
        Tar => Some(("application/x-tar", None)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let document = serde_json::to_value(describe()).unwrap();
        let known = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name: String = reference.chars().take_while(char::is_ascii_alphanumeric).collect();
            assert!(known.contains_key(&name), "{name} is referred to and not described");
        }
    }

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let source = include_str!("../mod.rs");
        let routes = source.split(".route(").skip(1).filter_map(|text| text.split('"').nth(1));
        let routes: BTreeSet<&str> = routes.filter(|path| *path != "/v1/openapi.json").collect();
        let described: BTreeSet<&str> = all().map(|it| it.path).collect();
        assert_eq!(routes, described);
    }
}
