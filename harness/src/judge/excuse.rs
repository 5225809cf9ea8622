//! Wrong values that the machine itself is to blame for, whatever the hypervisor does.

use setway_cases::Case;

use crate::{
    catalog::{isa::Isa, machine::Quirk},
    evidence::observation::Check,
};

/// Why the wrong value of `check` is the machine's own doing, if one of its `quirks` is that it is.
pub fn excuse<'a>(quirks: &'a [Quirk], case: &Case, isa: Isa, check: &Check) -> Option<&'a str> {
    let concerns = |quirk: &&Quirk| {
        quirk.case == case.id
            && quirk.isas.contains(&isa)
            && quirk.checks.contains(&check.name)
            && check.got == quirk.got
    };
    quirks.iter().find(concerns).map(|quirk| quirk.why.as_str())
}

#[cfg(test)]
mod tests {
    use setway_cases::CASES;

    use super::*;

    #[test]
    fn a_quirk_excuses_one_value_of_one_check() {
        let quirks = [Quirk {
            case: CASES[0].id.to_owned(),
            isas: vec![CASES[0].isas[0].into()],
            checks: vec!["at first: x0".to_owned()],
            got: "0x0".to_owned(),
            why: "it does".to_owned(),
        }];
        let excused = |name: &str, got: &str| {
            let check = Check {
                of: setway_protocol::word::CheckKind::Register,
                from: None,
                name: name.to_owned(),
                want: "0x1".to_owned(),
                got: got.to_owned(),
                detail: None,
                excuse: None,
            };
            excuse(&quirks, &CASES[0], CASES[0].isas[0].into(), &check).is_some()
        };
        assert!(excused("at first: x0", "0x0"));
        assert!(!excused("at first: x0", "0x2"));
        assert!(!excused("at first: x1", "0x0"));
    }
}
