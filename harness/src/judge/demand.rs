//! What is demanded of a step: the counts of the policy of 2015, changed as the target's profile gives them.

use setway_cases::Case;

use crate::{catalog::profile::Profile, evidence::observation::Counts};

/// What is expected of the step called `step`, of which the case demands `counts`, by `profile`.
pub fn expected(profile: &Profile, case: &Case, step: &str, counts: Counts) -> Counts {
    profile
        .rows(case, Some(step))
        .fold(counts, |counts, row| Counts {
            set_way: row.set_way.unwrap_or(counts.set_way),
            vm_reg: row.vm_reg.unwrap_or(counts.vm_reg),
            flush: row.flush.or(counts.flush),
        })
}

/// How many traps a step of `case` may take, by `profile`, that the policy does not ask for: no more than it has
/// instructions that a hypervisor may want to see.
pub fn other_traps(profile: &Profile, case: &Case) -> u64 {
    let also = profile.other_traps.as_ref().map_or(0, |it| it.each_step);
    case.other_traps + also * u64::from(case.cpus)
}

#[cfg(test)]
mod tests {
    use setway_cases::{CASES, Kind};

    use super::*;
    use crate::catalog::profile::Difference;

    const DEMANDED: Counts = Counts {
        set_way: 3,
        vm_reg: 2,
        flush: Some(1),
    };

    #[test]
    fn rows_apply_to_their_case_and_step() {
        let row = Difference {
            case: None,
            step: None,
            set_way: None,
            vm_reg: Some(0),
            flush: None,
            why: "x".to_owned(),
        };
        let second = Difference {
            case: Some("SW-LOOP".to_owned()),
            step: Some("second".to_owned()),
            set_way: Some(9),
            vm_reg: None,
            flush: Some(7),
            ..row.clone()
        };
        let profile = Profile {
            name: "p".to_owned(),
            about: "x".to_owned(),
            source: "x".to_owned(),
            rules: vec![Kind::Policy],
            differs: vec![row, second],
            other_traps: None,
            lacks: Default::default(),
            cost: Default::default(),
        };
        let expected = |id: &str, step| {
            let case = CASES.iter().find(|case| case.id == id).expect("a case");
            expected(&profile, case, step, DEMANDED)
        };
        let everywhere = Counts {
            vm_reg: 0,
            ..DEMANDED
        };
        assert_eq!(expected("SW-REPEAT", "second"), everywhere);
        assert_eq!(expected("SW-LOOP", "first"), everywhere);
        let there = Counts {
            set_way: 9,
            vm_reg: 0,
            flush: Some(7),
        };
        assert_eq!(expected("SW-LOOP", "second"), there);
    }
}
