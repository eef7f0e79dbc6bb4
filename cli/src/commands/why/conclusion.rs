//! One conclusion out of what the server knows and what was seen from here. Pure.

use api::Why;

use crate::client::look::{Sight, Step};

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conclusion {
    pub(super) answers: bool,
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

pub(super) fn conclude(why: &Why, sight: &Sight) -> Conclusion {
    let url = &why.url;
    let app = why.app.as_deref().unwrap_or("APP");
    let answers = |text| Conclusion { answers: true, text, hint: None };
    let silent = |text: String, hint: String| {
        // What the server knows to be wrong is the cause of what is seen here.
        let (text, hint) = match &why.obstacle {
            Some(obstacle) => (obstacle.clone(), why.hint.clone().or(Some(hint))),
            None => (text, Some(hint)),
        };
        Conclusion { answers: false, text, hint }
    };
    match &sight.answer {
        Some((status @ 500.., _)) => {
            silent(format!("{url} answers {status}"), format!("`paas logs -a {app}`"))
        }
        // The edge's own page for a name that nobody has.
        Some((404, _)) if why.app.is_none() => {
            silent(format!("{url} answers 404"), format!("`paas domains add HOST -a {app}`"))
        }
        Some((status @ 300..=399, Some(to))) => {
            answers(format!("{url} answers {status} and sends to {to}"))
        }
        Some((status, _)) => answers(format!("{url} answers {status}")),
        None => {
            let (text, hint) = broken(why, sight);
            silent(text, hint)
        }
    }
}

/// Where the way from here ends.
fn broken(why: &Why, sight: &Sight) -> (String, String) {
    let last = sight.steps.last();
    let fault = last.and_then(|seen| seen.fact.as_ref().err()).map_or("", String::as_str);
    let leads: Vec<String> = sight.addresses.iter().map(ToString::to_string).collect();
    let here = leads.iter().any(|address| why.addresses.contains(address));
    match last.map(|seen| seen.step) {
        Some(Step::Resolve) => (
            format!("its name does not resolve here: {fault}"),
            "`paas domains check HOST` says which records it needs; a new one takes a while"
                .to_owned(),
        ),
        Some(Step::Connect) if sight.addresses.iter().all(std::net::IpAddr::is_loopback) => (
            format!("nothing listens on this machine: {fault}"),
            "names below `localhost` are each machine's own: give the server a domain with \
             `paas server --domain`, or look from the server"
                .to_owned(),
        ),
        Some(Step::Connect) if !here && !why.addresses.is_empty() => (
            format!(
                "it leads to {} here, where nothing answers; the server is at {}",
                leads.join(", "),
                why.addresses.join(", ")
            ),
            "`paas domains check HOST` says which records it needs".to_owned(),
        ),
        Some(Step::Connect) => (
            format!("{} cannot be reached: {fault}", leads.join(", ")),
            "is there a firewall in between? `paas status` says where the server listens"
                .to_owned(),
        ),
        Some(Step::Handshake) => {
            (format!("TLS fails: {fault}"), "`paas certs` shows what proves the name".to_owned())
        }
        Some(Step::Answer) => (
            format!("{} gives no answer: {fault}", why.url),
            format!("`paas logs -a {}`", why.app.as_deref().unwrap_or("APP")),
        ),
        None => (format!("{} cannot be asked for", why.url), "`paas status`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::look::Seen;

    fn why(obstacle: Option<&str>) -> Why {
        Why {
            url: "http://shop.test".to_owned(),
            app: Some("shop".to_owned()),
            addresses: vec!["192.0.2.1".to_owned()],
            links: Vec::new(),
            obstacle: obstacle.map(str::to_owned),
            hint: obstacle.map(|_| "mend it".to_owned()),
        }
    }

    fn sight(address: &str, step: Step, fault: &str) -> Sight {
        let fact = Err(fault.to_owned());
        let steps = vec![Seen { step, fact, took: Duration::ZERO }];
        Sight { steps, addresses: address.parse().into_iter().collect(), answer: None }
    }

    fn answer(status: u16, to: Option<&str>) -> Sight {
        Sight { answer: Some((status, to.map(str::to_owned))), ..Sight::default() }
    }

    #[track_caller]
    fn check(why: &Why, sight: &Sight, expected: &str) {
        let Conclusion { answers, text, hint } = conclude(why, sight);
        let mark = if answers { '+' } else { '-' };
        let said = format!("{mark} {text}, {}", hint.unwrap_or_default());
        assert_eq!(said, expected);
    }

    #[test]
    fn an_answer_is_one_whatever_else_is_wrong() {
        check(&why(None), &answer(200, None), "+ http://shop.test answers 200, ");
        check(&why(Some("no certificate")), &answer(404, None), "+ http://shop.test answers 404, ");
        let moved = answer(308, Some("https://shop.test/"));
        let said = "+ http://shop.test answers 308 and sends to https://shop.test/, ";
        check(&why(None), &moved, said);
    }

    #[test]
    fn what_the_server_knows_is_the_cause_of_what_is_seen() {
        check(&why(Some("it is stopped")), &answer(503, None), "- it is stopped, mend it");
        let said = "- http://shop.test answers 502, `paas logs -a shop`";
        check(&why(None), &answer(502, None), said);
        let nobody = Why { app: None, ..why(Some("no app has it")) };
        check(&nobody, &answer(404, None), "- no app has it, mend it");
        let refused = sight("192.0.2.1", Step::Connect, "refused");
        check(&why(Some("it leads elsewhere")), &refused, "- it leads elsewhere, mend it");
    }

    #[test]
    fn where_the_way_ends_says_what_to_look_at() {
        for (address, step, expected) in [
            (
                "",
                Step::Resolve,
                "- its name does not resolve here: x, `paas domains check HOST` says which \
                 records it needs; a new one takes a while",
            ),
            (
                "127.0.0.1",
                Step::Connect,
                "- nothing listens on this machine: x, names below `localhost` are each \
                 machine's own: give the server a domain with `paas server --domain`, or look \
                 from the server",
            ),
            (
                "192.0.2.7",
                Step::Connect,
                "- it leads to 192.0.2.7 here, where nothing answers; the server is at 192.0.2.1, \
                 `paas domains check HOST` says which records it needs",
            ),
            (
                "192.0.2.1",
                Step::Connect,
                "- 192.0.2.1 cannot be reached: x, is there a firewall in between? `paas status` \
                 says where the server listens",
            ),
            (
                "192.0.2.1",
                Step::Handshake,
                "- TLS fails: x, `paas certs` shows what proves the name",
            ),
            (
                "192.0.2.1",
                Step::Answer,
                "- http://shop.test gives no answer: x, `paas logs -a shop`",
            ),
        ] {
            check(&why(None), &sight(address, step, "x"), expected);
        }
    }
}
