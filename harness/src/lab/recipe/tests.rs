//! Command lines of all that is committed, without images or a QEMU.

use std::fmt::Debug;

use dtoolkit::model::DeviceTree;
use serde::de::DeserializeOwned;

use super::*;
use crate::catalog::{device_tree::Edits, isa::Isa, machine, raw};

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

/// The keys of a data file, at least `least`, which the parser names when it meets another one.
fn keys_of<T: DeserializeOwned + Debug>(least: usize) -> Vec<String> {
    let unknown = toml::from_str::<T>("no-key = 0").expect_err("an unknown key");
    let unknown = unknown.to_string();
    let (_, keys) = unknown.split_once("expected one of ").expect("the keys");
    let keys: Vec<&str> = keys.split('`').skip(1).step_by(2).collect();
    assert!(keys.len() >= least, "{unknown}");
    keys.into_iter().map(str::to_owned).collect()
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
    let all = [
        keys_of::<raw::Hypervisor>(20),
        keys_of::<raw::Machine>(9),
        keys_of::<machine::CacheModel>(3),
        keys_of::<raw::Quirk>(5),
        keys_of::<raw::Profile>(6),
        keys_of::<raw::Difference>(6),
    ];
    let lacking: Vec<_> = all
        .iter()
        .flatten()
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
fn a_file_of_ones_own_is_a_placeholder() {
    let mut target = catalog().target("xen").expect("a target");
    target.hypervisor.args = vec!["{kernel}".to_owned()];
    let words = |name: &str| {
        let mut target = target.clone();
        let files = &mut target.hypervisor.files;
        files.insert(name.to_owned(), "/build/xen".into());
        let mut boot = imagined(target);
        boot.files.insert(name.to_owned(), "/build/xen".into());
        let command = boot.command(&run_in(Isa::A64), &Inherited::default());
        command.map(|command| quote(&command))
    };
    let command = words("kernel").expect("a command");
    assert!(command.ends_with(" /build/xen\n"), "{command}");
    let error = words("case").expect_err("another placeholder").to_string();
    assert!(
        error.starts_with("`{case}` has a meaning already"),
        "{error}"
    );
    let error = imagined(target).command(&run_in(Isa::A64), &Inherited::default());
    assert!(matches!(error, Err(Error::Placeholder { .. })), "{error:?}");
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
        "/bin/qemu -M 'virt,gic-version=2' -append 'a b' \"it's\" ''\n"
    );
}
