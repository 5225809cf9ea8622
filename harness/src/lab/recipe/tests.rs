//! Command lines of all that is committed, without images or a QEMU.

use dtoolkit::model::DeviceTree;

use super::*;
use crate::catalog::{device_tree::Edits, isa::Isa, raw};

/// A boot of `target` that has all that it needs, none of which exists.
fn imagined(target: Target) -> Boot {
    let versions = target.version.iter();
    let mut files: BTreeMap<String, PathBuf> = versions
        .flat_map(|version| version.table.files.keys())
        .map(|name| (name.clone(), name.into()))
        .collect();
    if target.hypervisor.has_initramfs() {
        files.insert("initramfs".to_owned(), "initramfs".into());
    }
    Boot {
        target,
        qemu: Qemu::imagined(),
        images: Images::imagined(),
        files,
        version: None,
        agent: None,
        model: Ok(Plugin {
            path: "plugin".into(),
            fetches: true,
        }),
    }
}

fn catalog() -> Catalog {
    let workspace = Workspace::find().expect("tests run in a checkout");
    Catalog::load(&workspace).expect("the committed files are sound")
}

/// Every hypervisor in every version on every machine.
fn targets() -> Vec<Target> {
    let catalog = catalog();
    let mut targets = Vec::new();
    for hypervisor in &catalog.hypervisors {
        let versions = hypervisor.versions.iter();
        let versions = versions.map(|it| format!("-{}", it.version));
        for version in versions.chain([String::new()]) {
            for machine in &catalog.machines {
                let label = format!("{}{version}@{}", hypervisor.name, machine.name);
                targets.push(catalog.target(&label).expect("a target"));
            }
        }
    }
    targets
}

fn run_in(isa: Isa) -> Run {
    let mut all = Run::all().into_iter();
    all.find(|run| run.isa == isa).expect("a case of each ISA")
}

#[test]
fn every_placeholder_of_the_committed_files_means_something() {
    for target in targets() {
        let boot = imagined(target);
        let label = boot.target.label();
        let hypervisor = &boot.target.hypervisor;
        for isa in hypervisor.payload.keys() {
            let run = run_in(*isa);
            let caches = Some(Choice::Each(vec!["lazy".parse().expect("caches")]));
            for run in [vec![run], run.each(caches.as_ref())].concat() {
                let command = boot.command(&run, &Inherited::default());
                assert!(command.is_ok(), "{label}: {command:?}");
            }
            let arguments = boot.guest_arguments(&run);
            assert!(arguments.is_ok(), "{label}: {arguments:?}");
            let words = boot.words(&run, &Inherited::default()).expect("words");
            if let Some(edits) = &hypervisor.device_tree {
                let edits = Edits {
                    delete: vec![],
                    ..edits.clone()
                };
                let fill = |text: &str| fill(text, &words).ok_or_else(|| text.to_owned());
                let tree = edits.apply(&DeviceTree::new().to_dtb(), fill);
                assert!(tree.is_ok(), "{label}: {tree:?}");
            }
            for argument in &boot.target.machine.tree_args {
                assert!(fill(argument, &words).is_some(), "{label}: {argument}");
            }
        }
    }
}

#[test]
fn the_manual_has_every_key_and_every_placeholder() {
    let manual = fs::read_to_string(
        Workspace::find()
            .expect("a checkout")
            .runners()
            .join("README.md"),
    )
    .expect("a manual");
    let said: Vec<&str> = manual.split('`').skip(1).step_by(2).collect();
    let is_key =
        |text: &&str, key: &str| text.trim_matches(['[', ']']).split('.').next() == Some(key);
    // The parser names the keys that there are.
    let unknown = toml::from_str::<raw::Hypervisor>("no-key = 0").expect_err("an unknown key");
    let unknown = unknown.to_string();
    let (_, keys) = unknown.split_once("expected one of ").expect("the keys");
    let keys: Vec<&str> = keys.split('`').skip(1).step_by(2).collect();
    assert!(keys.len() > 20, "{unknown}");
    let lacking: Vec<_> = keys
        .into_iter()
        .filter(|key| !said.iter().any(|text| is_key(text, key)))
        .collect();
    assert_eq!(lacking, [""; 0]);
    let boot = imagined(catalog().target("kvm-qemu").expect("a target"));
    let words = boot.words(&run_in(Isa::A64), &Inherited::default());
    let words = words.expect("words").into_iter().map(|(name, _)| name);
    let lacking: Vec<_> = words
        .filter(|name| !said.contains(&&*format!("{{{name}}}")))
        .collect();
    assert_eq!(lacking, [""; 0]);
}

#[test]
fn placeholders_are_filled_once() {
    let words = [("a", "x{b}"), ("b", "y")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(fill("{a},{b}", &words).as_deref(), Some("x{b},y"));
    assert_eq!(fill("plain", &words).as_deref(), Some("plain"));
    for wrong in ["{c}", "{a", "{}"] {
        assert_eq!(fill(wrong, &words), None);
    }
}

#[test]
fn commands_are_quoted_for_a_shell() {
    let mut command = Command::new("/bin/qemu");
    command.args(["-M", "virt,gic-version=2", "-append", "a b", "it's", ""]);
    assert_eq!(
        quote(&command),
        "/bin/qemu -M virt,gic-version=2 -append 'a b' 'it'\\''s' ''\n"
    );
}
