use std::{fs, path::Path};

use setway_cases::{CASES, Case};

use super::*;

fn committed() -> Catalog {
    let workspace = Workspace::find().expect("tests run in a checkout");
    Catalog::load(&workspace).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn the_committed_files_are_sound() {
    let catalog = committed();
    assert!(catalog.hypervisors.len() > 3 && catalog.findings.len() > 3);
    let versions: Vec<_> = catalog
        .qemus
        .iter()
        .map(|it| it.name.parse::<qemu::Version>())
        .collect();
    assert!(versions.iter().all(Result::is_ok));
    assert!(versions.is_sorted_by(|newer, older| newer.as_ref().ok() > older.as_ref().ok()));
}

#[test]
fn the_committed_versions_are_sound_and_newest_first() {
    let catalog = committed();
    for (hypervisor, file) in [("kvm", "linux"), ("xen", "xen")] {
        let all = &catalog.versions[hypervisor];
        assert!(all.len() > 1, "{hypervisor}");
        assert!(all.is_sorted_by(|newer, older| newer.numbers() > older.numbers()));
        for PackagedVersion { path, table, .. } in all {
            assert_eq!(table.architecture.as_deref(), Some("arm64"), "{path:?}");
            assert!(table.files.contains_key(file), "{path:?}");
            assert!(!table.only.is_empty(), "{path:?}");
        }
        assert!(
            all.iter()
                .all(|it| it.numbers().iter().all(Option::is_some))
        );
    }
}

#[test]
fn a_target_is_found_by_its_label() {
    let catalog = committed();
    for (text, label) in [
        ("reference", "reference"),
        ("kvm-6.1", "kvm-6.1"),
        ("kvm-6.12@virt-max", "kvm-6.12@virt-max"),
        ("xen-4.17@virt-a57", "xen-4.17"),
        ("kvm", "kvm-7.3"),
    ] {
        let target = catalog.target(text).expect("a target");
        assert_eq!(target.label(), label);
    }
}

#[test]
fn a_warning_of_the_kernel_under_test_is_a_crash() {
    let catalog = committed();
    let kvm = catalog.target("kvm-7.3").expect("a target").hypervisor;
    // As `setway-kvm` passes on what the kernel logs.
    assert!(kvm.crashed("kernel: WARNING: CPU: 1 PID: 71 at arch/arm64/kvm/sys_regs.c:2650"));
    assert!(kvm.crashed("kernel: BUG: KFENCE: out-of-bounds read in kvm_vcpu_load"));
    assert!(!kvm.crashed("kernel: kvm [71]: Unsupported guest sys_reg access at: 80000000"));
}

#[test]
fn a_wrong_name_is_answered_with_all_there_are() {
    let catalog = committed();
    for text in ["kvm-5", "qvm", "kvm-6.1@no-such"] {
        let said = catalog.target(text).expect_err("no target").to_string();
        assert!(said.contains("next: use one of "), "{said}");
    }
    let said = catalog
        .target("refrence")
        .expect_err("no target")
        .to_string();
    assert!(said.contains("did you mean `reference`?"), "{said}");
    assert!(
        said.contains("kvm-6.1") && !said.contains("misbehave"),
        "{said}"
    );
}

#[test]
fn the_policy_of_2015_changes_nothing() {
    let catalog = committed();
    let profile = catalog.profile("kvm-2015").expect("the profile");
    for case in guests() {
        assert_eq!(profile.rows(case, None).count(), 0);
        assert_eq!(profile.why_skipped(case, "x"), None);
    }
}

/// The cases that guests run.
fn guests() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| case.is_guest())
}

#[test]
fn cases_are_skipped_by_what_they_need() {
    let catalog = committed();
    let profile = catalog.profile("kvm-fwb").expect("the profile");
    let skipped = guests().filter(|case| profile.why_skipped(case, "x").is_some());
    let skipped: Vec<&str> = skipped.map(|case| case.id).collect();
    assert_eq!(
        skipped,
        [
            "TGL-BITS",
            "VMR-VALUE",
            "VMR-ISOLATION",
            "VMR-HALVES",
            "EXA-RT/vm-reg",
            "EXA-RT/vm-reg-64",
            "EXA-BANK",
            "COH-DROPPED",
            "COST-TRAP",
            "INT-AFTER",
        ]
    );
    let case = CASES.iter().find(|case| case.id == "VMR-VALUE");
    let why = profile.why_skipped(case.expect("a case"), "x");
    let why = why.expect("a reason");
    assert_eq!(why, "VMR-VALUE: no VM register is ever trapped");
}

/// A checkout that has the committed data files.
fn copy() -> (tempfile::TempDir, Workspace) {
    let own = Workspace::find().expect("tests run in a checkout");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut files: Vec<_> = Vec::new();
    for name in ["machines", "profiles", "qemu", "xen", "reference"] {
        let from = own.runners().join(name);
        files.extend(source::files(&from, "toml").expect("a directory"));
    }
    files.extend(source::files(&own.runners().join("xen/versions"), "toml").expect("a directory"));
    files.extend(source::files(&own.expectations().join("findings"), "toml").expect("a directory"));
    let obligations = Catalog::obligations_dir(&own);
    files.extend(source::files(&obligations, "toml").expect("a directory"));
    for file in files {
        let to = dir
            .path()
            .join(file.strip_prefix(own.root()).expect("below the root"));
        fs::create_dir_all(to.parent().expect("a directory")).expect("a writable directory");
        fs::copy(&file, to).expect("a readable file");
    }
    let workspace = Workspace::at(dir.path());
    (dir, workspace)
}

#[test]
fn all_mistakes_are_found_at_once_and_the_rest_can_be_used() {
    let (_dir, workspace) = copy();
    let change = |file: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(file).expect("a file");
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replacen(from, to, 1)).expect("a writable file");
    };
    let runners = workspace.runners();
    fs::create_dir(runners.join("copied")).expect("a writable directory");
    let twice = runners.join("copied/hypervisor.toml");
    fs::copy(runners.join("reference/hypervisor.toml"), &twice).expect("a copy");
    change(
        &runners.join("xen/hypervisor.toml"),
        "profile = \"",
        "profile = \"no-",
    );
    change(
        &runners.join("machines/virt-max.toml"),
        "cpus = ",
        "cpus = \"x\" # ",
    );
    change(
        &runners.join("profiles/kvm-fwb.toml"),
        "tvm-traps",
        "tvm-trap",
    );
    let race = workspace
        .expectations()
        .join("findings/xen-cpu-on-race.toml");
    change(&race, "again: context at start\"", "again: context\"");
    let halves = workspace
        .expectations()
        .join("findings/xen-ttbr-halves.toml");
    change(&halves, "got = \"0x0\"", "got = \"0x120034\"");
    let (catalog, mistakes) = Catalog::read(&workspace);
    let said = mistakes.to_string();
    for part in [
        "another hypervisor is called `reference`, too",
        "unknown profile `no-",
        "CPU-RESTART.a64 has no check `again: context`",
        "VMR-HALVES.a32: `TTBR0 leaves the high half` is right to be 0x120034",
        "virt-max.toml, line ",
        "unknown premise `tvm-trap`: did you mean `tvm-traps`?",
        // The committed findings about KVM have no KVM here.
        "unknown hypervisor `kvm-6.1`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(catalog.machine("virt-a57").is_ok());
    assert!(Catalog::load(&workspace).is_err());
}

/// A hypervisor's file with `more` in it, and the directory that it is in.
fn own_file(name: &str, more: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Called as one of the catalogue's, which means nothing here.
    let path = dir.path().join("xen/my.toml");
    fs::create_dir(dir.path().join("xen")).expect("a writable directory");
    let text = format!(
        "name = '{name}'\nabout = 'a'\nprofile = 'xen'\nrecords = false\nargs = ['{{kernel}}']\n{more}"
    );
    fs::write(&path, text).expect("a writable directory");
    let path = path.display().to_string();
    (dir, path)
}

#[test]
fn a_hypervisor_may_be_described_outside_of_the_checkout() {
    let catalog = committed();
    let (dir, path) = own_file("my-xen", "[files]\nkernel = '../build/xen'\nrom = '/rom'\n");
    let target = catalog.find(&path).expect("a target");
    assert_eq!(target.label(), "my-xen");
    let files = &target.hypervisor.files;
    assert_eq!(files["kernel"], dir.path().join("xen/../build/xen"));
    assert_eq!(files["rom"], Path::new("/rom"));
    let target = catalog.find(&format!("{path}@virt-max")).expect("a target");
    assert_eq!(target.label(), "my-xen@virt-max");
    let committed = Workspace::find().expect("tests run in a checkout");
    let xen = committed.runners().join("xen/hypervisor.toml");
    let target = catalog.find(&xen.display().to_string());
    assert_eq!(target.expect("a target").label(), "xen-4.20");
    assert_eq!(
        catalog.find("kvm-6.1").expect("a target").label(),
        "kvm-6.1"
    );
}

#[test]
fn what_is_wrong_with_a_file_outside_of_the_checkout_is_an_error() {
    let catalog = committed();
    let said = |path: &str| catalog.find(path).expect_err("a mistake").to_string();
    // Its findings would be taken for those of another.
    for name in ["reference", "xen-4.20", "xen"] {
        let (_dir, path) = own_file(name, "");
        assert!(said(&path).contains("my.toml, line 1: another hypervisor"));
    }
    let (_dir, path) = own_file(
        "my-xen",
        "kernel = 'hyp-aarch64'\nfiles = { kernel = 'xen' }\n",
    );
    assert!(said(&path).contains("my.toml, line 7: `{kernel}` has a meaning already"));
    let (_dir, path) = own_file("my-xen", "versions_of = 'xen'\nfiles = { xen = 'xen' }\n");
    assert!(said(&path).contains("line 7: `{xen}` has a meaning already"));
    assert!(said("./no-such.toml").contains("no-such.toml: cannot be read"));
    assert!(catalog.find("no-such").is_err());
}
