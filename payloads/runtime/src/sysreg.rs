//! Access to AArch64 system registers by name.

pub use setway_architecture::registers::is_read_without_effect;

/// Reads a system register: `mrs!("midr_el1")`. One that is not known to be read without side effects does not
/// compile.
#[macro_export]
macro_rules! mrs {
    ($name:expr) => {{
        const _: () = assert!(
            $crate::sysreg::is_read_without_effect($name),
            "not a register that is known to be read without side effects"
        );
        let value: u64;
        #[allow(unused_unsafe, reason = "used inside unsafe blocks too")]
        // SAFETY: a read that has no side effect changes nothing.
        unsafe {
            core::arch::asm!(
                concat!("mrs {}, ", $name),
                out(reg) value,
                options(nomem, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// Writes a system register: `msr!("vbar_el1", address)`. Unsafe where it stands, because what it
/// does depends on the register.
#[macro_export]
macro_rules! msr {
    ($name:literal, $value:expr) => {
        core::arch::asm!(
            concat!("msr ", $name, ", {}"),
            in(reg) $value as u64,
            options(nostack, preserves_flags),
        )
    };
}
