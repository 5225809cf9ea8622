//! Whether the caches that are simulated have the shape of those that the CPU reports. A machine's file gives the shape;
//! on another CPU it would be wrong, and a loop by set/way would then miss lines, or the model hold too few.

use setway_architecture::registers::{Ccsidr, CcsidrFormat};
use setway_protocol::word::CacheType;

use crate::{
    catalog::target::Target,
    evidence::observation::{Cache, Gap},
    plan::Run,
};

/// A shape that is not the CPU's, if that can be seen: hypervisors other than Setway's may show their guests other
/// caches than there are, and `--caches` may ask for another shape.
pub fn mismatch(target: &Target, run: &Run, caches: &[Cache]) -> Option<Gap> {
    let model = target.machine.cache_model.as_ref()?;
    let simulated = run.caches.is_some_and(|caches| caches.geometry.is_none());
    // What a hypervisor adds for an ISA may be another CPU.
    let is_machines_own = !target.hypervisor.isa_args.contains_key(&run.isa);
    if !simulated || !is_machines_own || target.hypervisor.kernel.is_none() {
        return None;
    }
    let data = caches.iter().filter(|it| it.kind != CacheType::Instruction);
    let last = data.max_by_key(|cache| cache.level)?;
    let shapes = [CcsidrFormat::Narrow, CcsidrFormat::Wide].map(|format| {
        let geometry = Ccsidr(last.ccsidr).geometry(format);
        (geometry.sets(), geometry.ways())
    });
    (!shapes.contains(&(model.sets, model.ways))).then(|| Gap::Geometry {
        machine: target.machine.name.clone(),
        given: format!("{} sets, {} ways", model.sets, model.ways),
        reported: format!(
            "{} sets, {} ways (level {})",
            shapes[0].0, shapes[0].1, last.level
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Catalog, workspace::Workspace};

    #[test]
    fn a_machine_with_the_caches_of_another_cpu_is_noticed() {
        let workspace = Workspace::find().expect("tests run in a checkout");
        let catalog = Catalog::load(&workspace).expect("the committed files are sound");
        let target = catalog.target("reference").expect("a target");
        let lazy = "lazy".parse().expect("a schedule");
        let run = Run::all()[0].with_caches(Some(lazy));
        let level_2 = |ccsidr| Cache {
            level: 2,
            kind: CacheType::Unified,
            ccsidr,
        };
        // Cortex-A57, as its manual gives it; and half as many sets.
        assert_eq!(mismatch(&target, &run, &[level_2(0x70ff_e07a)]), None);
        let other = mismatch(&target, &run, &[level_2(0x707f_e07a)]);
        let said = other.expect("another shape").to_string();
        assert!(
            said.contains("2048 sets") && said.contains("1024 sets"),
            "{said}"
        );
        assert_eq!(
            mismatch(&target, &run.with_caches(None), &[level_2(0)]),
            None
        );
    }
}
