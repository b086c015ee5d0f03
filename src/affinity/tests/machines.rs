//! What is read from trees: whole ones, partial ones, broken ones.

use std::path::Path;
use std::string::ToString;
use std::{format, vec};

use super::super::{AffinityError, Core, Relation, Topology};
use super::{Random, TempTree, amd, clusters, hybrid, ids, intel, sysfs, tiles, vm};

#[test]
fn every_field_of_a_small_machine_is_read() {
    let core = |id| Core {
        id,
        smt_siblings: vec![id],
        l2: None,
        l3: Some(0),
        node: Some(0),
        package: Some(0),
        isolated: false,
        allowed: true,
    };
    assert_eq!(vm().cores(), [core(0), core(1)]);
    assert_eq!(vm().allowed(), [0, 1]);
}

#[test]
fn relations_go_from_near_to_far() {
    let amd = amd();
    assert_eq!(amd.relation(5, 5), Relation::SameCore);
    assert_eq!(amd.relation(5, 21), Relation::SmtSibling);
    assert_eq!(amd.relation(5, 22), Relation::SameL3);
    assert_eq!(amd.relation(5, 8), Relation::SameNode);
    let intel = intel();
    assert_eq!(intel.relation(0, 16), Relation::SmtSibling);
    assert_eq!(intel.relation(0, 2), Relation::SameL3);
    assert_eq!(intel.relation(0, 1), Relation::OtherNode);
    // Isolated and not allowed, still known.
    assert_eq!(intel.relation(12, 28), Relation::SmtSibling);
    assert_eq!(intel.relation(12, 13), Relation::OtherNode);
    assert_eq!(vm().relation(0, 2), Relation::Unknown, "there is no core 2");
    assert_eq!(vm().relation(2, 2), Relation::Unknown, "there is no core 2");
    assert!(Relation::SameL3 < Relation::OtherNode && Relation::OtherNode < Relation::Unknown);
    assert_eq!(format!("[{:<12}]", Relation::SmtSibling), "[SMT sibling ]");
}

#[test]
fn cores_of_a_cluster_share_an_l2() {
    let clusters = clusters();
    assert_eq!(clusters.relation(0, 3), Relation::SameL2);
    assert_eq!(clusters.relation(4, 7), Relation::SameL2);
    assert_eq!(clusters.relation(0, 4), Relation::SameNode);
    assert_eq!(
        clusters.core(6).map(|core| (core.l2, core.l3, core.last_level_cache())),
        Some((Some(4), None, Some(4)))
    );
    let tiles = tiles();
    assert_eq!(tiles.relation(0, 1), Relation::SmtSibling);
    assert_eq!(tiles.relation(0, 2), Relation::SameL3);
    assert_eq!(tiles.relation(4, 7), Relation::SameL2);
    assert_eq!(tiles.relation(0, 4), Relation::SameL3);
    assert_eq!(tiles.relation(8, 9), Relation::SameL2);
    assert_eq!(tiles.relation(4, 8), Relation::SameNode);
    assert_eq!(
        tiles.core(5).map(|core| (core.l2, core.l3, core.last_level_cache())),
        Some((Some(4), Some(0), Some(0)))
    );
    assert!(Relation::SmtSibling < Relation::SameL2 && Relation::SameL2 < Relation::SameL3);
    assert_eq!(Relation::SameL2.to_string(), "same L2");
}

#[test]
fn relations_are_symmetric() {
    for machine in [vm(), amd(), intel(), hybrid(), clusters(), tiles()] {
        for a in machine.cores() {
            for b in machine.cores() {
                assert_eq!(machine.relation(a.id, b.id), machine.relation(b.id, a.id));
                assert_eq!(machine.relation(a.id, b.id) == Relation::SameCore, a.id == b.id);
            }
        }
    }
}

#[test]
fn an_l3_is_named_by_its_lowest_online_core() {
    assert_eq!(amd().core(23).and_then(|core| core.l3), Some(0));
    assert_eq!(amd().core(24).and_then(|core| core.l3), Some(8));
}

#[test]
fn offline_cores_are_left_out_of_groups() {
    let tree = TempTree::new();
    tree.write_manifest("cpu/online: 2-3\ncpu/cpu[0-1]/online: 0\ncpu/cpu[2-3]/topology/thread_siblings_list: 0-3");
    tree.write_manifest("cpu/cpu[2-3]/cache/index3/level: 3\ncpu/cpu[2-3]/cache/index3/shared_cpu_list: 0-3");
    let topology = Topology::from_sysfs(&tree.0, &[0, 1, 2, 3]).expect("cores 2 and 3");
    let core = topology.core(3).expect("online");
    assert_eq!((core.smt_siblings.as_slice(), core.l3), (&[2, 3][..], Some(2)));
}

#[test]
fn a_file_missing_on_one_side_leaves_the_relation_known_from_both() {
    let tree = TempTree::new();
    tree.write("cpu/cpu0/topology/thread_siblings_list", b"0-1\n");
    let topology = Topology::from_sysfs(&tree.0, &[0, 1]).expect("two cores");
    assert_eq!(topology.relation(0, 1), Relation::SmtSibling);
    assert_eq!(topology.relation(1, 0), Relation::SmtSibling);
}

#[test]
fn a_core_that_several_nodes_claim_belongs_to_the_lowest() {
    let tree = TempTree::new();
    // Core N is claimed by node N and all above.
    for node in (0..12).rev() {
        tree.write(&format!("node/node{node}/cpulist"), format!("0-{node}\n").as_bytes());
    }
    let topology = Topology::from_sysfs(&tree.0, &ids("0-11")).expect("12 cores");
    for core in topology.cores() {
        assert_eq!(core.node, Some(core.id));
    }
}

#[test]
fn nodes_packages_and_isolation_are_read_per_core() {
    let intel = intel();
    for core in intel.cores() {
        assert_eq!(core.node, Some(core.id % 2));
        assert_eq!(core.package, Some(core.id % 2));
        assert_eq!(core.smt_siblings, [core.id % 16, core.id % 16 + 16]);
        assert_eq!(core.isolated, core.id % 16 >= 12);
        assert_eq!(core.allowed, !core.isolated);
    }
    assert_eq!(intel.cores().len(), 32);
    assert_eq!(intel.allowed(), ids("0-11,16-27"));
}

#[test]
fn an_offline_core_is_no_core_even_if_the_mask_has_it() {
    let hybrid = hybrid();
    assert_eq!(hybrid.core(5), None);
    assert_eq!(hybrid.allowed(), ids("0-4,6-7"));
    assert_eq!(hybrid.relation(4, 5), Relation::Unknown);
}

#[test]
fn what_is_missing_is_unknown() {
    let hybrid = hybrid();
    let core = hybrid.core(6).expect("online");
    assert_eq!((core.l3, core.node, core.package), (None, None, Some(0)));
    assert_eq!(hybrid.relation(0, 1), Relation::SmtSibling);
    assert_eq!(hybrid.relation(0, 4), Relation::SameL3);
    assert_eq!(hybrid.relation(0, 6), Relation::Unknown);

    let nothing = Topology::from_sysfs(Path::new("/nonexistent"), &[4, 2, 2]).expect("the mask alone will do");
    assert_eq!(nothing.allowed(), [2, 4]);
    let core = nothing.core(2).expect("allowed, so it exists");
    assert_eq!((core.smt_siblings.as_slice(), core.l3, core.node, core.package), (&[2][..], None, None, None));
    assert_eq!(nothing.relation(2, 4), Relation::Unknown);
}

#[test]
fn the_mask_is_believed_over_a_doctored_online_file() {
    let tree = TempTree::new();
    tree.write("cpu/online", b"0-1\n");
    let topology = Topology::from_sysfs(&tree.0, &[4, 5]).expect("the kernel says 4 and 5");
    assert_eq!(topology.allowed(), [4, 5]);
    assert_eq!(topology.cores().len(), 4);
}

#[test]
fn without_an_allowed_core_there_is_no_topology() {
    let tree = TempTree::new();
    tree.write("cpu/cpu3/online", b"0\n");
    for allowed in [&[][..], &[3]] {
        let error = Topology::from_sysfs(&tree.0, allowed).expect_err("no core");
        assert!(matches!(error, AffinityError::NoCores { .. }), "{error}");
    }
}

#[test]
fn malformed_files_count_as_missing() {
    let many = "0-65535,".repeat(9000);
    let garbage: [&[u8]; 16] = [
        b"",
        b"\n\n",
        b"-",
        b"-1",
        b"1-",
        b"3-1",
        b"0-4000000000",
        b"99999999999999999999999",
        b"0,0,0",
        b"1,0",
        b"0;1",
        b"+0",
        b"cpu0",
        b"\xff\xfe\x00",
        b"0-1\x000",
        many.as_bytes(),
    ];
    for text in garbage {
        let tree = TempTree::new();
        for path in [
            "cpu/online",
            "cpu/isolated",
            "cpu/cpu0/topology/thread_siblings_list",
            "cpu/cpu0/topology/physical_package_id",
            "cpu/cpu0/cache/index2/level",
            "cpu/cpu0/cache/index3/shared_cpu_list",
            "node/node0/cpulist",
            "node/node/cpulist",
            "node/nodex/cpulist",
        ] {
            tree.write(path, text);
        }
        tree.write("cpu/cpu0/cache/index3/level", b"3\n");
        let topology = Topology::from_sysfs(&tree.0, &[0, 1]).expect("the mask alone will do");
        assert_eq!(topology.cores().len(), 2, "{text:?}");
        let core = topology.core(0).expect("allowed");
        assert_eq!((core.l3, core.node, core.package), (None, None, None), "{text:?}");
        assert_eq!((core.smt_siblings.as_slice(), core.isolated), (&[0][..], false), "{text:?}");
    }
}

#[test]
fn a_group_that_leaves_out_the_core_itself_is_not_believed() {
    let tree = TempTree::new();
    tree.write("cpu/cpu0/topology/thread_siblings_list", b"1-2");
    tree.write("cpu/cpu0/cache/index3/level", b"3");
    tree.write("cpu/cpu0/cache/index3/shared_cpu_list", b"1-2");
    let topology = Topology::from_sysfs(&tree.0, &[0, 1, 2]).expect("three cores");
    let core = topology.core(0).expect("allowed");
    assert_eq!((core.smt_siblings.as_slice(), core.l3), (&[0][..], None));
}

#[test]
fn a_directory_in_place_of_a_file_is_a_missing_file() {
    let tree = TempTree::new();
    tree.write("cpu/online/x", b"0");
    tree.write("node/node0/cpulist/x", b"0");
    tree.write("node/node1", b"0");
    let topology = Topology::from_sysfs(&tree.0, &[0]).expect("core 0");
    assert_eq!(topology.core(0).and_then(|core| core.node), None);
}

#[test]
fn ids_of_any_size_are_taken_as_they_are() {
    let topology = Topology::from_sysfs(Path::new("/nonexistent"), &[usize::MAX, usize::MAX - 1, 0]).expect("three");
    assert_eq!(topology.cores().len(), 3);
    let error = topology.select("7").expect_err("no such core").to_string();
    assert!(error.ends_with(&format!("choose from 0,{}-{}", usize::MAX - 1, usize::MAX)), "{error}");
}

#[test]
fn any_kernel_list_is_read_or_refused() {
    let mut random = Random(0x5eed);
    for _ in 0..5_000 {
        let text = random.text(&["0", "1", "9", "65535", "65536", "-", "-", ",", ",", " ", "4000000000", "x", "é"]);
        if let Some(list) = sysfs::parse_list(&text) {
            assert!(list.is_sorted() && list.iter().all(|&id| id < 65_536), "{text:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_is_read() {
    let topology = Topology::detect().expect("Linux tells the mask");
    let allowed = topology.allowed();
    assert!(!allowed.is_empty());
    let here = super::super::current_core().expect("Linux tells it");
    assert!(allowed.contains(&here));
    for core in topology.cores() {
        assert!(core.smt_siblings.contains(&core.id));
        assert!(core.l3.is_none_or(|lowest| lowest <= core.id));
    }
}
