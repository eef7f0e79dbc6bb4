//! The store from outside, on real disks: what it keeps (`crash`, `full`), what it promises to
//! callers (`records`), and how it grows older (`upgrade`, `exports`).

mod cell;
mod disk;

mod crash;
mod exports;
mod full;
mod records;
mod upgrade;
