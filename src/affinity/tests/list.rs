//! Core lists.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::super::{AffinityError, Selected, Topology, Unusable};
use super::{Random, amd, bad_item, clusters, hybrid, ids, intel, tiles, vm};

fn select(topology: &Topology, list: &str) -> Vec<usize> {
    topology.select(list).unwrap_or_else(|error| panic!("{list:?}: {error}"))
}

fn nothing(topology: &Topology, list: &str) -> String {
    match topology.select(list) {
        Err(AffinityError::NothingSelected { reason, .. }) => reason,
        other => panic!("{list:?} gave {other:?}"),
    }
}

#[test]
fn numbers_and_ranges_keep_their_order_and_come_once() {
    let amd = amd();
    assert_eq!(select(amd, "0-3,7"), [0, 1, 2, 3, 7]);
    assert_eq!(select(amd, "7,2-4,0,3,7"), [7, 2, 3, 4, 0]);
    assert_eq!(select(amd, "5-5"), [5]);
    assert_eq!(select(amd, "007"), [7]);
}

#[test]
fn white_space_is_of_no_account_between_tokens() {
    let amd = amd();
    assert_eq!(select(amd, " 0 - 2 ,\t7\n, ! 1 "), [0, 2, 7]);
    assert_eq!(select(amd, " llc : 1, !8-15 "), ids("24-31"));
}

#[test]
fn groups_select_allowed_cores_only() {
    let amd = amd();
    assert_eq!(select(amd, "all"), ids("0-31"));
    assert_eq!(select(amd, "physical"), ids("0-15"));
    assert_eq!(select(amd, "llc:0"), ids("0-7,16-23"));
    assert_eq!(select(amd, "llc:1"), ids("8-15,24-31"));
    assert_eq!(select(amd, "node:0"), ids("0-31"));
    let intel = intel();
    assert_eq!(select(intel, "all"), ids("0-11,16-27"));
    assert_eq!(select(intel, "physical"), ids("0-11"));
    assert_eq!(select(intel, "llc:1"), ids("1,3,5,7,9,11,17,19,21,23,25,27"));
    assert_eq!(select(intel, "node:1"), select(intel, "llc:1"));
    assert_eq!(select(hybrid(), "physical"), [0, 2, 4, 6, 7]);
    assert_eq!(select(vm(), "physical"), [0, 1]);
}

#[test]
fn physical_takes_the_sibling_where_the_first_thread_is_not_allowed() {
    let partial = super::machine(super::AMD, "1-3,16-19");
    assert_eq!(select(&partial, "physical"), [1, 2, 3, 16]);
}

#[test]
fn isolated_cores_can_be_had_outside_of_the_mask() {
    let intel = intel();
    assert_eq!(select(intel, "isolated"), ids("12-15,28-31"));
    assert_eq!(select(intel, "12-13,0"), [12, 13, 0]);
    assert_eq!(select(intel, "isolated,!28-31"), ids("12-15"));
    assert!(nothing(vm(), "isolated").contains("isolcpus"));
}

#[test]
fn exclusions_count_last_and_from_all_if_alone() {
    let amd = amd();
    assert_eq!(select(amd, "!3"), ids("0-2,4-31"));
    assert_eq!(select(amd, "!2-4,!llc:1"), ids("0-1,5-7,16-23"));
    assert_eq!(select(amd, "!0,physical"), ids("1-15"));
    assert_eq!(select(amd, "!physical"), ids("16-31"));
    assert_eq!(select(vm(), "!isolated"), [0, 1], "none is isolated: nothing to leave out");
    assert_eq!(select(vm(), "!1-4000000000"), [0], "cores that do not exist may be left out");
    assert_eq!(select(intel(), "!node:0"), ids("1,3,5,7,9,11,17,19,21,23,25,27"));
    assert!(nothing(vm(), "!all").contains("leaves no core"));
    assert!(nothing(vm(), "1,!1").contains("leaves no core"));
}

#[test]
fn a_core_that_cannot_be_used_is_an_error_that_tells_which_can() {
    let error = vm().select("0,2").expect_err("no core 2");
    assert_eq!(error, AffinityError::NotUsable { core: 2, why: Unusable::Absent, allowed: ids("0-1") });
    assert_eq!(error.to_string(), "core 2 does not exist; choose from 0-1");
    let masked = super::machine(super::AMD, "0,2-3,8");
    let error = masked.select("3-4").expect_err("4 is not in the mask");
    assert_eq!(error, AffinityError::NotUsable { core: 4, why: Unusable::NotAllowed, allowed: ids("0,2-3,8") });
    assert!(error.to_string().contains("choose from 0,2-3,8,"), "{error}");
    let error = hybrid().select("5").expect_err("5 is offline");
    assert!(matches!(error, AffinityError::NotUsable { core: 5, why: Unusable::Offline, .. }));
    assert_eq!(error.to_string(), "core 5 is offline; choose from 0-4,6-7, or bring it online");
}

#[test]
fn a_range_can_leave_out_what_cannot_be_used() {
    let selected = |topology: &Topology, list| topology.select_usable(list).map_err(|error| error.to_string());
    let all =
        Selected { cores: ids("0-2,4,6-7"), left_out: [(3, Unusable::NotAllowed), (5, Unusable::Offline)].into() };
    assert_eq!(selected(clusters(), "0-7"), Ok(all.clone()));
    assert_eq!(selected(clusters(), "0-5,3-7"), Ok(all), "each is told once");
    let without = Selected { cores: ids("0-2,4"), left_out: [(3, Unusable::NotAllowed)].into() };
    assert_eq!(selected(clusters(), "0-5,!5"), Ok(without), "what is left out on purpose is not told");
    assert_eq!(selected(intel(), "12-13").map(|selected| selected.left_out), Ok([].into()), "isolated");
    for (list, part) in [
        ("5", "core 5 is offline; choose from 0-2,4,6-7"),
        ("0,3", "core 3 is outside of this thread's affinity mask"),
        ("5-5", "core 5 is offline"),
        ("0-8", "core 8 does not exist"),
        ("9-12", "core 9 does not exist"),
    ] {
        let error = selected(clusters(), list).unwrap_err();
        assert!(error.contains(part), "{list}: {error}");
    }
    assert_eq!(clusters().select("0-7").unwrap_err(), clusters().select("3").unwrap_err(), "`select` refuses gaps");
    let none = super::machine(super::CLUSTERS, "0-2").select_usable("3-6").unwrap_err().to_string();
    assert!(none.contains("core 3 is outside of"), "{none}");
}

#[test]
fn a_range_that_leaves_out_is_bounded_as_well() {
    let far = Topology::from_sysfs("/nonexistent".as_ref(), &[0, usize::MAX - 1, usize::MAX]).expect("three cores");
    for (topology, list) in [(vm(), "0-4000000000"), (&far, &format!("0-{}", usize::MAX))] {
        assert!(matches!(topology.select_usable(list), Err(AffinityError::NotUsable { .. })), "{list}");
    }
    let high = far.select_usable(&format!("{}-{}", usize::MAX - 1, usize::MAX)).expect("both are allowed");
    assert_eq!(high.cores, [usize::MAX - 1, usize::MAX]);
}

#[test]
fn caches_select_clusters_where_there_is_no_l3() {
    assert_eq!(select(clusters(), "llc:0"), ids("0-2"));
    assert_eq!(select(clusters(), "llc:1"), ids("4,6-7"));
    assert_eq!(select(clusters(), "l2:1"), select(clusters(), "llc:1"));
    assert_eq!(select(tiles(), "llc:0"), ids("0-7"));
    assert_eq!(select(tiles(), "llc:1"), ids("8-9"));
    assert_eq!(select(tiles(), "l2:2"), ids("4-7"));
    assert_eq!(select(tiles(), "all,!l2:3"), ids("0-7"));
    assert_eq!(nothing(tiles(), "l2:4"), "L2 caches here count from 0 to 3");
    assert!(nothing(vm(), "l2:0").contains("does not say which cores share L2 caches"));
}

#[test]
fn a_group_that_is_unknown_or_out_of_reach_is_an_error_that_tells_why() {
    let amd = amd();
    assert_eq!(nothing(amd, "llc:2"), "last-level caches here count from 0 to 1");
    assert_eq!(nothing(amd, "!llc:2"), "last-level caches here count from 0 to 1");
    assert_eq!(nothing(amd, &format!("llc:{}", usize::MAX)), "last-level caches here count from 0 to 1");
    assert_eq!(nothing(intel(), "node:2"), "NUMA nodes with cores here: 0-1");
    assert!(nothing(hybrid(), "node:0").contains("does not say"));
    let bare = Topology::from_sysfs("/nonexistent".as_ref(), &[0, 1]).expect("two cores");
    assert!(nothing(&bare, "llc:0").contains("does not say"));
    assert_eq!(select(&bare, "physical"), [0, 1]);
    let one_node = super::machine(super::INTEL, "0,2");
    assert!(nothing(&one_node, "0,node:1").contains("none of its 16 cores"));
}

#[test]
fn an_empty_list_is_an_error() {
    for list in ["", " ", "\t\n"] {
        assert_eq!(vm().select(list), Err(AffinityError::EmptyList { allowed: ids("0-1") }));
    }
    assert!(vm().select("").expect_err("empty").to_string().contains("`0-1`"));
    for list in [",", "0,", ",0", "0,,1", "!", "0,!"] {
        assert!(bad_item(vm(), list).contains("nothing between"), "{list:?}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_the_reason() {
    let vm = vm();
    assert!(bad_item(vm, "1-0").contains("backwards"));
    assert!(bad_item(vm, "!1-0").contains("backwards"));
    assert!(bad_item(vm, "99999999999999999999999").contains("too large"));
    assert!(bad_item(vm, "core:1").contains("`llc`, `l2` and `node`"));
    for list in ["0 1", "+1", "-1", "1-", "0-1-2", "0x1", "!!0", "llc:", "node:x", "llc:-1", "llc:0-1", "½", "٣"] {
        assert!(bad_item(vm, list).contains("not a number"), "{list:?}");
    }
    for list in ["All", "bogus", "physical 0", "é"] {
        assert!(bad_item(vm, list).contains("no such word"), "{list:?}");
    }
    let error = vm.select("0,bogus").expect_err("no such word").to_string();
    assert!(error.starts_with("cannot read \"bogus\"") && error.contains("`physical`"), "{error}");
    let error = vm.select(&"é".repeat(100_000)).expect_err("no such word").to_string();
    assert!(error.len() < 400, "what was typed is cut short");
}

#[test]
fn a_huge_range_ends_where_the_machine_does() {
    for list in ["0-4000000000", &format!("0-{}", usize::MAX)] {
        assert!(matches!(vm().select(list), Err(AffinityError::NotUsable { core: 2, .. })));
    }
    assert!(matches!(vm().select("4000000000"), Err(AffinityError::NotUsable { core: 4_000_000_000, .. })));
}

#[test]
fn any_text_gives_distinct_usable_cores_or_an_error_that_can_be_shown() {
    let machines = [vm(), amd(), intel(), hybrid()];
    // Half of the texts are of tokens in any order, half of whole parts, which more often make a valid list.
    let tokens: Vec<&str> =
        "0|1|3|12|4000000000|18446744073709551615|-|,|,|!| |:|all|physical|isolated|llc:|node:|x|é|\0|\u{202e}"
            .split('|')
            .collect();
    let parts =
        ["0,", "1,", " 0 - 1 ,", "12-15,", "!1,", "!0,", "all,", "physical,", "llc:0,", "!llc:1,", "!isolated,"];
    let mut random = Random(0xc0de);
    let mut accepted = 0;
    for round in 0..12_000 {
        let machine = machines[round % machines.len()];
        let text = match round / machines.len() % 2 {
            0 => random.text(&tokens),
            _ => format!("{}all", random.text(&parts)),
        };
        match machine.select(&text) {
            Ok(cores) => {
                accepted += 1;
                assert!(!cores.is_empty(), "{text:?}");
                for (at, &id) in cores.iter().enumerate() {
                    assert!(!cores[..at].contains(&id), "{text:?} names {id} twice");
                    assert!(machine.core(id).is_some_and(|core| core.allowed || core.isolated), "{text:?}");
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        match machine.select_usable(&text) {
            Ok(Selected { cores, left_out }) => {
                assert!(
                    !cores.is_empty()
                        && left_out.is_sorted_by_key(|(id, _)| *id)
                        && !left_out.iter().any(|(id, _)| cores.contains(id))
                );
                assert!(machine.select(&text).is_ok_and(|strict| strict == cores) || !left_out.is_empty(), "{text:?}");
            }
            Err(error) => assert!(machine.select(&text).is_err(), "{text:?}: {error}"),
        }
    }
    assert!(accepted > 1000, "too few of the texts are lists: {accepted}");
}
