//! Scenarios of a start's stages: a volume and an image in a directory, real databases, the real program.

mod capacity;
mod database;
pub(crate) mod front;
mod lock;
mod mariadb;
mod migrate;
mod mounts;
mod program;
mod volume;
