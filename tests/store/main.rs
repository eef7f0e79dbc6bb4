//! The store from outside, on real disks: what it keeps (`crash`, `full`), what it promises to
//! callers (`records`), how it grows older
//! (`upgrade`, `exports`), and how several machines keep it (`quorum`).

mod cell;
mod disk;

mod crash;
mod exports;
mod full;
mod quorum;
mod records;
mod upgrade;
