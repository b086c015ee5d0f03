//! Trees of both versions, with and without namespaces.

use super::super::root::fixture::Tree;
use super::*;

const V2: &str = "25 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const V1: &str = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                  34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n";

fn quota(files: &[(&str, &str)]) -> Option<(f64, f64, String)> {
    Quota::read(Tree::new(files).root()).map(|quota| (quota.cores, quota.period_ms, quota.file))
}

#[test]
fn the_least_quota_from_the_own_group_up_counts() {
    let tree = |own, middle, top| {
        quota(&[
            ("proc/self/cgroup", "0::/a.slice/b.service/c\n"),
            ("proc/self/mountinfo", V2),
            ("sys/fs/cgroup/a.slice/cpu.max", top),
            ("sys/fs/cgroup/a.slice/b.service/cpu.max", middle),
            ("sys/fs/cgroup/a.slice/b.service/c/cpu.max", own),
            ("sys/fs/cgroup/elsewhere/cpu.max", "1000 100000"),
        ])
    };
    let file = |group: &str| format!("/sys/fs/cgroup/{group}/cpu.max");
    assert_eq!(tree("max 100000", "max 100000", "max 100000"), None);
    assert_eq!(tree("150000 100000", "max 100000", "max 100000"), Some((1.5, 100.0, file("a.slice/b.service/c"))));
    assert_eq!(tree("max 100000", "40000 20000\n", "300000 100000"), Some((2.0, 20.0, file("a.slice/b.service"))));
    assert_eq!(tree("400000 100000", "max 100000", "300000 100000"), Some((3.0, 100.0, file("a.slice"))));
}

#[test]
fn version_1_is_read_where_its_controller_is_mounted() {
    let files = |own: &'static str, period: &'static str| {
        [
            ("proc/self/cgroup", "4:cpu,cpuacct:/docker/box\n3:cpuset:/other\n0::/\n"),
            ("proc/self/mountinfo", V1),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"),
            ("sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_quota_us", own),
            ("sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_period_us", period),
            ("sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us", "1"),
        ]
    };
    let file = "/sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_quota_us";
    assert_eq!(quota(&files("50000", "100000")), Some((0.5, 100.0, file.to_owned())));
    assert_eq!(quota(&files("-1", "100000")), None);
    assert_eq!(quota(&files("50000", "0")), None);
    assert_eq!(quota(&files("x", "100000")), None);
}

#[test]
fn a_mount_that_shows_only_a_part_is_followed() {
    // Without a namespace, the path names what the mount already stands for.
    let bind = "25 1 0:22 /docker/box /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    let file = |path: &str| Some((2.0, 100.0, path.to_owned()));
    let files = |path: &'static str, mounts: &'static str, at: &'static str| {
        quota(&[("proc/self/cgroup", path), ("proc/self/mountinfo", mounts), (at, "200000 100000")])
    };
    let (top, below) = ("sys/fs/cgroup/cpu.max", "sys/fs/cgroup/in/cpu.max");
    assert_eq!(files("0::/docker/box", bind, top), file("/sys/fs/cgroup/cpu.max"));
    assert_eq!(files("0::/docker/box/in", bind, below), file("/sys/fs/cgroup/in/cpu.max"));
    assert_eq!(files("0::/../other", V2, top), file("/sys/fs/cgroup/cpu.max"));
    let spaced = "25 1 0:22 / /sys/my\\040groups rw - cgroup2 cgroup rw\n";
    assert_eq!(files("0::/x", spaced, "sys/my groups/x/cpu.max"), file("/sys/my groups/x/cpu.max"));
}

#[test]
fn without_a_mount_table_the_usual_places_are_tried() {
    assert_eq!(quota(&[("sys/fs/cgroup/cpu.max", "150000 100000")]).map(|quota| quota.0), Some(1.5));
    let v1 = [("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000"), ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000")];
    assert_eq!(quota(&v1).map(|quota| (quota.0, quota.1)), Some((0.5, 50.0)));
    for text in ["", "max", "max 100000", "100000 0", "0 100000", "-5 100000"] {
        assert_eq!(quota(&[("sys/fs/cgroup/cpu.max", text)]), None, "{text:?}");
    }
    assert_eq!(quota(&[]), None);
}

#[test]
fn throttling_is_the_growth_of_the_group_that_lost_most() {
    let tree = Tree::new(&[
        ("proc/self/cgroup", "0::/a/b\n4:cpu:/\n"),
        ("proc/self/mountinfo", V2),
        ("sys/fs/cgroup/a/cpu.stat", "usage_usec 9\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1000\n"),
        ("sys/fs/cgroup/a/b/cpu.stat", "nr_throttled 1\nthrottled_usec 500\n"),
    ]);
    let before = Throttling::read(tree.root());
    assert_eq!(before.since(&before), Some(Throttled { times: 0, s: 0.0 }));
    tree.write("sys/fs/cgroup/a/cpu.stat", "nr_throttled 8\nthrottled_usec 2501000\n");
    assert_eq!(Throttling::read(tree.root()).since(&before), Some(Throttled { times: 5, s: 2.5 }));
    assert_eq!(Throttling::default().since(&before), None);

    let v1 = Tree::new(&[("proc/self/mountinfo", V1)]);
    let stat = "sys/fs/cgroup/cpu,cpuacct/cpu.stat";
    v1.write(stat, "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n");
    let before = Throttling::read(v1.root());
    v1.write(stat, "nr_periods 5\nnr_throttled 2\nthrottled_time 40000000\n");
    assert_eq!(Throttling::read(v1.root()).since(&before), Some(Throttled { times: 2, s: 0.04 }));
}

#[test]
fn names_that_tell_the_machine_are_cut_short() {
    assert_eq!(public("a/docker/3f2ab1c4d5e6f7a8b9/cpu.max", None), "a/docker/3f2a…/cpu.max");
    assert_eq!(public("system.slice/docker-3f2ab1c4d5e6f7a8.scope", None), "system.slice/docker-3f2a…");
    assert_eq!(public("lxc.payload.Big-Box/x", Some("big-box")), "…/x");
    assert_eq!(public("machine-big\\x2dbox.scope/x", Some("big-box")), "…/x");
    assert_eq!(public("user.slice/user-1000.slice", Some("big-box")), "user.slice/user-1000.slice");
    assert_eq!(public("kubepods/deadbeef/x", None), "kubepods/deadbeef/x");
}
