//! The proof that the models prove something: with any one site of the protocol broken, some model fails.
//!
//! Each site lists the law that should notice, so that a mutant killed by luck elsewhere does not count.

use ringmail::model::Site;
use ringmail_loom_tests::models::ALL;
use ringmail_loom_tests::run::{Job, be_child_if_asked, run};
use std::collections::BTreeMap;
use std::process::exit;
use std::sync::Mutex;
use std::time::Instant;

/// Sites that no model can judge, each with the reason. A site is here or killed, never both.
const NOT_MUTATED: &[(Site, &str)] = &[];

/// Which models should notice that a site is broken: any one suffices, all of these are tried until one does.
fn judges(site: Site) -> &'static [&'static str] {
    match site {
        Site::PublishTail => &["ring::first_in_first_out"],
        Site::CloseTail => &["close::close_alone_publishes_what_came_before"],
        Site::ObserveTail => &["ring::first_in_first_out"],
        Site::PublishHead => &["ring::slots_are_reused_after_they_are_read"],
        Site::ObserveHead => &["ring::slots_are_reused_after_they_are_read"],
        Site::RetireHead => &["close::a_retired_ring_may_be_overwritten"],
        Site::InheritHead => &["close::the_sender_inherits_the_receivers_role"],
        Site::InheritStore => &["close::what_a_receiver_left_behind_drops_at_the_next_send"],
        Site::Announce | Site::Answer => &["bell::what_the_notifier_needs_is_there"],
        Site::WakerCell => &["bell::one_bell_for_two_channels", "fenced::a_settled_bell_needs_no_barrier"],
        Site::LightBarrier | Site::HeavyBarrier => &["wait::a_message_wakes_the_receiver"],
        Site::LookAgain => &["wait::a_message_wakes_the_receiver"],
        Site::ResetFirst => &["wait::a_message_wakes_the_receiver"],
        Site::RingFence | Site::RingReload | Site::SleepFence => &["fenced::a_message_wakes_the_receiver"],
        Site::SwapState => &["fenced::messages_pass_one_by_one"],
        Site::RenewOwn => &["bell::the_announcement_of_another_is_not_renewed"],
        Site::WakeReplaced => &["bell::two_threads_on_one_bell", "bell::two_tasks_on_one_bell"],
        // Loom's `block_on` has wakers that deny being the same.
        Site::WakeSelf => &["bell::the_announcement_of_another_is_not_renewed"],
        Site::HandOver => &["bell::two_threads_on_one_bell", "bell::two_tasks_on_one_bell"],
        Site::SenderCloseRings => &["wait::a_dropped_sender_wakes_the_receiver"],
        Site::ReceiverCloseRings => &["wait::a_closed_receiver_wakes_the_sender"],
    }
}

fn main() {
    be_child_if_asked();
    for (site, reason) in NOT_MUTATED {
        assert!(!reason.is_empty() && Site::ALL.contains(site), "{site:?} needs a reason");
    }
    let excused = |site: Site| NOT_MUTATED.iter().find(|(s, _)| *s == site);
    let jobs: Vec<Job> = Site::ALL
        .into_iter()
        .filter(|&site| excused(site).is_none())
        .flat_map(|site| judges(site).iter().map(move |&model| Job { model, mutant: Some(site) }))
        .collect();
    for job in &jobs {
        assert!(ALL.iter().any(|(name, _)| *name == job.model), "no model {}", job.model);
    }
    let start = Instant::now();
    let killed = Mutex::new(BTreeMap::new());
    run(
        &jobs,
        |job| !killed.lock().unwrap().contains_key(&name(job)),
        |report| {
            let site = name(&report.job);
            if report.held {
                println!("  {site:<20} lives in {} ({:.1} s)", report.job.model, report.took.as_secs_f32());
            } else {
                println!(
                    "  {site:<20} dies in {} ({:.1} s): {}",
                    report.job.model,
                    report.took.as_secs_f32(),
                    report.said
                );
                killed.lock().unwrap().insert(site, report.job.model);
            }
        },
    );
    let killed = killed.into_inner().unwrap();
    for (site, reason) in NOT_MUTATED {
        println!("  {:<20} not mutated: {reason}", format!("{site:?}"));
    }
    let alive: Vec<Site> = Site::ALL
        .into_iter()
        .filter(|&site| excused(site).is_none() && !killed.contains_key(&format!("{site:?}")))
        .collect();
    println!(
        "mutants: {} killed, {} not mutated, {} alive {alive:?}, of {} in {:.0} s",
        killed.len(),
        NOT_MUTATED.len(),
        alive.len(),
        Site::ALL.len(),
        start.elapsed().as_secs_f32()
    );
    exit(i32::from(killed.is_empty() || !alive.is_empty()));
}

fn name(job: &Job) -> String {
    format!("{:?}", job.mutant.expect("every job here has one"))
}
