//! Statements over archives on several machines: the same SQL, the same rows.
//!
//! A session that was [`connect`]ed plans every statement as before. With workers in its setting
//! `aiops.workers` it then lets `datafusion-distributed` cut the plan into stages, which the workers
//! run: each reads its share of the files, and they exchange rows among themselves.
//!
//! ```text
//! cluster_planner  a statement -> a plan for one machine: scalar subqueries first, live tables refused
//!   scalars_first  subqueries that are one value are run, and their values become literals
//! cluster_exec     that plan on the workers that answer; again without one that has died
//!   local_rows     what only this process can read, sent as rows
//!   divide         which files and byte ranges each worker reads
//!   settings       aiops.workers, and the settings of the session that workers are told
//! worker_pool      the workers: addresses, health, versions
//!   channels       connections with the token and the certificates of `security`
//! worker           the process that runs stages
//! ```
//!
//! The coordinator and its workers must have the same version. They need not trust the network: see
//! [`Security`].

mod aiops_workers;
mod channels;
mod cluster_exec;
mod cluster_planner;
mod divide;
mod local_rows;
mod planned;
mod scalars_first;
mod security;
mod settings;
mod worker;
mod worker_pool;

pub use cluster_planner::connect;
pub use security::Security;
pub use worker::{WorkerOptions, WorkerServer};
