//! placeholder
use crate::{Error, build::Images, hypervisor::Agent};
use std::path::PathBuf;
pub struct System {
    pub initramfs: PathBuf,
    pub build: u64,
}
pub fn make(_name: &str, _agent: &Agent, _images: &Images) -> Result<System, Error> {
    todo!()
}
