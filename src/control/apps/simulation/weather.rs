//! What goes wrong: sick instances, an engine that fails, people who meddle with containers behind
//! our back.

use std::net::{Ipv4Addr, SocketAddr};

use super::world::{Weather, World, span};
use crate::{
    engine::fake::{Behaviour, Fault, OnTerminate},
    model::{ContainerId, Health},
};

impl World {
    /// One misfortune, perhaps.
    pub(super) fn misfortune(&mut self) {
        let containers: Vec<ContainerId> = self.fake.containers().into_keys().collect();
        let victim = self.dice.choice(&containers).cloned();
        match (self.dice.u8(..100), victim) {
            (0..12, _) => {
                let nth = self.dice.u64(1..6);
                let faults = [Fault::Refuses, Fault::ActsAndFails, Fault::MakesOnly];
                let fault = *self.dice.choice(&faults).expect("there are some");
                self.tell(format!("engine: call {nth} from now {fault:?}"));
                self.fake.fail(nth, fault);
            }
            (12..17, Some(id)) => {
                self.tell(format!("meddler: kills {id}"));
                self.fake.kill(&id);
            }
            (17..22, Some(id)) => {
                self.tell(format!("meddler: removes {id}"));
                self.fake.vanish(&id);
            }
            (22..27, Some(id)) => {
                self.tell(format!("meddler: starts {id}"));
                self.fake.revive(&id);
            }
            (27..32, Some(id)) => {
                self.tell(format!("{id} does not answer any more, or does again"));
                if !self.sick.remove(&id) {
                    self.sick.insert(id);
                }
            }
            (32..36, _) => self.crash(),
            _ => {}
        }
    }

    /// How the next instances behave.
    pub(super) fn roll_behaviours(&mut self) {
        for app in self.apps.clone() {
            let behaviour = self.behaviour();
            self.fake.behave(&app, behaviour);
        }
    }

    pub(super) fn calm_down(&mut self) {
        self.tell("the storm is over");
        self.fake.heal();
        self.sick.clear();
        for app in &self.apps {
            self.fake.behave(app, Behaviour::default());
        }
    }

    fn behaviour(&mut self) -> Behaviour {
        let dice = &mut self.dice;
        let mut one = Behaviour::default();
        match dice.u8(..10) {
            0..4 => one.listens_after = Some(span(dice, 0..3_000)),
            4 => one.listens_after = None,
            _ => {}
        }
        match dice.u8(..20) {
            0..3 => one.exits = Some((span(dice, 1..20_000), 1)),
            3 => one.out_of_memory_after = Some(span(dice, 1..20_000)),
            4 => one.start_error = Some("no such file".to_owned()),
            _ => {}
        }
        match dice.u8(..10) {
            0..3 => one.on_terminate = OnTerminate::EndAfter(span(dice, 1..4_000)),
            3 => one.on_terminate = OnTerminate::Ignore,
            _ => {}
        }
        one
    }

    /// Asks some of the instances whether they are ready; the others keep their last report.
    pub(super) fn probe(&mut self) {
        for id in self.fake.containers().into_keys() {
            if self.dice.u8(..10) < 2 {
                continue;
            }
            let was_ready = matches!(self.health.get(&id), Some(Health::Ready));
            let failing = matches!(self.health.get(&id), Some(Health::Failing { .. }));
            let hung = matches!(self.health.get(&id), Some(Health::Hung { .. }));
            let known = self.health.contains_key(&id);
            let hangs = self.weather == Weather::Stormy && self.dice.u8(..10) < 2;
            let listens = self.fake.is_listening(&id) && !self.sick.contains(&id);
            let health = match (listens, was_ready || failing) {
                (true, _) => Health::Ready,
                (false, _) if hung || (known && hangs) => {
                    Health::Hung { seen: "no answer".to_owned() }
                }
                (false, true) => Health::Failing { seen: "connection refused".to_owned() },
                (false, false) => Health::Starting {
                    seen: Some("connection refused".to_owned()),
                    elsewhere: self.elsewhere(&id),
                },
            };
            self.health.insert(id, health);
        }
    }

    /// Some of those that will never be ready listen where nobody looks.
    fn elsewhere(&self, id: &ContainerId) -> Vec<SocketAddr> {
        let wrong = self.fake.never_listens(id) && id.0.ends_with(['1', '4', '7']);
        wrong.then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))).into_iter().collect()
    }
}
