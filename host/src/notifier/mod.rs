//! The notifier: raises alarms about jobs that wait or run too long, and delivers what was promised.
//!
//! Two loops that meet in rows: [`decide`] turns a job's due alarm into deliveries, [`deliver`] brings due deliveries to
//! their addresses through delivery plugins and tries again where that could help. The notification of a failed job is
//! promised by the transaction that ends it, in the store.

pub mod decide;
pub mod deliver;
