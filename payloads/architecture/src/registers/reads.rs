//! System registers that may be read at any time.

/// AArch64 registers that Setway reads and whose reads have no side effect (DDI 0487, each register's own
/// description), by their names in assembly.
///
/// Not every register is like that: a read of ICC_IAR1_EL1 acknowledges an interrupt, one of RNDR changes the
/// condition flags. So what is read is listed.
const WITHOUT_EFFECT: &[&str] = &[
    // Of the CPU, constant.
    "ccsidr_el1",
    "clidr_el1",
    "csselr_el1",
    "cntfrq_el0",
    "ctr_el0",
    "id_aa64mmfr0_el1",
    "id_aa64mmfr1_el1",
    "id_aa64mmfr2_el1",
    "id_aa64pfr0_el1",
    "id_aa64pfr1_el1",
    "id_aa64dfr0_el1",
    "midr_el1",
    "mpidr_el1",
    // EL1's translation, and what TVM traps with it.
    "afsr0_el1",
    "afsr1_el1",
    "amair_el1",
    "contextidr_el1",
    "esr_el1",
    "far_el1",
    "mair_el1",
    "sctlr_el1",
    "tcr_el1",
    "ttbr0_el1",
    "ttbr1_el1",
    // The same of AArch32, as EL2 reaches it.
    "dacr32_el2",
    "ifsr32_el2",
    // PSTATE.
    "currentel",
    "daif",
    "spsel",
    // Exceptions.
    "elr_el1",
    "elr_el2",
    "esr_el2",
    "far_el2",
    "hpfar_el2",
    "spsr_el1",
    "spsr_el2",
    "vbar_el1",
    "isr_el1",
    // The generic timer.
    "cntpct_el0",
    "cntv_ctl_el0",
    "cntvct_el0",
    "cntvoff_el2",
    // EL2's controls.
    "mdcr_el2",
    "cptr_el2",
];

/// The space of feature ID registers, op0 3, op1 0, CRn 0, CRm 1 to 7: what is not allocated there reads as zero
/// (DDI 0487, "System register encoding").
const ID_SPACE: &str = "S3_0_C0_C";

/// Whether the AArch64 system register called `name` is known to be read without side effect.
pub const fn is_read_without_effect(name: &str) -> bool {
    let mut n = 0;
    while n < WITHOUT_EFFECT.len() {
        if starts_with(name, WITHOUT_EFFECT[n]) && name.len() == WITHOUT_EFFECT[n].len() {
            return true;
        }
        n += 1;
    }
    starts_with(name, ID_SPACE)
        && name.len() == ID_SPACE.len() + "n_n".len()
        && matches!(name.as_bytes()[ID_SPACE.len()], b'1'..=b'7')
}

/// Whether `text` begins with `start`, for constants.
const fn starts_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    if text.len() < start.len() {
        return false;
    }
    let mut n = 0;
    while n < start.len() {
        if text[n] != start[n] {
            return false;
        }
        n += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_may_be_read_and_nothing_else() {
        for name in WITHOUT_EFFECT {
            assert!(is_read_without_effect(name), "{name}");
        }
        for name in ["S3_0_C0_C1_0", "S3_0_C0_C7_7"] {
            assert!(is_read_without_effect(name), "{name}");
        }
        let others = [
            "icc_iar1_el1",
            "rndr",
            "ctr_el",
            "ctr_el00",
            "S3_0_C0_C0_5",
            "S3_0_C0_C10_0",
            "S3_0_C12_C12_0",
            "",
        ];
        for name in others {
            assert!(!is_read_without_effect(name), "{name}");
        }
    }
}
