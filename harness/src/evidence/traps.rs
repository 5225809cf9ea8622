//! What an exception to EL2 means, by the same tables that the hypervisor emulates with.

use std::{borrow::Cow, collections::BTreeMap};

use setway_architecture::trap::{
    esr::{Esr, ec},
    sysreg::{Key, SET_WAY_OPS, VM_REGS, set_way_op, vm_reg},
};

use crate::evidence::exception_log::Exception;

/// The names of exception classes in reports, beside those of set/way ops and VM registers.
const CLASSES: [(u32, &str); 12] = [
    (ec::UNKNOWN, "undefined"),
    (ec::WFX, "wfx"),
    (ec::CP15_RT, "system_register"),
    (ec::CP15_RRT, "system_register"),
    (ec::SIMD, "simd"),
    (ec::SYS64, "system_register"),
    (ec::HVC32, "hvc"),
    (ec::HVC64, "hvc"),
    (ec::SMC32, "smc"),
    (ec::SMC64, "smc"),
    (ec::IABT_LOWER, "instruction_abort"),
    (ec::DABT_LOWER, "data_abort"),
];

/// Set/way ops and writes of VM registers, the two kinds of trap that the policy is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trapped {
    /// Set/way ops.
    pub set_way: u64,
    /// Writes of VM registers.
    pub vm_reg: u64,
}

/// A trap of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// A set/way op.
    SetWay(&'static str),
    /// A write of a VM register.
    VmReg(&'static str),
    /// Anything else, by class.
    Other(u32),
}

impl Trap {
    /// What `esr` reports.
    pub fn of(esr: Esr) -> Self {
        let key = Key::of(esr).filter(|_| !esr.is_read());
        // A guest that does not have allocation tags has no ops on them: those are refused, and no hypervisor here shows
        // its guest any tags.
        let op = key.and_then(set_way_op);
        if let Some(op) = op.filter(|op| !SET_WAY_OPS[*op].tags) {
            Trap::SetWay(SET_WAY_OPS[op].name)
        } else if let Some(reg) = key.and_then(vm_reg) {
            Trap::VmReg(VM_REGS[reg].name)
        } else {
            Trap::Other(esr.class())
        }
    }

    /// The class it is counted in.
    pub fn class(self) -> String {
        match self {
            Trap::SetWay(_) => "set_way".to_owned(),
            Trap::VmReg(_) => "vm_reg".to_owned(),
            Trap::Other(class) => match CLASSES.iter().find(|(known, _)| *known == class) {
                Some((_, name)) => (*name).to_owned(),
                None => format!("class_{class:#04x}"),
            },
        }
    }
}

/// How many traps there were of each class. Those that the policy is about are always listed.
pub fn by_class(exceptions: &[Exception]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::from(["set_way", "vm_reg"].map(|class| (class.to_owned(), 0)));
    for exception in exceptions {
        *counts.entry(Trap::of(exception.esr).class()).or_default() += 1;
    }
    counts
}

/// Whether `exception` is a trap that neither the policy nor a call of the guest's nor memory that it touches asks for.
fn is_other(exception: &Exception) -> bool {
    let asked_for = [
        ec::HVC32,
        ec::HVC64,
        ec::SMC32,
        ec::SMC64,
        ec::IABT_LOWER,
        ec::DABT_LOWER,
    ];
    matches!(Trap::of(exception.esr), Trap::Other(class) if !asked_for.contains(&class))
}

/// The traps that only the hypervisor's settings are the reason for, by class.
pub fn others(exceptions: &[Exception]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for exception in exceptions.iter().filter(|it| is_other(it)) {
        *counts.entry(Trap::of(exception.esr).class()).or_default() += 1;
    }
    counts
}

/// The exceptions as they count: set/way ops that the hypervisor `refuses` are UNDEFINED instructions like others.
pub fn answered(exceptions: &[Exception], refuses: bool) -> Cow<'_, [Exception]> {
    let is_set_way = |it: &Exception| matches!(Trap::of(it.esr), Trap::SetWay(_));
    if !refuses || !exceptions.iter().any(is_set_way) {
        return Cow::Borrowed(exceptions);
    }
    let undefined = Esr(ec::UNKNOWN << 26);
    let as_undefined = exceptions.iter().map(|it| {
        let esr = if is_set_way(it) { undefined } else { it.esr };
        Exception { esr, ..*it }
    });
    Cow::Owned(as_undefined.collect())
}

/// How many traps there were of each set/way op and VM register.
pub fn by_register(exceptions: &[Exception]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for exception in exceptions {
        if let Trap::SetWay(name) | Trap::VmReg(name) = Trap::of(exception.esr) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The names of all set/way ops and VM registers.
pub fn registers() -> impl Iterator<Item = &'static str> {
    SET_WAY_OPS
        .iter()
        .map(|op| op.name)
        .chain(VM_REGS.iter().map(|reg| reg.name))
}

/// A mark of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The running totals so far.
    pub totals: Trapped,
    /// How many exceptions there were before it.
    pub at: usize,
}

/// The marks: each is an HVC whose preferred return address is `mark`.
pub fn marks(exceptions: &[Exception], mark: u64) -> Vec<Mark> {
    let mut totals = Trapped::default();
    let mut marks = Vec::new();
    for (at, exception) in exceptions.iter().enumerate() {
        match Trap::of(exception.esr) {
            Trap::SetWay(_) => totals.set_way += 1,
            Trap::VmReg(_) => totals.vm_reg += 1,
            Trap::Other(ec::HVC32 | ec::HVC64) if exception.elr == mark => {
                marks.push(Mark { totals, at })
            }
            Trap::Other(_) => {}
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    const CISW: u32 = 0x6214_1c1c;
    const HVC: u32 = 0x5a00_0000;
    const MCRR_TTBR0: u32 = 0x13e0_0404;

    fn exceptions(list: &[(u32, u64)]) -> Vec<Exception> {
        list.iter()
            .map(|&(esr, elr)| Exception { esr: Esr(esr), elr })
            .collect()
    }

    #[test]
    fn syndromes_are_told_apart() {
        assert_eq!(Trap::of(Esr(CISW)), Trap::SetWay("DC CISW"));
        assert_eq!(Trap::of(Esr(0x0fe4_1c0c)), Trap::SetWay("DCISW"));
        assert_eq!(Trap::of(Esr(MCRR_TTBR0)), Trap::VmReg("TTBR0 (64-bit)"));
        assert_eq!(Trap::of(Esr(CISW | 1)).class(), "system_register");
        // DC CIGSW.
        assert_eq!(
            Trap::of(Key::a64(1, 0, 7, 14, 4).to_esr(0, false)).class(),
            "system_register"
        );
        assert_eq!(Trap::of(Esr(HVC)).class(), "hvc");
        assert_eq!(Trap::of(Esr(0x3f << 26)).class(), "class_0x3f");
    }

    #[test]
    fn classes_and_registers_are_counted() {
        let list = exceptions(&[(CISW, 0), (CISW, 4), (MCRR_TTBR0, 8), (HVC, 12)]);
        let classes = BTreeMap::from([("set_way", 2), ("vm_reg", 1), ("hvc", 1)]);
        assert_eq!(
            by_class(&list),
            classes
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect()
        );
        assert_eq!(by_register(&list)["DC CISW"], 2);
        assert_eq!(by_class(&[])["set_way"], 0);
    }

    #[test]
    fn refused_ops_are_undefined_instructions() {
        let list = exceptions(&[(CISW, 0), (HVC, 4)]);
        assert_eq!(*answered(&list, false), list);
        let refused = answered(&list, true);
        assert_eq!(*refused, exceptions(&[(ec::UNKNOWN << 26, 0), (HVC, 4)]));
        assert_eq!(by_class(&refused)["undefined"], 1);
    }

    #[test]
    fn marks_are_the_hvcs_at_one_address() {
        let list = exceptions(&[
            (CISW, 0),
            (HVC, 0x80),
            (CISW, 4),
            (MCRR_TTBR0, 8),
            (HVC, 0x44),
            (HVC, 0x80),
            (CISW, 8),
        ]);
        let trapped = |set_way, vm_reg| Trapped { set_way, vm_reg };
        let mark = |at, totals| Mark { totals, at };
        assert_eq!(
            marks(&list, 0x80),
            [mark(1, trapped(1, 0)), mark(5, trapped(2, 1))]
        );
    }
}
