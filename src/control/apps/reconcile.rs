//! The pass that makes apps so: snapshot → observe → publish routes → plan → execute → publish.
//!
//! Invariant: the edge's table is published before any step that it must precede; an instance is
//! told to end only in a later pass, when the edge has confirmed that it sends nothing more.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use proxy::{Certificates, Table, Traffic};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use crate::{
    clock,
    control::{
        apps::{
            balance,
            execute::{ExecuteError, Executor},
            health::Prober,
            lingering,
            measure::Measurements,
            placement::{self, Machine, Seating},
            plan,
            questions::Target,
            rebalance, rollout, slots,
            state::{self, AppState},
            supply,
            tallies::{self, Tallies},
            unrouted::Unrouted,
        },
        routes::{self, Ground, Routes},
        task::Task,
    },
    engine::Engine,
    model::{
        AppName, ContainerId, EventKind, Health, Instance, InstanceState, NodeName, Observation,
        Observed, Rebalance, Timestamp,
    },
    node::{Edges, edges},
    store::{StoreError, Transaction, View},
    telemetry::chain,
};

/// The task that reconciles apps.
#[derive(Debug)]
pub struct Apps<E: Engine> {
    /// What does the steps.
    pub executor: Executor<E>,
    /// Who asks the instances.
    pub prober: Prober<E>,
    /// The edge, whose figures say who is drained.
    pub edges: Edges,
    /// Changes when its figures may.
    pub edge_changes: edges::Changes,
    /// What this machine is called among nodes.
    pub here: NodeName,
    /// Where its table is published.
    pub table: watch::Sender<Arc<Table>>,
    /// Where the observation is published.
    pub observation: watch::Sender<Arc<Observation>>,
    /// What routes are made of besides the apps.
    pub ground: Ground,
    /// What the edge presents: where that changes, so does what is sent to TLS.
    pub certificates: watch::Receiver<Arc<Certificates>>,
    /// What a pass remembers for the next one; all of it could be observed again.
    pub memory: Memory,
    /// Ticks of the engine.
    pub ticks: Ticks,
    /// Moves with every commit of the store.
    pub commits: watch::Receiver<u64>,
}

/// The engine's ticks, while the connection that brings them lasts.
#[derive(Default)]
pub struct Ticks(Option<BoxStream<'static, ()>>);

impl std::fmt::Debug for Ticks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Ticks(connected)" } else { "Ticks(none)" })
    }
}

impl Ticks {
    /// Ends with the next tick, or never while there is no connection.
    async fn next(&mut self) {
        match &mut self.0 {
            Some(stream) => {
                if stream.next().await.is_none() {
                    self.0 = None;
                }
            }
            None => std::future::pending::<()>().await,
        }
    }
}

/// What a pass remembers for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    unrouted: Unrouted,
    usage: Measurements,
    tallies: Tallies,
    look_again: Option<Timestamp>,
    busy: bool,
    /// The last fault of each app that people were told of.
    told: BTreeMap<AppName, String>,
}

impl<E: Engine> Task for Apps<E> {
    const NAME: &'static str = "apps";
    type Error = StoreError;

    async fn wait(&mut self) {
        let now = clock::now();
        let timer = self.memory.look_again.map_or(PERIOD, |at| at.since(now).min(PERIOD));
        let timer = if self.memory.busy { timer.min(BUSY_PERIOD) } else { timer };
        let health: Arc<Notify> = self.prober.changed();
        tokio::select! {
            _ = self.commits.changed() => {}
            () = health.notified() => {}
            _ = self.edge_changes.changed() => {}
            _ = self.certificates.changed() => {}
            () = self.ticks.next() => {}
            () = sleep(timer) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), StoreError> {
        self.commits.mark_unchanged();
        let now = clock::now();
        let snapshot = self.executor.store.snapshot();
        let instances = match self.executor.engine.instances().await {
            Ok(instances) => instances,
            Err(error) => {
                self.blind(&chain(&error));
                return Ok(());
            }
        };
        if self.ticks.0.is_none() {
            self.ticks.0 = Some(self.executor.engine.changes());
        }
        self.executor.vault.mask()?;
        self.executor.vault.tidy(&instances, now);
        self.executor.collector.sync(&instances);
        let mut by_app = state::by_app(instances);
        let mut states = AppState::load_all(&snapshot, &by_app)?;
        let seating = self.seating(&snapshot, (&mut states, &by_app)).await?;
        let imbalance = balance::imbalance(&seating, &states, &by_app);
        let turn = rebalance::turn(snapshot.get::<Rebalance>(&())?, &states, &imbalance);
        let doors = self.executor.engine.reach(&ports(&states, &by_app)).await;
        for instance in by_app.values_mut().flatten() {
            instance.door = doors.get(&instance.id).copied();
        }
        self.probe(&states, &by_app);
        let traffic = self.edges.traffic();
        let there = by_app.values().flatten().map(|instance| &instance.id).collect();
        self.executor.forget_all_but(&there);
        self.memory.unrouted.note(&self.table.borrow(), traffic.applied, &there, now);
        self.memory.usage.measure(&self.executor.engine, &by_app, now).await;
        self.memory.tallies.count(&states, &by_app, |id| {
            tallies::sample(traffic.upstreams.get(&routes::upstream_id(id)))
        });
        let by_app = self.without_orphans(by_app, &states).await;
        let seen = self.observe(by_app, &traffic);
        self.ground.certificates = self.certificates.borrow_and_update().clone();
        self.publish_routes(Routes::of(&snapshot, &states, &seen, (&self.ground, now))?);
        self.publish(Observation {
            at: now,
            apps: seen.clone(),
            waiting: slots::waiting(&states, &seen, now),
            pending: slots::pending(&states, &seen, now),
            lingering: lingering::by_container(&states, &seen, now),
            doubts: self.prober.doubts(),
            imbalance,
            engine_fault: None,
        });
        self.act(states, &seen, (seating, now)).await;
        match turn {
            Some(turn) => {
                let take = move |tx: &mut Transaction<'_>| rebalance::take(tx, turn, now);
                self.executor.store.transact(take).await
            }
            None => Ok(()),
        }
    }
}

impl<E: Engine> Apps<E> {
    /// Where instances can be, which the states are told; and machines are sent what they lack for that.
    async fn seating(
        &mut self,
        view: &impl View,
        (states, there): (&mut BTreeMap<AppName, AppState>, &BTreeMap<AppName, Vec<Instance>>),
    ) -> Result<Seating, StoreError> {
        for state in states.values_mut() {
            state.look_for_volumes(view, &self.here)?;
        }
        let engine = &self.executor.engine;
        let supply = supply::of(view, states, engine).await?;
        let mut machines = Machine::all(view, &self.here, engine.seats())?;
        placement::note_lacking(&mut machines, &supply.lacking);
        engine.provide(supply);
        let seating = Seating::of(machines, states, there);
        for state in states.values_mut() {
            state.nowhere = seating.nowhere(state);
        }
        Ok(seating)
    }

    /// Plans and executes, app by app; a fault of one does not touch the others.
    async fn act(
        &mut self,
        states: BTreeMap<AppName, AppState>,
        seen: &BTreeMap<AppName, Vec<Observed>>,
        (mut seating, now): (Seating, Timestamp),
    ) {
        self.memory.look_again = None;
        self.memory.busy = false;
        let published = self.table.borrow().generation;
        let applied = self.edges.traffic().applied.is_some_and(|applied| applied >= published);
        for (name, state) in states {
            let seen = seen.get(&name).map_or(&[][..], Vec::as_slice);
            let mut plan = plan::plan(&state, seen, now);
            seating.place(&mut plan, seen);
            // A table that is published is not yet one that every worker of the edge routes by.
            plan.steps.retain(|step| applied || !rollout::has_shifted(&state, step));
            self.memory.busy |= state.rollout.is_some() || !plan.steps.is_empty();
            self.memory.look_again =
                self.memory.look_again.into_iter().chain(plan.look_again).min();
            match self.executor.execute(&name, plan.steps, clock::now()).await {
                // It is news if it comes back.
                Ok(()) => drop(self.memory.told.remove(&name)),
                Err(error) => {
                    let told = chain(&error);
                    tracing::warn!(app = %name, error = %told, "a step failed");
                    if matches!(error, ExecuteError::Vault(_)) {
                        self.tell_once(&name, told).await;
                    }
                    let again = now.plus(AFTER_FAULT);
                    let look_again = self.memory.look_again.into_iter().chain([again]);
                    self.memory.look_again = look_again.min();
                }
            }
        }
    }

    /// Tells people what they alone can mend, when it is news.
    async fn tell_once(&mut self, app: &AppName, text: String) {
        if self.memory.told.get(app) != Some(&text) {
            let told = self.executor.tell(app, EventKind::Instance, text.clone(), clock::now());
            if told.await.is_ok() {
                self.memory.told.insert(app.clone(), text);
            }
        }
    }

    /// The engine cannot be asked: what was seen last stays published, with the reason.
    fn blind(&mut self, fault: &str) {
        self.ticks.0 = None;
        self.memory.busy = true;
        // A moment that has come would have it asked again at once, for ever.
        self.memory.look_again = None;
        if self.observation.borrow().engine_fault.as_deref() == Some(fault) {
            return;
        }
        tracing::warn!(%fault, "the container engine does not answer");
        self.observation.send_modify(|last| {
            let mut next = Observation::clone(last);
            next.engine_fault = Some(fault.to_owned());
            *last = Arc::new(next);
        });
    }

    /// Leaves out, and removes, what belongs to apps that are not on record.
    async fn without_orphans(
        &mut self,
        mut by_app: BTreeMap<AppName, Vec<Instance>>,
        states: &BTreeMap<AppName, AppState>,
    ) -> BTreeMap<AppName, Vec<Instance>> {
        let orphaned: Vec<AppName> =
            by_app.keys().filter(|name| !states.contains_key(*name)).cloned().collect();
        for name in orphaned {
            let containers = by_app.remove(&name).unwrap_or_default();
            if let Err(error) = self.executor.remove_orphans(&name, containers).await {
                tracing::warn!(app = %name, error = %chain(&error), "an orphan stays");
            }
        }
        by_app
    }

    fn probe(
        &mut self,
        states: &BTreeMap<AppName, AppState>,
        by_app: &BTreeMap<AppName, Vec<Instance>>,
    ) {
        let mut targets = BTreeMap::new();
        for (name, instances) in by_app {
            let Some(state) = states.get(name) else { continue };
            let target = |instance: &Instance| {
                let target = Target::of(state, instance, &self.ground.domain)?;
                Some((instance.id.clone(), target))
            };
            targets.extend(instances.iter().filter_map(target));
        }
        self.prober.sync(targets);
    }

    fn observe(
        &self,
        by_app: BTreeMap<AppName, Vec<Instance>>,
        traffic: &Traffic,
    ) -> BTreeMap<AppName, Vec<Observed>> {
        let observe = |instance: Instance| {
            let id = &instance.id;
            let figures = traffic.upstreams.get(&routes::upstream_id(id));
            Observed {
                health: match instance.state {
                    InstanceState::Running { .. } => self.prober.health(id),
                    InstanceState::Created | InstanceState::Exited(_) => Health::UNKNOWN,
                },
                in_flight: figures.map_or(0, |figures| figures.in_flight as u64),
                unrouted_since: self.memory.unrouted.since(id),
                unchosen_since: self.memory.unrouted.unchosen_since(id),
                stopping_since: self.executor.stopping.get(id).copied(),
                output_kept: self.executor.collector.is_drained(id),
                tried: self.memory.tallies.of(&instance.app, id),
                usage: self.memory.usage.of(id),
                instance,
            }
        };
        by_app
            .into_iter()
            .map(|(name, instances)| (name, instances.into_iter().map(observe).collect()))
            .collect()
    }

    fn publish_routes(&self, routes: Routes) {
        let present = self.table.borrow().clone();
        if !routes.equals(&present) {
            self.table.send_replace(Arc::new(routes.into_table(present.generation + 1)));
        }
    }

    /// That time has passed is no news, unless nobody had looked before.
    fn publish(&self, mut next: Observation) {
        self.observation.send_if_modified(|last| {
            let at = std::mem::replace(&mut next.at, last.at);
            let differs = next != **last || !last.has_looked();
            *last = Arc::new(Observation { at, ..next });
            differs
        });
    }
}

/// Which port of each instance is asked for.
fn ports(
    states: &BTreeMap<AppName, AppState>,
    by_app: &BTreeMap<AppName, Vec<Instance>>,
) -> BTreeMap<ContainerId, u16> {
    let port = |(state, instance): (&AppState, &Instance)| {
        let process = state.process_of(instance.incarnation, &instance.slot)?;
        Some((instance.id.clone(), process.port?))
    };
    let of_app = |(name, instances)| Some((states.get(name)?, instances));
    let all = by_app.iter().filter_map(of_app);
    all.flat_map(|(state, instances): (_, &Vec<_>)| instances.iter().map(move |one| (state, one)))
        .filter_map(port)
        .collect()
}

/// Without any sign of change it looks again after so long: events can be lost.
const PERIOD: Duration = Duration::from_secs(5);

/// The same while something is under way.
const BUSY_PERIOD: Duration = Duration::from_millis(500);

/// After a step that failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);
