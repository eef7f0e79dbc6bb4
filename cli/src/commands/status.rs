//! `paas status`.

use api::{App, Server};
use clap::Args;

use super::apps;
use crate::{
    args::Format,
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// Show how the server and all apps are
#[derive(Debug, Clone, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    format: Format,
}

impl Status {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (client, ui) = (session.client()?, &session.ui);
        let server = client.get(route::SERVER).await?;
        let apps = client.get(route::APPS).await?;
        if self.format.json {
            return ui.json(&format!(r#"{{"server":{},"apps":{}}}"#, server.text(), apps.text()));
        }
        let server: Server = server.read()?;
        session.learn(&server.controls);
        let apps: Vec<App> = apps.read()?;
        ui.table(&summary(&server))?;
        if apps.is_empty() {
            return Ok(());
        }
        ui.data("")?;
        ui.table(&apps::overview(&apps))
    }
}

fn summary(server: &Server) -> Table {
    let mut table = Table::pairs();
    table.row(["Server".to_owned(), format!("{}, paas {}", server.node, server.version)]);
    table.row(["You are".to_owned(), server.user.clone()]);
    table.row(["Edge".to_owned(), format!("{}, apps at *.{}", server.edge_url, server.domain)]);
    let listening = [("HTTP", &server.http), ("HTTPS", &server.https), ("DNS", &server.dns)];
    for (name, addresses) in listening.into_iter().filter(|(_, addresses)| !addresses.is_empty()) {
        table.row([name.to_owned(), format!("at {}", addresses.join(", "))]);
    }
    let engine = match (&server.engine_fault, &server.engine_version) {
        (Some(fault), _) => format!("not usable: {fault}"),
        (None, Some(version)) => format!("Docker {version}"),
        (None, None) => "not looked at yet".to_owned(),
    };
    table.row(["Engine".to_owned(), engine]);
    table.row(["Base images".to_owned(), server.stack.clone()]);
    // A server of before there was one says nothing.
    if !server.firewall.is_empty() {
        table.row(["Firewall".to_owned(), server.firewall.clone()]);
    }
    if let Some(kept) = &server.kept {
        let of = |bytes, what: &str| format!("{} {what}", ui::bytes(bytes));
        let parts = [
            of(kept.apps, "of apps"),
            of(kept.shared, "that they share"),
            of(kept.toolchains, "of toolchains"),
        ];
        table.row(["Builds keep".to_owned(), parts.join(", ")]);
    }
    table.row(["Disk".to_owned(), format!("{} free", ui::bytes(server.disk_free))]);
    table.row(["Memory".to_owned(), format!("{} used by the server", ui::bytes(server.memory))]);
    table
}
