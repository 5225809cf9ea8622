//! Access to AArch64 system registers by name.

/// Reads a system register that may be read without side effects: `mrs!("midr_el1")`.
#[macro_export]
macro_rules! mrs {
    ($name:expr) => {{
        let value: u64;
        #[allow(unused_unsafe, reason = "used inside unsafe blocks too")]
        // SAFETY: reading a register that has no read side effects changes nothing.
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
