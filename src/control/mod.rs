//! What makes it so: desired state → actual state.
//!
//! Every part is a [`task::Task`]: a loop that waits, then makes a pass. A pass takes no input; it looks
//! at what is wanted (the store) and at what is (the engine), plans purely, does what the plan
//! says, and publishes what changed. It never retries inside: the driver comes back.
//!
//! Absent on purpose: any decision made while executing, any state that would be lost with the
//! process and could not be observed again, any knowledge of HTTP or of who asked.

pub mod apps;
pub mod backups;
pub mod builds;
pub mod certificates;
pub mod cron;
pub mod domains;
pub mod firewall;
pub mod names;
pub mod routes;
pub mod runs;
pub mod standstill;
pub mod sweep;
pub mod task;
pub mod volumes;
pub mod zones;
