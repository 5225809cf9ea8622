//! Interrupts of the boot CPU: the GIC that the device tree names, and the virtual timer.
//!
//! The rest of the payload is polled and masks all interrupts; only cases about interrupts start this.

mod timer;

use crate::{
    board::{Board, Gic},
    clock,
    exclusive::SyncUnsafeCell,
};
use arm_gic::{
    IntId, InterruptGroup, UniqueMmioPointer,
    gicv2::{self, GicV2},
    gicv3::{self, GicCpuInterface, GicV3, SgiTargetGroup},
};
use core::ptr::NonNull;
use setway_cases::{Interrupts, SOFTWARE, TIMER};

/// What the device tree says.
static GIC: SyncUnsafeCell<Option<Gic>> = SyncUnsafeCell::new(None);
/// What drives it, once it is started.
static DRIVER: SyncUnsafeCell<Option<Driver>> = SyncUnsafeCell::new(None);

/// The driver of one or the other.
enum Driver {
    V2(GicV2<'static>),
    V3,
}

/// The SGI.
const SGI: IntId = IntId::sgi(SOFTWARE);
/// The PPI; PPIs are numbered from 16 on.
const PPI: IntId = IntId::ppi(TIMER - 16);

/// Learns where the interrupt controller is. For the boot CPU, before it runs a case.
pub fn init(board: &Board<'_>) {
    // SAFETY: only the boot CPU uses this, and nobody holds a reference.
    unsafe { GIC.get().write(board.gic) }
}

/// The GIC and the virtual timer of the boot CPU, from where alone it is used.
pub enum Hardware {}

impl Hardware {
    fn driver() -> Option<&'static mut Driver> {
        // SAFETY: only the boot CPU uses this, and each use is over before the next begins.
        unsafe { (*DRIVER.get()).as_mut() }
    }

    /// # Safety
    ///
    /// The device tree must be right about `gic`.
    unsafe fn start_driver(gic: Gic) -> Option<Driver> {
        match gic {
            Gic::V2 {
                distributor,
                cpu_interface,
            } => {
                // SAFETY: our caller's; all that is no memory is mapped as a device, and nobody else uses it.
                let mut gic = unsafe {
                    GicV2::new(
                        distributor as usize as *mut _,
                        cpu_interface as usize as *mut _,
                    )
                };
                gic.setup();
                gic.enable_interrupt(SGI, true).ok()?;
                gic.enable_interrupt(PPI, true).ok()?;
                Some(Driver::V2(gic))
            }
            Gic::V3 {
                distributor,
                redistributor,
            } => {
                let distributor = NonNull::new(distributor as usize as *mut _)?;
                let redistributor = NonNull::new(redistributor as usize as *mut _)?;
                // SAFETY: our caller's; all that is no memory is mapped as a device, and nobody else uses it.
                let gic =
                    unsafe { GicV3::new(UniqueMmioPointer::new(distributor), redistributor, 1) };
                // The first redistributor is that of the boot CPU.
                let mut gic = gic.ok()?;
                gic.setup(0);
                GicCpuInterface::set_priority_mask(0xff);
                gic.enable_interrupt(SGI, Some(0), true).ok()?;
                gic.enable_interrupt(PPI, Some(0), true).ok()?;
                Some(Driver::V3)
            }
        }
    }
}

impl Interrupts for Hardware {
    fn start() -> bool {
        // SAFETY: see `init`.
        let Some(gic) = (unsafe { *GIC.get() }) else {
            return false;
        };
        // SAFETY: the device tree is all that is known of the machine. Only the boot CPU uses the driver.
        unsafe { DRIVER.get().write(Self::start_driver(gic)) }
        Self::driver().is_some()
    }

    fn raise() {
        match Self::driver() {
            Some(Driver::V2(gic)) => {
                let target = gicv2::SgiTarget::List {
                    target_list_filter: gicv2::SgiTargetListFilter::ForwardSelfOnly,
                    target_list: 0,
                };
                gic.send_sgi(SGI, target);
            }
            Some(Driver::V3) => {
                // The boot CPU is the one whose affinity is 0.
                let target = gicv3::SgiTarget::List {
                    affinity3: 0,
                    affinity2: 0,
                    affinity1: 0,
                    target_list: 1,
                };
                let sent = GicCpuInterface::send_sgi(SGI, target, SgiTargetGroup::CurrentGroup1);
                debug_assert!(sent.is_ok(), "an SGI's number");
            }
            None => {}
        }
        timer::synchronize();
    }

    fn is_pending() -> bool {
        timer::is_irq_pending()
    }

    fn acknowledge() -> Option<u32> {
        /// What else GICC_IAR of GICv2 has, above the number: the CPU that raised it.
        const NUMBER: u32 = 0x3ff;
        let end = |intid: IntId| {
            let number = u32::from(intid) & NUMBER;
            if number == TIMER {
                Self::stop_timer();
            }
            number
        };
        match Self::driver()? {
            Driver::V2(gic) => {
                let intid = gic.get_and_acknowledge_interrupt(InterruptGroup::Group0)?;
                let number = end(intid);
                gic.end_interrupt(intid, InterruptGroup::Group0);
                Some(number)
            }
            Driver::V3 => {
                let group = InterruptGroup::Group1;
                let intid = GicCpuInterface::get_and_acknowledge_interrupt(group)?;
                let number = end(intid);
                GicCpuInterface::end_interrupt(intid, group);
                timer::synchronize();
                Some(number)
            }
        }
    }

    fn count() -> u64 {
        timer::synchronize();
        clock::count()
    }

    fn physical_count() -> u64 {
        timer::physical_count()
    }

    fn frequency() -> u64 {
        clock::frequency()
    }

    fn set_timer(counts: u64) {
        timer::set(counts);
    }

    fn timer_control() -> u64 {
        timer::control()
    }

    fn stop_timer() {
        timer::stop();
    }

    fn returns_to() -> (u64, u64) {
        timer::returns_to()
    }
}
