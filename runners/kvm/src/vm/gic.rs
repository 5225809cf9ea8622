//! The interrupt controller: KVM's own, of the kind that the machine has.

use kvm_bindings::{
    KVM_DEV_ARM_VGIC_CTRL_INIT, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_DEV_ARM_VGIC_GRP_CTRL,
    KVM_VGIC_V2_ADDR_TYPE_CPU, KVM_VGIC_V2_ADDR_TYPE_DIST, KVM_VGIC_V3_ADDR_TYPE_DIST,
    KVM_VGIC_V3_ADDR_TYPE_REDIST, kvm_create_device, kvm_device_attr,
    kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
};
use kvm_ioctls::{DeviceFd, VmFd};

use super::{VmError, kvm};
use crate::layout::{CPU_INTERFACE, DISTRIBUTOR, GicKind, REDISTRIBUTORS};

/// The kinds, in the order of preference: a machine with a GICv3 may be able to give its guests either.
const KINDS: [GicKind; 2] = [GicKind::V3, GicKind::V2];

impl GicKind {
    /// KVM's number.
    const fn number(self) -> u32 {
        match self {
            GicKind::V2 => kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2,
            GicKind::V3 => kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
        }
    }

    /// What KVM is to put where (Linux, Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst).
    const fn places(self) -> [(u32, u64); 2] {
        match self {
            GicKind::V2 => [
                (KVM_VGIC_V2_ADDR_TYPE_DIST, DISTRIBUTOR.start),
                (KVM_VGIC_V2_ADDR_TYPE_CPU, CPU_INTERFACE.start),
            ],
            GicKind::V3 => [
                (KVM_VGIC_V3_ADDR_TYPE_DIST, DISTRIBUTOR.start),
                (KVM_VGIC_V3_ADDR_TYPE_REDIST, REDISTRIBUTORS),
            ],
        }
    }
}

/// An interrupt controller in a VM.
#[derive(Debug)]
pub struct Gic {
    device: DeviceFd,
    kind: GicKind,
}

impl Gic {
    /// Makes the VM's interrupt controller, before its vCPUs; `None` where KVM has none to give, without which guests
    /// run all the same, except for cases about interrupts.
    ///
    /// # Errors
    ///
    /// If KVM has one, and does not put it where it belongs.
    pub fn create(vm: &VmFd) -> Result<Option<Self>, VmError> {
        let made = KINDS.into_iter().find_map(|kind| {
            let mut wanted = kvm_create_device {
                type_: kind.number(),
                fd: 0,
                flags: 0,
            };
            let device = vm.create_device(&mut wanted).ok()?;
            Some(Self { device, kind })
        });
        if let Some(gic) = &made {
            for (what, address) in gic.kind.places() {
                gic.set(KVM_DEV_ARM_VGIC_GRP_ADDR, what, &raw const address as u64)?;
            }
        }
        Ok(made)
    }

    /// Has it ready for the vCPUs, which are there now.
    ///
    /// # Errors
    ///
    /// If KVM refuses.
    pub fn start(&self) -> Result<(), VmError> {
        self.set(KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0)
    }

    /// Which one it is.
    pub fn kind(&self) -> GicKind {
        self.kind
    }

    fn set(&self, group: u32, attribute: u32, addr: u64) -> Result<(), VmError> {
        let attribute = kvm_device_attr {
            flags: 0,
            group,
            attr: attribute.into(),
            addr,
        };
        let set = self.device.set_device_attr(&attribute);
        set.map_err(kvm("set up an interrupt controller"))
    }
}
