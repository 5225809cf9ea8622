//! What people read when a guest is over.

use std::fmt::{self, Write as _};

use crate::{
    end::End,
    guest_records::{Counts, GuestRecords},
    trace::tally::Tally,
};

/// A summary of one run.
#[derive(Debug)]
pub struct Summary<'a> {
    /// How the guest ended.
    pub end: &'a End,
    /// Its records.
    pub guest: &'a GuestRecords,
    /// What KVM's trace counted, unless nothing was traced.
    pub tally: Option<&'a Tally>,
}

/// Most values that are named one by one.
const NAMED: usize = 8;

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { end, guest, tally } = self;
        writeln!(f, "end     {end}")?;
        if let Some(panic) = &guest.panic {
            writeln!(f, "panic   {panic}")?;
        }
        if !guest.ended {
            writeln!(f, "records cut off: the last one is missing")?;
        }
        if guest.damaged > 0 {
            writeln!(f, "damaged {} of its records", guest.damaged)?;
        }
        writeln!(
            f,
            "checks  {} right, {} wrong",
            guest.right,
            guest.wrong.len()
        )?;
        for wrong in guest.wrong.iter().take(NAMED) {
            let (want, got) = (wrong.want, wrong.got);
            writeln!(f, "  ! {}: wants {want:#x}, got {got:#x}", wrong.name)?;
        }
        if guest.wrong.len() > NAMED {
            writeln!(f, "  ! and {} more", guest.wrong.len() - NAMED)?;
        }
        let Some(tally) = tally else {
            return writeln!(f, "trace   none");
        };
        for step in &guest.steps {
            let counted = tally.step(step.n);
            let sign = if counted == Some(step.demanded) {
                ' '
            } else {
                '!'
            };
            let counted = counted.map_or("no marks".into(), counts);
            let demanded = counts(step.demanded);
            writeln!(f, "step {} {}", step.n, step.name)?;
            writeln!(f, "  {sign} demanded {demanded}; KVM counted {counted}")?;
        }
        write!(f, "in all  {}", counts(tally.totals))?;
        if tally.lost > 0 {
            write!(f, "; {} events lost", tally.lost)?;
        }
        writeln!(f)
    }
}

fn counts(counts: Counts) -> String {
    let Counts {
        set_way,
        vm_reg,
        flush,
    } = counts;
    let mut text = String::new();
    // A string takes everything.
    let _ = write!(
        text,
        "S/W {set_way}, VM registers {vm_reg}, flushes {flush}"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{guest_records::Step, trace::tally::tally};
    use setway_protocol::word::GuestEnd;

    #[test]
    fn what_differs_is_marked() {
        let step = Step {
            n: 0,
            name: "CSW".into(),
            demanded: Counts {
                set_way: 1,
                vm_reg: 0,
                flush: 1,
            },
        };
        let guest = GuestRecords {
            steps: vec![step],
            right: 2,
            ended: true,
            ..GuestRecords::default()
        };
        let mut tally = tally(&[], &[], None, 0);
        let one = Counts {
            set_way: 1,
            ..Counts::default()
        };
        tally.marks = vec![Counts::default(), one];
        let end = End::plain(GuestEnd::Off);
        let summary = Summary {
            end: &end,
            guest: &guest,
            tally: Some(&tally),
        };
        let want = "\
end     off
checks  2 right, 0 wrong
step 0 CSW
  ! demanded S/W 1, VM registers 0, flushes 1; KVM counted S/W 1, VM registers 0, flushes 0
in all  S/W 0, VM registers 0, flushes 0
";
        assert_eq!(summary.to_string(), want);
    }
}
