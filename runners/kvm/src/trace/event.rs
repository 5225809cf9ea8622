//! The events that are traced, and what is read of each.

use setway_architecture::trap::sysreg::Key;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in nanoseconds of the trace's clock.
    pub time: u64,
    /// The thread that it happened in.
    pub thread: u32,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A set/way op made KVM flush.
    SetWayFlush {
        /// Where the guest was.
        pc: u64,
        /// Its cache was on.
        cache: bool,
    },
    /// A trapped VM register was written.
    ToggleCache {
        /// Where the guest was.
        pc: u64,
        /// Its cache was on before.
        was: bool,
        /// Its cache is on now.
        now: bool,
    },
    /// The guest wrote a system register, or executed a system instruction.
    Write {
        /// Which.
        key: Key,
    },
    /// The guest called the hypervisor.
    Hvc {
        /// The preferred return address.
        pc: u64,
    },
    /// The guest left for an exception of the class `class`.
    Exit {
        /// ESR_EL2.EC.
        class: u32,
    },
}

/// An event of KVM's: its name, and the fields that are read of it, in the order that [`Kind::read`]
/// takes them in.
#[derive(Debug)]
pub struct Kind {
    /// As tracefs calls it.
    pub name: &'static str,
    /// The fields.
    pub fields: &'static [&'static str],
    /// What the fields' values say. `None` if that is nothing to count.
    pub read: fn(&[u64]) -> Option<What>,
}

/// `kvm_exit` calls an exit `TRAP` by this number (ARM_EXCEPTION_TRAP); others are interrupts and
/// errors, which say nothing of the guest's instructions.
pub const TRAP: u64 = 2;

/// Most fields that any event is read by.
pub const MOST_FIELDS: usize = 6;

/// Every event that is traced.
pub static KINDS: [Kind; 5] = [
    Kind {
        name: "kvm_set_way_flush",
        fields: &["vcpu_pc", "cache"],
        read: |v| {
            let (pc, cache) = (v[0], v[1] != 0);
            Some(What::SetWayFlush { pc, cache })
        },
    },
    Kind {
        name: "kvm_toggle_cache",
        fields: &["vcpu_pc", "was", "now"],
        read: |v| {
            let (pc, was, now) = (v[0], v[1] != 0, v[2] != 0);
            Some(What::ToggleCache { pc, was, now })
        },
    },
    Kind {
        name: "kvm_sys_access",
        fields: &["is_write", "Op0", "Op1", "CRn", "CRm", "Op2"],
        read: |v| (v[0] != 0).then(|| What::Write { key: key(&v[1..]) }),
    },
    Kind {
        name: "kvm_hvc_arm64",
        fields: &["vcpu_pc"],
        read: |v| Some(What::Hvc { pc: v[0] }),
    },
    Kind {
        name: "kvm_exit",
        fields: &["ret", "esr_ec"],
        read: |v| (v[0] == TRAP).then_some(What::Exit { class: v[1] as u32 }),
    },
];

/// The register that KVM's table calls (Op0, Op1, CRn, CRm, Op2).
///
/// Its AArch32 tables have no Op0, and those of 64-bit registers no CRn. No other register that can be
/// written has CRn 0, so that tells the two apart.
fn key(codes: &[u64]) -> Key {
    let code = |n: usize| codes[n] as u32;
    let [op0, op1, crn, crm, op2] = [code(0), code(1), code(2), code(3), code(4)];
    match (op0, crn) {
        (0, 0) => Key::cp15_64(op1, crm),
        (0, _) => Key::cp15(op1, crn, crm, op2),
        _ => Key::a64(op0, op1, crn, crm, op2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use setway_architecture::trap::sysreg::{SET_WAY_OPS, VM_REGS, set_way_op, vm_reg};

    /// The name of the register that is written with these codes.
    fn written(codes: [u64; 5]) -> &'static str {
        let key = key(&codes);
        let op = set_way_op(key).map(|n| SET_WAY_OPS[n].name);
        let reg = vm_reg(key).map(|n| VM_REGS[n].name);
        op.or(reg).unwrap_or("")
    }

    #[test]
    fn registers_are_told_by_kvm_s_codes() {
        assert_eq!(written([1, 0, 7, 14, 2]), "DC CISW");
        assert_eq!(written([3, 0, 1, 0, 0]), "SCTLR_EL1");
        assert_eq!(written([0, 0, 7, 10, 2]), "DCCSW");
        assert_eq!(written([0, 0, 13, 0, 1]), "CONTEXTIDR");
        assert_eq!(written([0, 0, 2, 0, 0]), "TTBR0");
        assert_eq!(written([0, 0, 0, 2, 0]), "TTBR0 (64-bit)");
        assert_eq!(written([0, 1, 0, 2, 0]), "TTBR1 (64-bit)");
        assert_eq!(written([0, 0, 2, 0, 3]), "TTBCR2");
        assert_eq!(written([3, 3, 9, 12, 0]), "");
    }

    #[test]
    fn no_event_has_more_fields_than_most() {
        let fields = KINDS.iter().map(|kind| kind.fields.len());
        assert_eq!(fields.max(), Some(MOST_FIELDS));
    }

    #[test]
    fn reads_and_interrupts_are_not_counted() {
        let read = |name: &str, values: &[u64]| {
            let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
            assert_eq!(kind.fields.len(), values.len());
            (kind.read)(values)
        };
        assert_eq!(read("kvm_sys_access", &[0, 1, 0, 7, 14, 2]), None);
        assert!(read("kvm_sys_access", &[1, 1, 0, 7, 14, 2]).is_some());
        assert_eq!(read("kvm_exit", &[0, 0]), None);
        assert_eq!(
            read("kvm_exit", &[TRAP, 0x18]),
            Some(What::Exit { class: 0x18 })
        );
    }
}
